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

    /// The partition of the topic that holds a transactional id: Java's hash of its UTF-16 units.
    package static func partition(of transactionalID: String, partitionCount: Int) -> PartitionID {
        let hash = transactionalID.utf16.reduce(Int32(0)) { $0 &* 31 &+ Int32($1) }
        return PartitionID(hash == .min ? 0 : Int(abs(hash)) % partitionCount)
    }

    package static func key(_ transactionalID: String) -> [UInt8] {
        var fields = TransactionFieldWriter()
        fields.put(keyVersion)
        fields.put(transactionalID)
        return fields.bytes
    }

    package static func value(_ metadata: TransactionMetadata) -> [UInt8] {
        var fields = TransactionFieldWriter()
        fields.put(valueVersion)
        fields.put(metadata.producer.id)
        fields.put(metadata.producer.epoch)
        fields.put(Int32(clamping: metadata.timeout.milliseconds))
        fields.put(metadata.state.rawValue)
        if metadata.state == .empty {
            fields.putVarint(0)
        } else {
            fields.putPartitions(metadata.partitions)
        }
        fields.put(metadata.lastUpdate.milliseconds)
        fields.put(metadata.start.milliseconds)
        let ids = [
            (Tag.previousProducerID, metadata.previousProducerID),
            (Tag.nextProducerID, metadata.nextProducerID),
        ].filter { $0.1 != -1 }
        fields.putVarint(ids.count + 1)
        for (tag, id) in ids {
            fields.putVarint(tag)
            fields.putVarint(8)
            fields.put(id)
        }
        fields.putVarint(Tag.clientTransactionVersion)
        fields.putVarint(2)
        fields.put(clientTransactionVersion)
        return fields.bytes
    }

    /// The transactional id of a key; nil for keys of other kinds, which are skipped as Kafka does.
    package static func transactionalID(key: [UInt8]) throws(MalformedBatch) -> String? {
        var fields = TransactionFieldReader(key)
        guard try fields.take(Int16.self) == keyVersion else { return nil }
        return try fields.takeString()
    }

    package static func metadata(_ value: [UInt8], of transactionalID: String)
        throws(MalformedBatch)
        -> TransactionMetadata
    {
        var fields = TransactionFieldReader(value)
        let version = try fields.take(Int16.self)
        guard (0...1).contains(version) else {
            throw .field("its version is \(version), not 0 or 1")
        }
        let producer = ProducerStamp(
            id: try fields.take(Int64.self), epoch: try fields.take(Int16.self))
        let timeout = Duration.milliseconds(try fields.take(Int32.self))
        let status = try fields.take(Int8.self)
        guard let state = TransactionState(rawValue: status) else {
            throw .field("its status is \(status)")
        }
        let partitions = try fields.takePartitions(isCompact: version == 1)
        var metadata = TransactionMetadata(
            transactionalID: transactionalID, producer: producer, timeout: timeout,
            lastUpdate: Timestamp(milliseconds: try fields.take(Int64.self)))
        metadata.state = state
        metadata.partitions = partitions
        metadata.start = Timestamp(milliseconds: try fields.take(Int64.self))
        guard version == 1 else { return metadata }
        for _ in 0..<(try fields.takeVarint()) {
            let tag = try fields.takeVarint()
            var field = TransactionFieldReader(Array(try fields.take(try fields.takeVarint())))
            switch tag {
            case Tag.previousProducerID: metadata.previousProducerID = try field.take(Int64.self)
            case Tag.nextProducerID: metadata.nextProducerID = try field.take(Int64.self)
            // Tags of later versions are made to be skipped.
            default: break
            }
        }
        return metadata
    }
}
