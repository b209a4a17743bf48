// The records of the topic `__transaction_state`, by Kafka's schemas. All integers big-endian; a string
// is a length (int16) and UTF-8 bytes, an array a count (int32) and its elements.
//
//  TransactionLogKey
//    version int16 (0), transactional id string
//
//  TransactionLogValue                                version 0          version 1
//    version                                          int16              int16
//    producer id                                      int64              int64
//    producer epoch                                   int16              int16
//    timeout, milliseconds                            int32              int32
//    status                                           int8               int8
//    partitions: topic, partition numbers             array or null (-1) compact array or null (0)
//    last update, milliseconds                        int64              int64
//    start, milliseconds                              int64              int64
//    tagged fields: 0 previous producer id int64, 1 next producer id int64,
//                   2 client transaction version int16                   1 and later
//
// In version 1 counts and lengths are unsigned varints of one more than the number, and each struct ends
// with its tagged fields: a count, and for each tag, size and bytes. Version 1 is what Kafka writes where
// every transaction ends with a new epoch (transaction version 2), as ours do.

package enum TransactionRecords {
    private static let keyVersion: Int16 = 0
    private static let valueVersion: Int16 = 1
    /// KIP-890, part 2.
    private static let clientTransactionVersion: Int16 = 2

    private enum Tag {
        static let previousProducerID = 0
        static let nextProducerID = 1
        static let clientTransactionVersion = 2
    }

    /// The partition of the topic that holds a transactional id.
    package static func partition(of transactionalID: String, partitionCount: Int) -> PartitionID {
        PartitionID(javaHashOf: transactionalID, partitionCount: partitionCount)
    }

    package static func key(_ transactionalID: String) -> [UInt8] {
        var writer = SchemaWriter()
        writer.integer(keyVersion)
        writer.string(transactionalID)
        return writer.bytes
    }

    package static func value(_ metadata: TransactionMetadata) -> [UInt8] {
        var writer = SchemaWriter()
        writer.integer(valueVersion)
        writer.integer(metadata.producer.id)
        writer.integer(metadata.producer.epoch)
        writer.integer(Int32(clamping: metadata.timeout.milliseconds))
        writer.integer(metadata.state.rawValue)
        if metadata.state == .empty {
            writer.varint(0)
        } else {
            writer.compactPartitions(metadata.partitions)
        }
        writer.integer(metadata.lastUpdate.milliseconds)
        writer.integer(metadata.start.milliseconds)
        var tags: [(tag: Int, value: any FixedWidthInteger)] = [
            (Tag.previousProducerID, metadata.previousProducerID),
            (Tag.nextProducerID, metadata.nextProducerID),
        ].filter { $0.1 != -1 }
        tags.append((Tag.clientTransactionVersion, clientTransactionVersion))
        writer.tags(tags)
        return writer.bytes
    }

    /// The transactional id of a key; nil for keys of other kinds, which are skipped as Kafka does.
    package static func transactionalID(key: [UInt8]) throws(MalformedSchema) -> String? {
        var reader = SchemaReader(key)
        guard try reader.integer(Int16.self) == keyVersion else { return nil }
        return try reader.string()
    }

    package static func metadata(_ value: [UInt8], of transactionalID: String)
        throws(MalformedSchema)
        -> TransactionMetadata
    {
        var reader = SchemaReader(value)
        let version = try reader.version(upTo: valueVersion)
        let producer = ProducerStamp(id: try reader.integer(), epoch: try reader.integer())
        let timeout = Duration.milliseconds(try reader.integer(Int32.self))
        let status = try reader.integer(Int8.self)
        guard let state = TransactionState(rawValue: status) else {
            throw MalformedSchema("its status is \(status)")
        }
        let partitions = try reader.partitions(isCompact: version == 1)
        var metadata = TransactionMetadata(
            transactionalID: transactionalID, producer: producer, timeout: timeout,
            lastUpdate: Timestamp(milliseconds: try reader.integer()))
        metadata.state = state
        metadata.partitions = partitions
        metadata.start = Timestamp(milliseconds: try reader.integer())
        guard version == 1 else { return metadata }
        try reader.tags { tag, field throws(MalformedSchema) in
            switch tag {
            case Tag.previousProducerID: metadata.previousProducerID = try field.integer()
            case Tag.nextProducerID: metadata.nextProducerID = try field.integer()
            default: break
            }
        }
        return metadata
    }
}

extension SchemaWriter {
    /// Topics, each with its partitions' numbers; in order, so that the same partitions give the same bytes.
    fileprivate mutating func compactPartitions(_ partitions: Set<TopicPartition>) {
        let topics = Dictionary(grouping: partitions, by: \.topic).sorted { $0.key < $1.key }
        compactArray(topics) { writer, topic in
            writer.compactString(topic.key)
            writer.compactArray(topic.value.map(\.partition).sorted()) { $0.integer($1.rawValue) }
            writer.tags([])
        }
    }
}

extension SchemaReader {
    /// Empty for null.
    fileprivate mutating func partitions(isCompact: Bool) throws(MalformedSchema)
        -> Set<TopicPartition>
    {
        let topics =
            isCompact
            ? try nullableCompactArray { reader throws(MalformedSchema) in
                let topic = try reader.compactString()
                let numbers = try reader.nullableCompactArray { reader throws(MalformedSchema) in
                    try reader.partition()
                }
                try reader.tags()
                return (topic, numbers ?? [])
            }
            : try nullableArray { reader throws(MalformedSchema) in
                let topic = try reader.string()
                let numbers = try reader.nullableArray { reader throws(MalformedSchema) in
                    try reader.partition()
                }
                return (topic, numbers ?? [])
            }
        return Set(
            (topics ?? []).flatMap { topic, numbers in
                numbers.map { TopicPartition(topic, $0) }
            })
    }
}
