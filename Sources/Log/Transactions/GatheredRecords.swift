// Records of one transaction that are held in memory until they are written, as batches by partition.
// Belongs to one thread at a time.

struct GatheredRecords {
    private let settings: TransactionalProducerSettings
    /// In order; the last batch of a partition takes more.
    private var batches: [TopicPartition: [BatchBuilder]] = [:]
    private var topics: [String: Topic] = [:]
    /// Null keys of a transaction stay on one partition of each topic (KIP-480).
    private var sticky: [String: PartitionID] = [:]
    private(set) var recordCount = 0
    /// Bytes of closed batches and of those that still take records.
    private(set) var byteCount = 0

    init(_ settings: TransactionalProducerSettings) { self.settings = settings }

    var isEmpty: Bool { recordCount == 0 }
    var partitions: Set<TopicPartition> { Set(batches.keys) }

    /// Throws `noSuchTopic`, `recordTooLarge`, `invalidRecord` where a key is missing, and
    /// `invalidArgument` for an internal topic; nothing is added then.
    mutating func add(
        _ value: [UInt8]?, key: [UInt8]?, to topicName: String, of log: CommitLog,
        partition given: PartitionID?, timestamp: Timestamp?, headers: [Header]
    ) throws {
        let topic = try topic(topicName, of: log)
        guard key != nil || !topic.settings.requiresKeys else {
            throw LogError.keyMissing(in: topic.name)
        }
        let number = given ?? partition(of: topic, key: key)
        let name = TopicPartition(topic.name, number)
        // Throws for what the topic does not have.
        if number.rawValue >= topic.partitionCount { _ = try log.partition(name) }
        let batch = batch(
            for: (key?.count ?? 0) + (value?.count ?? 0), headers, in: name, topic.settings)
        let before = batch.isEmpty ? 0 : batch.byteCount
        try key.withOptionalBytes { key in
            try value.withOptionalBytes { value in
                do {
                    try batch.append(
                        key: key, value: value, timestamp: timestamp ?? .now(), headers: headers)
                } catch let error as LogError {
                    throw BatchBuilder.refusal(of: error, by: topic.name)
                }
            }
        }
        if before == 0 { batches[name, default: []].append(batch) }
        byteCount += batch.byteCount - before
        recordCount += 1
    }

    private mutating func topic(_ name: String, of log: CommitLog) throws -> Topic {
        if let topic = topics[name] { return topic }
        let topic = try log.topic(name)
        guard !topic.isInternal else {
            throw LogError(
                .invalidArgument,
                "the topic '\(name)' is the log's own and takes no records of others; choose another"
            )
        }
        topics[name] = topic
        return topic
    }

    private mutating func partition(of topic: Topic, key: [UInt8]?) -> PartitionID {
        let chosen = key.withOptionalBytes { key in
            if let choose = settings.partitioner.choose { return choose(key, topic) }
            return key.map { Partitioner.partition(forKey: $0, of: topic.partitionCount) }
        }
        if let chosen { return chosen }
        if let partition = sticky[topic.name] { return partition }
        let partition = PartitionID(.random(in: 0..<topic.partitionCount))
        sticky[topic.name] = partition
        return partition
    }

    /// The partition's last batch if it has room, or a new one.
    private func batch(
        for bytes: Int, _ headers: [Header], in name: TopicPartition, _ topic: TopicSettings
    ) -> BatchBuilder {
        let bytesTarget = min(settings.batchBytes, topic.builderBytesMax)
        let size = headers.reduce(bytes + Limits.recordOverheadMax) { $0 + $1.byteCount }
        if let last = batches[name]?.last, last.byteCount + size <= bytesTarget { return last }
        return BatchBuilder(
            capacity: min(bytesTarget, Self.batchCapacity), bytesMax: topic.builderBytesMax)
    }

    /// Bytes of memory that a batch begins with: a unit of work has often a few records for each topic.
    private static let batchCapacity = 4096

    /// Appends all batches. Where this throws some are written and the transaction must be aborted.
    func write(to log: CommitLog, as producer: ProducerStamp) throws {
        for (name, batches) in batches {
            let partition = try log.partition(name)
            for batch in batches {
                // The bytes belong to the builder, which may go after its last use.
                try withExtendedLifetime(batch) {
                    _ = try partition.append(
                        batch.seal(
                            for: partition.settings, producer: producer, isTransactional: true,
                            compression: settings.compression.codec,
                            level: settings.compressionLevel))
                }
            }
        }
    }

    /// Forgets the records; topics and partitions chosen stay.
    mutating func removeAll() {
        batches = [:]
        recordCount = 0
        byteCount = 0
    }
}
