// What a task remembers between its commits, and reads back when it is opened.

import LocalState
import StreamJobsLog

/// What was read from a task's state when it was opened.
struct RestoredTask {
    var commit: CommitRecord
    var run: RunRecord?
    var positions: [PositionKey: StoredPosition] = [:]
    var timers: [EventTimer] = []
    /// The state was there before.
    let isNew: Bool

    /// - Parameter newProducerID: Asked for only if the task has no state yet.
    init(_ environment: StateEnvironment, of task: String, newProducerID: () throws -> Int64) throws
    {
        if let bytes = try environment.get(.commit, key: CommitRecord.key) {
            commit = try CommitRecord(bytes, of: task)
            isNew = false
        } else {
            commit = CommitRecord(producer: ProducerStamp(id: try newProducerID(), epoch: 0))
            isNew = true
        }
        run = try environment.get(.commit, key: RunRecord.key).map { try RunRecord($0, of: task) }
        for entry in try environment.entries(.offsets) {
            let key = try PositionKey(entry.key, of: task)
            positions[key] = try StoredPosition(entry.value, of: task)
        }
        timers = try environment.entries(.timers).map { try EventTimer($0.key, of: task) }
    }
}

struct CommitState {
    /// Of the last commit.
    var number: Int64
    /// Who the next transaction belongs to.
    var producer: ProducerStamp
    var run: RunRecord?
    /// The committed ones.
    var positions: [PositionKey: InputPosition]
    /// Appended and not yet decided.
    var appended: [AppendedRange] = []
    /// What was appended outside of the transaction since the last flush.
    var plain: [AppendedRange] = []
    var unconfirmed: [UnconfirmedMarker] = []
    /// The last record of the task in the commits topic; nil if it has none.
    var logged: LoggedCommit?
    /// What repartition topics were told last.
    var sentWatermark: Timestamp?
    var sentEnd = false
    var sentIdle = false

    /// A decided transaction whose marker is not known to be flushed.
    struct UnconfirmedMarker {
        let transaction: DecidedTransaction
        let partition: any JobLogPartition
        /// The partition's end when the marker had been written.
        var end: Offset?
    }

    var touchedPartitions: [any JobLogPartition] { (appended + plain).map(\.partition) }

    init(_ record: CommitRecord, positions: [PositionKey: StoredPosition]) {
        number = record.number
        producer = record.producer
        self.positions = positions.mapValues(\.position)
    }
}
