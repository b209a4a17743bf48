// The unfinished batches of a producer: one per partition that it writes to. Used by one thread at a
// time.

/// What a producer has been given and has not written yet.
final class ProducerBuffers {
    private let log: CommitLog
    private let settings: ProducerSettings
    private var topics: [TopicID: ProducerTopic] = [:]
    private var touched: [ProducerTarget] = []
    private(set) var writtenCount = 0
    private(set) var droppedCount = 0
    /// Taken from the log with the first batch.
    private var stamp: ProducerStamp?
    /// Bytes of memory reserved for the builders' batches.
    private var heldBytes = 0

    /// Where the next record goes, most often. Made in init, freed in deinit; its users hold the buffers.
    let open: UnsafeMutablePointer<OpenBatch>
    /// By the producer's own thread: then every record takes the lock, and `open` stays empty.
    private let isShared: Bool

    /// The topic of the last record and its open batches: what the next record needs, most often, reached
    /// through plain pointers without a reference count.
    private var lastTopic = TopicID(high: 0, low: 0)
    private var lastSlots = UnsafeMutableBufferPointer<Slot>(start: nil, count: 0)
    /// Whether every record of it goes to partition 0, whatever its key.
    private var lastIsSingle = false

    /// A partition's place for the records to come.
    struct Slot {
        /// The writer of the open batch; nil while there is none.
        var writer: BatchWriter?
        /// The topic is compacted.
        var requiresKeys = false
    }

    /// What the thread of a producer that lingers has met for good, to be told to the next caller. What it
    /// could not write and tries again is noted with its batch.
    private var untold = CollectedFailures()
    /// Whether there is either.
    private var hasUntold = false
    /// Whether a batch was begun since this was last asked: then that thread has a new time to wait for.
    private var hasBegunBatch = false

    init(_ log: CommitLog, _ settings: ProducerSettings) {
        self.log = log
        self.settings = settings
        isShared = settings.linger != nil
        open = .allocate(capacity: 1)
        open.initialize(to: OpenBatch())
    }

    deinit {
        open.deinitialize(count: 1)
        open.deallocate()
    }

    func send(
        _ value: UnsafeRawBufferPointer?, _ key: UnsafeRawBufferPointer?, _ topic: Topic,
        _ partition: PartitionID?, _ timestamp: Timestamp?, _ headers: [Header]
    ) throws {
        // There are no slots yet, or the topic was given more partitions.
        if lastTopic != topic.id || lastSlots.count < topic.partitionCount { selectTopic(topic) }
        let (number, isFree) =
            lastIsSingle && partition == nil
            ? (0, key == nil) : choosePartition(key, topic, partition)
        if headers.isEmpty, number < lastSlots.count, let writer = lastSlots[number].writer,
            key != nil || !lastSlots[number].requiresKeys,
            writer.appendShort(key: key, value: value, timestamp: timestamp ?? .now())
        {
            if lastIsSingle, !isShared, !lastSlots[number].requiresKeys {
                open.pointee = OpenBatch(topic, writer)
            }
            return
        }
        try sendSlowly(value, key, topic, number, isFree, timestamp, headers)
    }

