// What the runner needs of a log: the embedded one, the test kit's in memory, and later Kafka's.

package import StreamJobsLog

/// A log that a job can run on. Any thread may call.
package protocol JobLog: AnyObject, Sendable {
    /// Nil if there is no such topic.
    func existingTopic(_ name: String) throws -> Topic?
    func createTopic(_ name: String, partitions: Int, isInternal: Bool, settings: TopicSettings)
        throws -> Topic
    func logPartition(_ name: TopicPartition) throws -> any JobLogPartition
    /// The first of `count` producer ids that nobody had before.
    func takeProducerIDs(_ count: Int) throws -> Int64
    /// When it returns, what was appended to these partitions before survives a power loss.
    func flush(_ partitions: [any JobLogPartition]) throws
}

/// One partition. Any thread may call; batches are sealed by their producer.
package protocol JobLogPartition: AnyObject, Sendable {
    var name: TopicPartition { get }
    var topicID: TopicID { get }
    /// As they are now.
    var settings: TopicSettings { get }
    var startOffset: Offset { get }
    var lastStableOffset: Offset { get }
    var logEndOffset: Offset { get }
    /// Everything below survives a power loss.
    var flushedOffset: Offset { get }
    var openTransactions: [OpenTransaction] { get }
    func leaderEpoch(at offset: Offset) -> Int32
    /// The highest epoch of a producer that has written here.
    func epoch(of producerID: Int64) -> Int16?

    @discardableResult
    func append(_ batch: UnsafeMutableRawBufferPointer) throws -> Offset
    /// Writes the marker that ends the transaction, if the producer has one open here.
    func end(_ producer: ProducerStamp, with marker: TransactionMarker) throws
    /// When it returns, what was appended before the call survives a power loss.
    func flush() throws
    func makeCursor(from offset: Offset, _ isolation: Isolation) -> any JobLogCursor
    /// Notifies `signal` with each append from now on, until it is removed.
    func addSignal(_ signal: AppendSignal)
    func removeSignal(_ signal: AppendSignal)
}

extension JobLogPartition {
    /// Reads committed records from `offset` on.
    package func makeCursor(from offset: Offset) -> any JobLogCursor {
        makeCursor(from: offset, .readCommitted)
    }
}

/// A place in a partition. Belongs to one thread. It is read record by record or batch by batch, not in
/// both ways.
package protocol JobLogCursor: AnyObject {
    /// The offset behind the last record taken; offsets that hold no record for this reader count as taken.
    var position: Offset { get }
    func seek(to: Offset)

    /// Whether a record is there to be taken; reads on if need be.
    func hasRecord() throws -> Bool
    var recordTimestamp: Timestamp? { get }
    var recordOffset: Offset? { get }
    /// The record that `hasRecord` has found.
    func withRecord(_ body: (borrowing RecordView) throws -> Void) throws
    func take()

    /// The records that come next, of one batch: all of them or those behind `position`; reads on if need
    /// be. Nil if there are none now. They are valid until the next call.
    func open() throws -> BatchRecords?
    /// Moves behind what was read of them.
    func close(_ read: BatchRecords)
    /// The error for a record, of those that `open` gave, whose lengths cannot be true.
    func damagedRecord(_ damage: MalformedBatch) -> LogError
}
