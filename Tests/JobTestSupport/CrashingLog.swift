// A log that ends a job where a test wants it to, as if the process had ended there.

package import StreamJobs
package import StreamJobsLog
package import Synchronization

/// A log that fails for good from a certain step on.
package final class CrashingLog: JobLog {
    package struct Crash: Error {}

    private let log: CommitLog
    private let crash: Int
    /// How many there were.
    package let steps = Atomic<Int>(0)

    private let isOnce: Bool

    /// - Parameter once: Only that step fails, and those behind it do not.
    package init(_ log: CommitLog, before crash: Int, once isOnce: Bool = false) {
        self.log = log
        self.crash = crash
        self.isOnce = isOnce
    }

    fileprivate func step() throws {
        let step = steps.add(1, ordering: .relaxed).newValue
        guard step < crash || isOnce && step != crash else { throw Crash() }
    }

    package func existingTopic(_ name: String) throws -> Topic? { try log.existingTopic(name) }
    package func createTopic(
        _ name: String, partitions: Int, isInternal: Bool, settings: TopicSettings
    ) throws -> Topic {
        try log.createTopic(
            name, partitions: partitions, isInternal: isInternal, settings: settings)
    }
    package func logPartition(_ name: TopicPartition) throws -> any JobLogPartition {
        CrashingPartition(try log.partition(name), self)
    }
    package func flush(_ partitions: [any JobLogPartition]) throws {
        for partition in partitions { try partition.flush() }
    }
    package func takeProducerIDs(_ count: Int) throws -> Int64 { try log.takeProducerIDs(count) }
}

private final class CrashingPartition: JobLogPartition {
    private let partition: Partition
    private let log: CrashingLog

    init(_ partition: Partition, _ log: CrashingLog) {
        self.partition = partition
        self.log = log
    }

    @discardableResult
    func append(_ batch: UnsafeMutableRawBufferPointer) throws -> Offset {
        try log.step()
        return try partition.append(batch)
    }
    func end(_ producer: ProducerStamp, with marker: TransactionMarker) throws {
        try log.step()
        try partition.end(producer, with: marker)
    }
    func flush() throws {
        try log.step()
        try partition.flush()
    }

    var name: TopicPartition { partition.name }
    var topicID: TopicID { partition.topicID }
    var settings: TopicSettings { partition.settings }
    var startOffset: Offset { partition.startOffset }
    var lastStableOffset: Offset { partition.lastStableOffset }
    var logEndOffset: Offset { partition.logEndOffset }
    var flushedOffset: Offset { partition.flushedOffset }
    var openTransactions: [OpenTransaction] { partition.openTransactions }
    func leaderEpoch(at offset: Offset) -> Int32 { partition.leaderEpoch(at: offset) }
    func epoch(of producerID: Int64) -> Int16? { partition.epoch(of: producerID) }
    func makeCursor(from offset: Offset, _ isolation: Isolation) -> any JobLogCursor {
        partition.makeCursor(from: offset, isolation)
    }
    func addSignal(_ signal: AppendSignal) { partition.addSignal(signal) }
    func removeSignal(_ signal: AppendSignal) { partition.removeSignal(signal) }
}