    /// Begins a batch, writes a full one, or takes headers along.
    @inline(never)
    private func sendSlowly(
        _ value: UnsafeRawBufferPointer?, _ key: UnsafeRawBufferPointer?, _ topic: Topic,
        _ number: Int, _ isFree: Bool, _ timestamp: Timestamp?, _ headers: [Header]
    ) throws {
        guard let state = topics[topic.id] else { preconditionFailure("no topic was selected") }
        var number = number
        var target = try state.target(number, log)
        let size =
            (key?.count ?? 0) + (value?.count ?? 0) + headers.reduce(0) { $0 + $1.byteCount }
        if !target.builder.isEmpty,
            target.builder.byteCount + size + Limits.recordOverheadMax > target.bytesTarget
        {
            try write(target)
            try target.startFlush(settings.acks)
            if isFree, state.sticky == number {
                // The next batch of records that may go anywhere goes elsewhere.
                number = state.nextSticky()
                target = try state.target(number, log)
                if !target.builder.isEmpty { try write(target) }
            }
        }
        if target.builder.isEmpty {
            target.begin()
            try makeRoom(for: target, size + Limits.recordOverheadMax)
        }
        guard key != nil || !target.settings.requiresKeys else {
            throw LogError.keyMissing(in: topic.name)
        }
        do {
            try target.builder.append(
                key: key, value: value, timestamp: timestamp ?? .now(), headers: headers)
        } catch let error as LogError { throw BatchBuilder.refusal(of: error, by: topic.name) }
        guard target.openedAt == nil else { return }
        target.openedAt = .now
        hasBegunBatch = true
        target.slot.pointee.writer = target.builder.writer
    }

    func takeHasBegunBatch() -> Bool {
        defer { hasBegunBatch = false }
        return hasBegunBatch
    }

    /// Notes what the next call is to throw.
    func tell(_ failure: any Error) {
        untold.add(failure)
        hasUntold = true
    }

    /// Throws what the thread of a producer that lingers has met since the last call, once.
    func throwUntold() throws {
        guard hasUntold else { return }
        try takeUntold().throwIfAny()
    }

    private func takeUntold() -> CollectedFailures {
        var failures = untold
        untold = CollectedFailures()
        hasUntold = false
        for state in topics.values {
            for target in state.targets {
                guard let target, let failure = target.failure else { continue }
                failures.add(failure)
                target.failure = nil
            }
        }
        return failures
    }

    /// A partition, and whether the record may go to any other as well. A user's partitioner is asked once:
    /// it may count.
    private func choosePartition(
        _ key: UnsafeRawBufferPointer?, _ topic: Topic, _ given: PartitionID?
    ) -> (Int, isFree: Bool) {
        if let given { return (Int(given.rawValue), false) }
        if let choose = settings.partitioner.choose {
            if let chosen = choose(key, topic) { return (Int(chosen.rawValue), false) }
        } else if let key {
            return (Int(Partitioner.partition(forKey: key, of: lastSlots.count).rawValue), false)
        }
        guard let state = topics[topic.id] else { preconditionFailure("no topic was selected") }
        return (state.sticky ?? state.nextSticky(), true)
    }

    private func selectTopic(_ topic: Topic) {
        let state = topics[topic.id] ?? ProducerTopic(topic, settings.batchBytes)
        topics[topic.id] = state
        open.pointee = OpenBatch()
        if state.targets.count < topic.partitionCount { state.grow(to: topic) }
        lastTopic = topic.id
        lastSlots = state.slots
        lastIsSingle = lastSlots.count == 1 && settings.partitioner.choose == nil
    }

    // MARK: Memory

    /// Reserves the memory of a batch that begins with a record of `byteCount`. Where the buffers are used
    /// up, writes out every batch first and gives their memory back; a record that is larger than all of
    /// them goes alone then.
    private func makeRoom(for target: ProducerTarget, _ byteCount: Int) throws {
        // What its topic will refuse reserves nothing.
        let record = byteCount > target.settings.builderBytesMax ? 0 : byteCount
        var wanted = max(settings.batchBytes, target.builder.capacity, record)
        if heldBytes - target.heldBytes + wanted > settings.bufferBytes {
            try writeAll()
            for state in topics.values { state.dropBuilders() }
            heldBytes = 0
            wanted = max(settings.batchBytes, record)
        }
        heldBytes += wanted - target.heldBytes
        target.heldBytes = wanted
    }

    // MARK: Writing

    /// A producer's `flush`.
    func flush() throws {
        // What is still in its batch is tried again here, and only told if that fails.
        for state in topics.values { for target in state.targets { target?.failure = nil } }
        var failures = takeUntold()
        write(&failures)
        // What could be written is flushed in any case.
        flushTouched(&failures)
        try failures.throwIfAny()
    }

