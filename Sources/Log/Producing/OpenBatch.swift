// The way of most records, compiled into the caller's loop: the batch that is open takes them, and nothing
// is looked up.

/// The open batch of a topic with one partition; of no topic where there is none.
@usableFromInline
struct OpenBatch {
    @usableFromInline let topic: TopicID
    @usableFromInline let partitionCount: Int
    @usableFromInline let writer: BatchWriter?

    init() {
        topic = TopicID(high: 0, low: 0)
        partitionCount = 0
        writer = nil
    }

    init(_ topic: Topic, _ writer: BatchWriter) {
        self.topic = topic.id
        partitionCount = topic.partitionCount
        self.writer = writer
    }

    /// False where the record needs another batch, or anything else: nothing was done then.
    @inlinable @inline(__always)
    func append(
        _ value: UnsafeRawBufferPointer?, _ key: UnsafeRawBufferPointer?, _ topic: Topic,
        _ timestamp: Timestamp
    ) -> Bool {
        guard let writer, topic.id.low == self.topic.low, topic.id.high == self.topic.high,
            topic.partitionCount == partitionCount
        else { return false }
        return writer.appendShort(key: key, value: value, timestamp: timestamp)
    }
}
