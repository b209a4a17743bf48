// Decides the transactions of plain producers, those with a transactional id (Kafka:
// TransactionCoordinator). The order of a commit:
//
//   0  the partitions are noted as Ongoing before a record of the transaction is in them
//   1  flush the partitions
//   2  append PrepareCommit and flush it    ← the decision
//   3  append the markers: readers see the records
//   4  flush the partitions, append CompleteCommit
//
// A crash up to 2 leaves it open, to be aborted by its timeout or the id's next producer; from then on
// recovery does 3 and 4 again. The Ongoing record is not flushed: where a power loss takes it, the
// partitions themselves say what is open in them. Only transactions of producers in this topic are ever
// ended here; jobs' are decided by their state.

import Synchronization

/// A step that the coordinator is about to take, for tests that end the process there.
package enum TransactionStep: Sendable {
    case state(TransactionState)
    case marker(TopicPartition)
    case flush(TopicPartition)
}

/// Any thread may call. Calls about different transactional ids run side by side, so that their flushes
/// are shared; those about the same one wait for each other. Belongs to its log and must not outlive it.
package final class TransactionCoordinator: Sendable {
    // The log keeps the coordinator; a reference back would keep a dropped log's lock for ever.
    unowned let log: CommitLog
    let now: @Sendable () -> ContinuousClock.Instant
    private let willTake: @Sendable (TransactionStep) throws -> Void
    private let entries = Mutex<[String: Entry]>([:])
    private let jobResolver = Mutex<(any TransactionResolver)?>(nil)

    /// A transactional id. Its lock is held during I/O and taken before any lock of the log.
    final class Entry: Sendable {
        struct State {
            var metadata: TransactionMetadata
            /// When an Ongoing transaction is aborted.
            var deadline: ContinuousClock.Instant?
            /// What is on the disk is unknown until the log is opened again.
            var failure: LogError?
        }

        let state: Mutex<State>

        init(_ metadata: TransactionMetadata, deadline: ContinuousClock.Instant? = nil) {
            state = Mutex(State(metadata: metadata, deadline: deadline))
        }
    }

    /// Reads the states and ends what was decided before the log was closed or its process ended. Doing
    /// it twice, or a crash in its midst, changes nothing. `log` must be an owner's.
    package init(
        _ log: CommitLog,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        willTake: @escaping @Sendable (TransactionStep) throws -> Void = { _ in }
    ) throws {
        self.log = log
        self.now = now
        self.willTake = willTake
        let recovered = try recover()
        entries.withLock { $0 = recovered }
    }

    /// Who says what has become of jobs' transactions; nil: nobody.
    package var resolver: (any TransactionResolver)? {
        get { jobResolver.withLock { $0 } }
        set { jobResolver.withLock { $0 = newValue } }
    }

    // MARK: Producers

    /// Gives the transactional id to a new producer: ends what the one before has left open, and fences
    /// it with a higher epoch. When it returns the stamp survives a power loss.
    package func initProducer(_ transactionalID: String, timeout: Duration) throws -> ProducerStamp
    {
        try require(transactionalID, timeout)
        expire()
        let entry = try entry(making: transactionalID, timeout: timeout)
        return try entry.state.withLock { state in
            try end(&state)
            var next = state.metadata
            var stamp = next.producer.next
            if next.isExhausted || next.producer.epoch < 0 || isKnown(stamp) {
                stamp = ProducerStamp(id: try log.takeProducerIDs(1), epoch: 0)
            }
            next.handOver(to: stamp, timeout: timeout, at: .now())
            try write(next, flushed: true, &state)
            return stamp
        }
    }

    /// Notes that the producer is about to write to `partitions`; its first call begins a transaction.
    /// Gives the stamp to write with: another one only where epochs have run out and the markers of the
    /// transaction before were late. Throws `producerFenced` for a stamp that is not the current one.
    package func addPartitions(
        _ partitions: Set<TopicPartition>, to transactionalID: String, _ producer: ProducerStamp
    ) throws -> ProducerStamp {
        try entry(transactionalID).state.withLock { state in
            try requireCurrent(producer, state)
            try finish(&state)
            let isOngoing = state.metadata.state == .ongoing
            let isNoted = isOngoing && partitions.isSubset(of: state.metadata.partitions)
            if isNoted { return producer }
            var next = state.metadata
            next.add(partitions, at: .now())
            try write(next, flushed: false, &state)
            if !isOngoing { state.deadline = now() + next.timeout }
            return next.producer
        }
    }

    /// Ends the producer's transaction and gives the stamp of its next one. When it returns the decision
    /// survives a power loss, and unless writing the markers failed (they are written later then, see
    /// `expire`) readers see it. The same call again gives the same stamp.
    ///
    /// Throws `producerFenced`, `invalidTransactionState` where it was ended otherwise, and
    /// `outcomeUnknown` where it is found out when the log is opened again. After other errors the
    /// transaction is open as before.
    package func end(
        _ transactionalID: String, _ producer: ProducerStamp, with marker: TransactionMarker
    ) throws -> ProducerStamp {
        try entry(transactionalID).state.withLock { state in
            if state.metadata.wasEnded(by: producer) {
                guard state.metadata.state.marker == marker else {
                    throw LogError(
                        .invalidTransactionState,
                        "the transaction of '\(transactionalID)' cannot be ended with \(marker): it "
                            + "was ended otherwise (\(state.metadata.state))")
                }
                return state.metadata.producer
            }
            try requireCurrent(producer, state)
            guard state.metadata.state == .ongoing else { return producer }
            try decide(marker, &state)
            return state.metadata.producer
        }
    }

    /// Aborts the transactions that are over their timeout, and tries again to write the markers of those
    /// that are decided. What another thread is working on is left for the next call. Whoever keeps the
    /// log calls it now and then.
    package func expire() {
        let time = now()
        for entry in entries.withLock({ Array($0.values) }) {
            entry.state.withLockIfAvailable { state in
                let isDue = state.deadline.map { $0 <= time } ?? false
                guard state.failure == nil, isDue || state.metadata.state.isPrepared else { return }
                // What fails now is open as before, and due at the next call.
                _ = Result { try end(&state) }
            }
        }
    }

    // MARK: Operators

    /// The states of all transactional ids.
    package var states: [TransactionMetadata] {
        entries.withLock { Array($0.values) }.map { $0.state.withLock { $0.metadata } }
    }

    /// Aborts the open transaction of a transactional id; its stamp is over then. Throws
    /// `noSuchTransaction`, or `invalidTransactionState` where it is decided or none is open.
    package func abort(_ transactionalID: String) throws {
        try entry(transactionalID).state.withLock { state in
            guard state.metadata.state == .ongoing else {
                throw LogError(
                    .invalidTransactionState,
                    "'\(transactionalID)' has no transaction open; its state is "
                        + "\(state.metadata.state)")
            }
            try decide(.abort, &state)
            try finish(&state)
        }
    }

    // MARK: Steps

    /// Ends what is open: finishes what is decided, aborts the rest.
    func end(_ state: inout Entry.State) throws {
        try requireUsable(state)
        if state.metadata.state == .ongoing { try decide(.abort, &state) }
        try finish(&state)
    }

    /// Steps 1 and 2, and 3 and 4 as far as they succeed.
    private func decide(_ marker: TransactionMarker, _ state: inout Entry.State) throws {
        try requireUsable(state)
        var next = state.metadata
        if marker == .commit {
            for partition in try existing(next.partitions) { try flush(partition) }
        }
        let nextID = next.isExhausted ? try log.takeProducerIDs(1) : nil
        next.prepare(marker, nextProducerID: nextID, at: .now())
        try write(next, flushed: true, &state)
        state.deadline = nil
        // Decided, whatever happens to the markers: until they are written the state says so.
        _ = Result { try finish(&state) }
    }

    /// Steps 3 and 4 of a transaction that is decided; nothing otherwise.
    func finish(_ state: inout Entry.State) throws {
        try requireUsable(state)
        guard let marker = state.metadata.state.marker, state.metadata.state.isPrepared else {
            return
        }
        let producer = state.metadata.producer
        let partitions = try existing(state.metadata.partitions)
        for partition in partitions {
            // Also where nothing is open: a late write of the transaction must find its epoch over.
            guard partition.epoch(of: producer.id) ?? -1 < producer.epoch else { continue }
            try willTake(.marker(partition.name))
            let batch = BatchBuilder.sealMarker(marker, of: producer)
            // The bytes belong to the builder, which may go after its last use.
            try withExtendedLifetime(batch) { _ = try partition.append(batch.sealed) }
        }
        for partition in partitions { try flush(partition) }
        var next = state.metadata
        next.complete(at: .now())
        try write(next, flushed: false, &state)
    }

    private func flush(_ partition: Partition) throws {
        try willTake(.flush(partition.name))
        try partition.flush()
    }

    /// Writes a state and takes it over. Where it cannot be known whether it is on the disk, the
    /// transactional id refuses everything from then on.
    private func write(
        _ next: TransactionMetadata, flushed: Bool, _ state: inout Entry.State
    ) throws {
        try willTake(.state(next.state))
        let partition = try statePartition(of: next.transactionalID)
        do {
            try TransactionTopic.append(next, to: partition)
        } catch let error as LogError where Self.changesNothing(error.code) {
            throw error
        } catch {
            throw unknown(next, error, &state)
        }
        if flushed {
            do { try flush(partition) } catch { throw unknown(next, error, &state) }
        }
        state.metadata = next
    }

    private static func changesNothing(_ code: LogError.Code) -> Bool {
        code == .noSpace || code == .readOnly || code == .recordTooLarge
    }

    private func unknown(
        _ next: TransactionMetadata, _ cause: any Error, _ state: inout Entry.State
    ) -> LogError {
        let failure = LogError(
            .outcomeUnknown,
            "whether the transaction of '\(next.transactionalID)' has become \(next.state) is not known "
                + "(\(cause)); open the log again: that decides it")
        state.failure = failure
        return failure
    }

    /// Whether a partition knows the stamp's epoch or a later one: the states were put back from an older
    /// copy, and what is written with the stamp would be refused, or taken for what it is not.
    private func isKnown(_ stamp: ProducerStamp) -> Bool {
        let partitions = log.contents.withLock { Array($0.partitions.values) }
        return partitions.contains { $0.epoch(of: stamp.id) ?? -1 >= stamp.epoch }
    }

    // MARK: Looking up

    private func entry(_ transactionalID: String) throws -> Entry {
        guard let entry = entries.withLock({ $0[transactionalID] }) else {
            throw log.noSuchTransaction(of: transactionalID)
        }
        return entry
    }

    private func entry(making transactionalID: String, timeout: Duration) throws -> Entry {
        _ = try TransactionTopic.create(in: log)
        return entries.withLock { entries in
            if let entry = entries[transactionalID] { return entry }
            // Epoch -1: no producer id is taken yet.
            let entry = Entry(
                TransactionMetadata(
                    transactionalID: transactionalID, producer: ProducerStamp(id: -1, epoch: -1),
                    timeout: timeout, lastUpdate: .now()))
            entries[transactionalID] = entry
            return entry
        }
    }

    private func statePartition(of transactionalID: String) throws -> Partition {
        let topic = try log.topic(TransactionTopic.name)
        let partition = TransactionRecords.partition(
            of: transactionalID, partitionCount: topic.partitionCount)
        return try log.partition(TopicPartition(topic.name, partition))
    }

    /// In order; without those whose topic was deleted.
    private func existing(_ partitions: Set<TopicPartition>) throws -> [Partition] {
        try partitions.sorted { $0.description < $1.description }.compactMap { name in
            do {
                return try log.partition(name)
            } catch let error as LogError where error.code == .noSuchTopic {
                return nil
            }
        }
    }

    private func requireCurrent(_ producer: ProducerStamp, _ state: borrowing Entry.State) throws {
        try requireUsable(state)
        guard producer == state.metadata.producer else {
            throw LogError(
                .producerFenced,
                "\(producer) is no longer the producer of '\(state.metadata.transactionalID)', which is "
                    + "\(state.metadata.producer): another one has begun, or its transaction was over "
                    + "its timeout and is aborted; begin a new producer")
        }
    }

    private func requireUsable(_ state: borrowing Entry.State) throws {
        if let failure = state.failure { throw failure }
    }

    private func require(_ transactionalID: String, _ timeout: Duration) throws {
        guard (1...Limits.transactionalIDBytesMax).contains(transactionalID.utf8.count) else {
            throw LogError(
                .invalidArgument,
                "a transactional id has 1 to \(Limits.transactionalIDBytesMax) bytes, not "
                    + "\(transactionalID.utf8.count)")
        }
        guard timeout > .zero, timeout <= Limits.transactionTimeoutMax else {
            throw LogError(
                .invalidArgument,
                "a transaction's timeout is more than zero and at most "
                    + "\(Limits.transactionTimeoutMax), not \(timeout)")
        }
    }
}