    /// Throws what writing throws, when all has been tried: one topic is not in another's way. The batches
    /// that are not written stay, but for those that never can be.
    private func writeAll() throws {
        var failures = CollectedFailures()
        write(&failures)
        try failures.throwIfAny()
    }

    private func write(_ failures: inout CollectedFailures) {
        for state in topics.values {
            for target in state.targets {
                guard let target, !target.builder.isEmpty else { continue }
                failures.collect { try write(target) }
            }
        }
    }

    /// Writes what was begun before `time`, for the thread of a producer that lingers. Gives when the
    /// oldest of the others was begun, and whether something is to be tried again; what failed is noted
    /// for the next caller.
    func writeBegun(before time: ContinuousClock.Instant) -> (
        oldest: ContinuousClock.Instant?, isIncomplete: Bool
    ) {
        var oldest: ContinuousClock.Instant?
        var isIncomplete = false
        for state in topics.values {
            for target in state.targets {
                guard let target, let opened = target.openedAt else { continue }
                guard opened <= time else {
                    oldest = min(oldest ?? opened, opened)
                    continue
                }
                do {
                    try write(target)
                } catch {
                    guard !target.builder.isEmpty else {
                        tell(error)
                        continue
                    }
                    target.failure = error
                    hasUntold = true
                    isIncomplete = true
                }
            }
        }
        return (oldest, isIncomplete)
    }

    /// Where it throws the batch is as it was, to be written again; one that never can be is given up.
    private func write(_ target: ProducerTarget) throws {
        // Of a shared producer it is empty, and read beside this.
        if !isShared { open.pointee = OpenBatch() }
        let builder = target.builder
        let count = builder.recordCount
        do {
            let batch = builder.seal(
                for: target.settings, producer: try producerStamp(),
                baseSequence: settings.isIdempotent ? target.nextSequence : -1,
                compression: settings.compression.codec, level: settings.compressionLevel)
            try target.partition.append(batch)
            target.unflushedBytes += batch.count
            writtenCount += count
            // Behind the highest number comes 0, as in Kafka.
            target.nextSequence = (target.nextSequence &+ Int32(count)) & .max
            if settings.acks == .flushed, !target.isTouched {
                target.isTouched = true
                touched.append(target)
            }
        } catch {
            let isRefused = target.partition.isDeleted || (error as? LogError)?.isRefusal ?? false
            guard settings.acks == .none || isRefused else { throw error }
            droppedCount += count
            heldBytes -= target.clear()
            guard settings.acks == .none else { throw dropped(count, of: target, error) }
            return
        }
        heldBytes -= target.clear()
    }

    private func dropped(_ count: Int, of target: ProducerTarget, _ error: any Error) -> any Error {
        guard let error = error as? LogError else { return error }
        let records = count == 1 ? "a record" : "\(count) records"
        return LogError(
            error.code,
            "\(records) for \(target.partition.name), sent before, could not be written and "
                + "\(count == 1 ? "is" : "are") dropped: \(error.message)")
    }

    private func producerStamp() throws -> ProducerStamp? {
        guard settings.isIdempotent else { return nil }
        if let stamp { return stamp }
        let new = ProducerStamp(id: try log.takeProducerIDs(1), epoch: 0)
        stamp = new
        return new
    }

    /// Flushes the partitions written to since the last call; tries all of them.
    private func flushTouched(_ failures: inout CollectedFailures) {
        touched.removeAll { target in
            do {
                try target.partition.flush()
                target.isTouched = false
                target.unflushedBytes = 0
            } catch {
                failures.add(error)
                // Of a topic that was deleted nothing will ever be flushed: that is told once.
                target.isTouched = !target.partition.isDeleted
            }
            return !target.isTouched
        }
    }
}
