// What a task reads one partition of, as the runner sees it: a source topic or a repartition topic.

package import StreamJobsLog

/// What an input has for its task now.
package enum InputState {
    /// A record with that timestamp may be taken.
    case ready(Timestamp)
    /// Nothing now; more may come, and in a bounded run must be waited for.
    case waiting
    /// Nothing more in this bounded run.
    case ended
}

/// A position to be committed with the task's state.
package struct InputPosition: Equatable {
    /// The next offset to be taken.
    package var offset: Offset
    /// Of a source: its latest timestamp. Of an upstream task: the watermark it has sent.
    package var time = Timestamp.distantPast
    /// Of an upstream task: the last bounded run that it has sent the end of.
    package var endedRun: Int64 = 0

    package init(offset: Offset, time: Timestamp = .distantPast, endedRun: Int64 = 0) {
        self.offset = offset
        self.time = time
        self.endedRun = endedRun
    }
}

/// Names a committed position: the partition, and for a repartition topic the upstream task.
package struct PositionKey: Hashable {
    package let topicID: TopicID
    package let partition: PartitionID
    /// The upstream task's number; 0 for a source.
    package let upstream: UInt32

    package init(topicID: TopicID, partition: PartitionID, upstream: UInt32) {
        self.topicID = topicID
        self.partition = partition
        self.upstream = upstream
    }
}

package protocol TaskInput: AnyObject {
    /// The number of the task's route that takes the records.
    var route: Int { get }
    var partition: any JobLogPartition { get }
    /// Whether it must be read before the others (a bootstrap input).
    var isFirst: Bool { get }
    /// Whether its records count in progress and summary.
    var isCounted: Bool { get }
    /// No earlier record is expected; nil if the input takes no part in event time (now).
    var watermark: Timestamp? { get }
    var positions: [(PositionKey, InputPosition)] { get }
    /// What it has now; reads on if need be.
    func state() throws -> InputState
    /// The records from the one that `state` has found on, as far as they come before all others of this
    /// input and none is ordered behind `timeMax`; valid until `close`. The positions stay.
    func open(upTo timeMax: Timestamp, limit: Int, othersWatermark: Timestamp) -> RecordBatch
    /// Moves behind what was taken of the batch.
    func close(_ batch: borrowing RecordBatch)
    /// The error for a record, the next one of those opened, whose lengths cannot be true.
    func damagedRecord(_ damage: MalformedBatch) -> any Error
}

extension TaskInput {
    /// Gives the one record that `state` has found and moves behind it once `body` has returned; for tests.
    package func take(_ body: (borrowing RecordView) throws -> Void) throws {
        var batch = open(upTo: .distantFuture, limit: 1, othersWatermark: .distantFuture)
        defer { close(batch) }
        var records = batch.records
        let record = try records.read()
        var told: Int64 = 0
        precondition(batch.admits(record, &told), "the record that was chosen comes first")
        try body(record)
        batch.take(records, told)
    }
}

/// How the inputs of a task are to be read.
package enum RunMode: Equatable {
    case live
    /// Up to the stored ends, in an order that depends on nothing but the records.
    case bounded(run: Int64)
}
