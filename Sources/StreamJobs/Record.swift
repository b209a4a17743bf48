public import StreamJobsLog

/// A record as a task sees it: decoded, and where it came from. Valid during the call that it is given to.
public struct Record<Key, Value>: ~Copyable {
    public let key: Key
    public let value: Value
    public let timestamp: Timestamp
    public let topic: String
    public let partition: PartitionID
    public let offset: Offset
    public let headers: [Header]

    @usableFromInline
    init(
        key: Key, value: Value, timestamp: Timestamp, topic: String, partition: PartitionID,
        offset: Offset, headers: [Header]
    ) {
        self.key = key
        self.value = value
        self.timestamp = timestamp
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.headers = headers
    }
}
