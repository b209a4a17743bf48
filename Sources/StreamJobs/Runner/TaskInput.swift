// What a task reads one partition of, as the runner sees it: a source topic or a repartition topic.

import StreamJobsLog

/// What an input has for its task now.
enum InputState {
    /// A record with that timestamp may be taken.
    case ready(Timestamp)
    /// Nothing now; more may come, and in a bounded run must be waited for.
    case waiting
    /// Nothing more in this bounded run.
    case ended
}

/// A position to be committed with the task's state.
struct InputPosition: Equatable {
    /// The next offset to be taken.
    var offset: Offset
    /// Of a source: its latest timestamp. Of an upstream task: the watermark it has sent.
    var time = Timestamp.distantPast
    /// Of an upstream task: the last bounded run that it has sent the end of.
    var endedRun: Int64 = 0
}

/// Names a committed position: the partition, and for a repartition topic the upstream task.
struct PositionKey: Hashable {
    let topicID: TopicID
    let partition: PartitionID
    /// The upstream task's number; 0 for a source.
    let upstream: UInt32
}

protocol TaskInput: AnyObject {
    /// The number of the task's route that takes the records.
    var route: Int { get }
    var partition: any JobLogPartition { get }
    /// Whether it must be read before the others (a bootstrap input).
    var isFirst: Bool { get }
    /// No earlier record is expected; nil if the input takes no part in event time (now).
    var watermark: Timestamp? { get }
    var positions: [(PositionKey, InputPosition)] { get }
    /// The upstream task of the last record taken, for messages; nil for a source.
    func state() throws -> InputState
    /// Gives the record that `state` has found and moves behind it once `body` has returned.
    func take(_ body: (borrowing RecordView) throws -> Void) throws
}

/// How the inputs of a task are to be read.
enum RunMode: Equatable {
    case live
    /// Up to the stored ends, in an order that depends on nothing but the records.
    case bounded(run: Int64)
}
