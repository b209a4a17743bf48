/// What a producer's `flush` waits for.
public enum Acks: Sendable {
    /// In the page cache: survives the process.
    case written
    /// On the disk: survives a power loss.
    case flushed
}

/// Writes records to topics in batches. Belongs to one thread. Records are readable when `flush` has
/// returned, at the latest.
public final class Producer {
    private let log: CommitLog
    private let acks: Acks
    private var batches: [TopicPartition: BatchBuilder] = [:]
    private var touched: Set<TopicPartition> = []
    /// Records that are in the log; those in batches that are not full yet are not.
    public private(set) var writtenCount = 0
    /// Null keys stay on one partition, at first any, until its batch is full (KIP-480).
    private var stickyPartition: [String: Int] = [:]

    public init(_ log: CommitLog, acks: Acks = .flushed) {
        self.log = log
        self.acks = acks
    }

    /// Adds a record to the batch of its partition, which the key's hash chooses; a full batch is
    /// written. Throws `recordTooLarge`, and what writing throws.
    public func send(
        _ value: [UInt8]?, key: [UInt8]?, to topic: Topic, timestamp: Timestamp? = nil,
        headers: [Header] = []
    ) throws {
        let partition: PartitionID
        if let key {
            partition = key.withUnsafeBytes {
                Partitioner.partition(forKey: $0, of: topic.partitionCount)
            }
        } else {
            let sticky = stickyPartition[topic.name] ?? .random(in: 0..<topic.partitionCount)
            stickyPartition[topic.name] = sticky
            partition = PartitionID(sticky % topic.partitionCount)
        }
        let name = TopicPartition(topic.name, partition)
        let batch = batches[name] ?? BatchBuilder()
        batches[name] = batch
        if !batch.hasRoom(for: (key?.count ?? 0) + (value?.count ?? 0), headers: headers) {
            try write(batch, to: name)
            if key == nil { stickyPartition[topic.name, default: 0] += 1 }
        }
        let timestamp = timestamp ?? .now()
        try key.withOptionalBytes { key in
            try value.withOptionalBytes { value in
                try batch.append(key: key, value: value, timestamp: timestamp, headers: headers)
            }
        }
    }

    /// When it returns, all that was sent is in the log and, with `Acks.flushed`, on the disk.
    public func flush() throws {
        for (name, batch) in batches where !batch.isEmpty { try write(batch, to: name) }
        guard acks == .flushed else { return }
        for name in touched { try log.partition(name).flush() }
        touched.removeAll()
    }

    private func write(_ batch: BatchBuilder, to name: TopicPartition) throws {
        try log.partition(name).append(batch.seal())
        writtenCount += batch.recordCount
        touched.insert(name)
        batch.reset()
    }
}

extension Optional<[UInt8]> {
    func withOptionalBytes<R>(_ body: (UnsafeRawBufferPointer?) throws -> R) rethrows -> R {
        guard let bytes = self else { return try body(nil) }
        return try bytes.withUnsafeBytes { try body($0) }
    }
}
