// The topic `__transaction_state`: the last record of a transactional id is its state. Reading gives what
// is there; writing is the coordinator's.

package enum TransactionTopic {
    package static let name = "__transaction_state"

    /// Makes the topic if it is missing.
    package static func create(in log: CommitLog) throws -> Topic {
        if let topic = try existing(in: log) { return topic }
        var settings = TopicSettings()
        settings.cleanupPolicy = .compact
        do {
            return try log.createTopic(
                name, partitions: Limits.transactionTopicPartitions, isInternal: true,
                settings: settings)
        } catch let error as LogError where error.code == .topicExists {
            // Another thread's first producer was faster.
            return try log.topic(name)
        }
    }

    package static func existing(in log: CommitLog) throws -> Topic? {
        do {
            return try log.topic(name)
        } catch let error as LogError where error.code == .noSuchTopic {
            return nil
        }
    }

    /// The last state of every transactional id. Throws `corrupted` for a record that is none,
    /// `newerFormat` for one of a later version.
    package static func load(_ topic: Topic, in log: CommitLog) throws
        -> [String: TransactionMetadata]
    {
        var states: [String: TransactionMetadata] = [:]
        for name in topic.partitions {
            let partition = try log.partition(name)
            let cursor = PartitionCursor(
                partition, from: partition.startOffset, isolation: .readUncommitted)
            while try cursor.hasRecord() {
                try cursor.withRecord { record in try take(record, from: name, into: &states) }
                cursor.take()
            }
        }
        return states
    }

    private static func take(
        _ record: borrowing RecordView, from partition: TopicPartition,
        into states: inout [String: TransactionMetadata]
    ) throws {
        let key = record.withKey { $0.map { Array($0) } ?? [] }
        let value = record.withValue { $0.map { Array($0) } }
        let offset = record.offset
        do throws(MalformedSchema) {
            guard let id = try TransactionRecords.transactionalID(key: key) else { return }
            states[id] = nil
            if let value { states[id] = try TransactionRecords.metadata(value, of: id) }
        } catch {
            throw LogError(
                error.isNewer ? .newerFormat : .corrupted,
                "\(partition) holds no transaction's state at offset \(offset): \(error)"
                    + (error.isNewer ? "" : "; put the partition back from a copy"))
        }
    }

    /// Appends the state. Nothing is changed where it throws `noSpace`, `readOnly` or `recordTooLarge`.
    package static func append(_ metadata: TransactionMetadata, to partition: Partition) throws {
        let batch = BatchBuilder(capacity: 512)
        let key = TransactionRecords.key(metadata.transactionalID)
        let value = TransactionRecords.value(metadata)
        try key.withUnsafeBytes { key in
            try value.withUnsafeBytes { value in
                try batch.append(key: key, value: value, timestamp: metadata.lastUpdate)
            }
        }
        // The bytes belong to the builder, which may go after its last use.
        try withExtendedLifetime(batch) { _ = try partition.append(batch.seal()) }
    }
}
