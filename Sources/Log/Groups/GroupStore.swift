// Groups in the log: what is read from `__consumer_offsets` and written to it, and what the coordinator
// asks of partitions. The only file of this folder, with GroupReader.swift, that knows how the log is
// written and read.

/// A group as the topic has it.
package struct StoredGroup: Sendable {
    package var metadata: GroupMetadata?
    package var offsets: [TopicPartition: CommittedOffset] = [:]

    package init() {}
}

enum GroupStore {
    /// One record: a nil value deletes the key.
    typealias Record = (key: OffsetsKey, value: [UInt8]?)

    // MARK: Reading

    /// All groups. Reads the topic from its start: its size is that of the groups, since it is compacted.
    /// Throws `corrupted`, or `newerFormat` for values of a later version: nothing is touched then.
    static func load(_ log: CommitLog) throws -> [String: StoredGroup] {
        guard let topic = try log.topicIfAny(OffsetsTopic.name) else { return [:] }
        var groups: [String: StoredGroup] = [:]
        for name in topic.partitions {
            let partition = try log.partition(name)
            try partition.refresh()
            // Offsets within a transaction that is not decided count when it is committed.
            let cursor = PartitionCursor(
                partition, from: partition.startOffset, isolation: .readDecided)
            while try cursor.hasRecord() {
                try cursor.withRecord { try apply($0, of: name, to: &groups) }
                cursor.take()
            }
        }
        return groups.filter { $0.value.metadata != nil || !$0.value.offsets.isEmpty }
    }

    private static func apply(
        _ record: borrowing RecordView, of partition: TopicPartition,
        to groups: inout [String: StoredGroup]
    ) throws {
        let keyBytes = record.withKey { $0.map { Array($0) } }
        let value = record.withValue { $0.map { Array($0) } }
        let offset = record.offset
        do throws(MalformedSchema) {
            // Records without a key, or of a later kind, are none of ours.
            guard let keyBytes, let key = try OffsetsKey.decode(keyBytes) else { return }
            var group = groups[key.group] ?? StoredGroup()
            switch key {
            case .group:
                group.metadata = nil
                if let value { group.metadata = try GroupMetadata(decoding: value) }
            case .offset(_, let partition):
                group.offsets[partition] = nil
                if let value { group.offsets[partition] = try CommittedOffset(decoding: value) }
            }
            groups[key.group] = group
        } catch {
            throw LogError(
                error.isNewer ? .newerFormat : .corrupted,
                "the record at offset \(offset) of \(partition) is no record of a consumer group: "
                    + "\(error)")
        }
    }

    // MARK: Writing

    /// Appends the records of one group as one batch: all of them or none. When it returns they are
    /// written; flushing the partition that it gives makes them survive a power loss.
    static func append(_ records: [Record], of group: String, to log: CommitLog) throws -> Partition
    {
        var settings = TopicSettings()
        settings.cleanupPolicy = .compact
        // A batch holds all that a group commits at once, or that a deleted topic leaves.
        settings.batchBytesMax = Limits.batchBytesMaxMax
        let topic =
            try log.topicIfAny(OffsetsTopic.name)
            ?? log.createTopic(
                OffsetsTopic.name, partitions: Limits.offsetsTopicPartitions, isInternal: true,
                settings: settings)
        let number = OffsetsTopic.partition(of: group, partitionCount: topic.partitionCount)
        let partition = try log.partition(TopicPartition(topic.name, number))
        let batch = BatchBuilder(bytesMax: topic.settings.builderBytesMax)
        let timestamp = Timestamp.now()
        for record in records {
            try record.key.encoded.withUnsafeBytes { key in
                try record.value.withOptionalBytes { value in
                    try batch.append(key: key, value: value, timestamp: timestamp)
                }
            }
        }
        // The bytes belong to the builder, which may go after its last use.
        try withExtendedLifetime(batch) { _ = try partition.append(batch.seal()) }
        return partition
    }

    /// Flushes what lies below positions that are about to be committed: after a power loss no position
    /// may be ahead of its partition. Topics that are gone have nothing to flush.
    static func flushInputs(_ offsets: [TopicPartition: CommittedOffset], in log: CommitLog) throws
    {
        for (name, committed) in offsets {
            guard let partition = try partitionIfAny(name, in: log),
                partition.flushedOffset < committed.offset
            else { continue }
            try partition.flush()
        }
    }

    // MARK: Positions

    /// Nil for a topic or partition that is not there.
    static func partitionIfAny(_ name: TopicPartition, in log: CommitLog) throws -> Partition? {
        guard let topic = try log.topicIfAny(name.topic),
            name.partition.rawValue < topic.partitionCount
        else { return nil }
        let partition = try log.partition(name)
        try partition.refresh()
        return partition
    }

    /// The offset of the first record at or after `time`, the end where there is none.
    static func offset(atOrAfter time: Timestamp, in partition: Partition) throws -> Offset {
        try partition.offset(atOrAfter: time) ?? partition.logEndOffset
    }
}

extension CommitLog {
    /// Nil for a topic that is not there.
    func topicIfAny(_ name: String) throws -> Topic? {
        do {
            return try topic(name)
        } catch let error as LogError where error.code == .noSuchTopic {
            return nil
        }
    }
}
