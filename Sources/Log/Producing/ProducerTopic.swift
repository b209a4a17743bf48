// What a producer knows of a topic that it writes to, and of each of its partitions: the open batch, the
// next number, and the settings that the batch was begun by. Used by one thread at a time.

/// A topic that a producer writes to.
final class ProducerTopic {
    private var topic: Topic
    private let batchBytes: Int
    private(set) var targets: [ProducerTarget?]
    // Allocated in init and replaced in `grow`, freed in deinit; the buffers use them only while they hold
    // the topic, and select it again when it has grown.
    private(set) var slots: UnsafeMutableBufferPointer<ProducerBuffers.Slot>
    /// The partition of records without keys.
    private(set) var sticky: Int?

    init(_ topic: Topic, _ batchBytes: Int) {
        self.topic = topic
        self.batchBytes = batchBytes
        targets = Array(repeating: nil, count: topic.partitionCount)
        slots = .allocate(capacity: topic.partitionCount)
        slots.initialize(repeating: ProducerBuffers.Slot())
    }

    deinit { slots.deallocate() }

    /// Takes in partitions that the topic was given; the others keep their batches and numbers.
    func grow(to topic: Topic) {
        let old = slots
        slots = .allocate(capacity: topic.partitionCount)
        slots.initialize(repeating: ProducerBuffers.Slot())
        guard let first = slots.baseAddress else { preconditionFailure("a topic has partitions") }
        for (index, slot) in old.enumerated() {
            slots[index] = slot
            targets[index]?.slot = first + index
        }
        old.deallocate()
        targets += Array(repeating: nil, count: topic.partitionCount - targets.count)
        self.topic = topic
    }

    func nextSticky() -> Int {
        let next = sticky.map { ($0 + 1) % topic.partitionCount }
        let chosen = next ?? .random(in: 0..<topic.partitionCount)
        sticky = chosen
        return chosen
    }

    /// Throws `noSuchTopic` for a partition that the topic does not have.
    func target(_ number: Int, _ log: CommitLog) throws -> ProducerTarget {
        if number < targets.count, let target = targets[number] { return target }
        let partition = try log.partition(TopicPartition(topic.name, PartitionID(number)))
        guard number < targets.count, partition.topicID == topic.id else {
            throw LogError(
                .noSuchTopic,
                "\(partition.name) is no partition of the topic '\(topic.name)' as it was when the "
                    + "producer was given it; ask the log for the topic again")
        }
        guard let first = slots.baseAddress else { preconditionFailure("a topic has partitions") }
        let target = ProducerTarget(partition, first + number, batchBytes: batchBytes)
        targets[number] = target
        return target
    }

    /// Gives back the memory of batches, which are all empty; sequences are kept.
    func dropBuilders() {
        for target in targets { target?.dropBuilder() }
    }
}

/// One partition that a producer writes to.
final class ProducerTarget {
    let partition: Partition
    private(set) var builder: BatchBuilder
    /// Bytes at which a batch is written.
    private(set) var bytesTarget: Int
    private let batchBytes: Int
    /// The topic's, when the open batch was begun.
    private(set) var settings: TopicSettings
    /// The number of the next record.
    var nextSequence: Int32 = 0
    /// When the batch got its first record; nil while it is empty.
    var openedAt: ContinuousClock.Instant?
    /// Whether it was written to since the last flush.
    var isTouched = false
    /// Bytes written since the disk has last begun with them.
    var unflushedBytes = 0
    /// Why the thread of a producer that lingers could not write the batch, until that is told or written.
    var failure: (any Error)?
    /// Bytes reserved for its batches.
    var heldBytes = 0

    /// In the memory of the topic, which holds the target.
    var slot: UnsafeMutablePointer<ProducerBuffers.Slot>

    init(
        _ partition: Partition, _ slot: UnsafeMutablePointer<ProducerBuffers.Slot>,
        batchBytes: Int
    ) {
        self.partition = partition
        self.slot = slot
        self.batchBytes = batchBytes
        settings = partition.settings
        bytesTarget = min(batchBytes, settings.builderBytesMax)
        builder = BatchBuilder(bytesMax: settings.builderBytesMax, bytesTarget: bytesTarget)
        slot.pointee.requiresKeys = settings.requiresKeys
    }

    /// Before the first record of a batch: it goes by what the topic's settings are now.
    func begin() {
        precondition(builder.isEmpty, "records would be lost")
        let known = settings.builderBytesMax
        settings = partition.settings
        slot.pointee.requiresKeys = settings.requiresKeys
        if settings.builderBytesMax != known { makeBuilder() }
    }

    /// The batch was written or given up. Gives the bytes of memory that are no longer reserved: those of a
    /// record that was larger than batches are.
    func clear() -> Int {
        openedAt = nil
        failure = nil
        slot.pointee.writer = nil
        builder.reset()
        guard builder.capacity > max(4 * bytesTarget, Limits.batchBytesTarget) else { return 0 }
        defer { dropBuilder() }
        return heldBytes
    }

    /// With more to come before the next flush: the disk need not wait for that.
    func startFlush(_ acks: Acks) throws {
        guard acks == .flushed, unflushedBytes >= Limits.startFlushBytes else { return }
        unflushedBytes = 0
        try partition.startFlush()
    }

    func dropBuilder() {
        precondition(builder.isEmpty, "records would be lost")
        makeBuilder()
        heldBytes = 0
    }

    private func makeBuilder() {
        bytesTarget = min(batchBytes, settings.builderBytesMax)
        builder = BatchBuilder(bytesMax: settings.builderBytesMax, bytesTarget: bytesTarget)
    }
}
