// Writes to several topics so that readers of committed data see all of it or nothing.

import Synchronization

/// A producer of transactions. Its transactional id names it over restarts: a new producer with the same
/// id ends what the one before has left open, and fences it.
///
/// ```swift
/// let producer = try TransactionalProducer(log, transactionalID: "orders")
/// try producer.transaction {
///     try $0.send(order, key: id, to: "orders")
///     try $0.send(event, key: id, to: "events")
/// }
/// ```
///
/// `transaction` may be called by any number of threads. `begin`, `send`, `commit` and `abort` are for one
/// thread, for transactions too large for memory.
///
/// After an error of `commit` or `transaction` nothing has to be guessed: the transaction is aborted, or
/// will be before the next one begins; only `outcomeUnknown` says that it is found out when the log is
/// opened again (the disk has failed), and then `CommitLog.transactions` tells. After `producerFenced`
/// the transaction was over its timeout or an operator has aborted it, and the next one may begin; or
/// another producer has the transactional id, and each call of this one throws it.
public final class TransactionalProducer: Sendable {
    public let transactionalID: String
    private let log: CommitLog
    private let coordinator: TransactionCoordinator
    private let settings: TransactionalProducerSettings
    private let state: Mutex<State>

    private struct State {
        var stamp: ProducerStamp
        var phase = Phase.idle
        var records: GatheredRecords
    }

    private enum Phase {
        case idle
        case open
        /// An error has left the transaction half written or half aborted: it can only be aborted.
        case failed
    }

    /// Throws `invalidArgument` for an id or settings that cannot be, and what writing throws. When it
    /// returns, an earlier producer of the same id is fenced and its open transaction ended.
    public convenience init(
        _ log: CommitLog, transactionalID: String,
        _ settings: TransactionalProducerSettings = TransactionalProducerSettings()
    ) throws {
        try self.init(
            log, try log.transactionCoordinator(), transactionalID: transactionalID, settings)
    }

    package init(
        _ log: CommitLog, _ coordinator: TransactionCoordinator, transactionalID: String,
        _ settings: TransactionalProducerSettings = TransactionalProducerSettings()
    ) throws {
        try settings.validate()
        self.log = log
        self.coordinator = coordinator
        self.transactionalID = transactionalID
        self.settings = settings
        let stamp = try coordinator.initProducer(transactionalID, timeout: settings.timeout)
        state = Mutex(State(stamp: stamp, records: GatheredRecords(settings)))
    }

    // MARK: The unit of work

    /// Calls `body`, which gathers records in memory, and publishes them as one transaction when it
    /// returns; if it throws, nothing was written. When this returns the records survive a power loss and
    /// readers see them.
    ///
    /// Throws what `body` throws; `invalidTransactionState` between `begin` and its end; and what `commit`
    /// throws.
    public func transaction<R>(_ body: (inout UnitOfWork) throws -> R) throws -> R {
        var unit = UnitOfWork(log, settings)
        let result = try body(&unit)
        guard !unit.records.isEmpty else { return result }
        try publish(unit.records)
        return result
    }

    private func publish(_ records: GatheredRecords) throws {
        try state.withLock { state in
            try begin(&state)
            do {
                state.stamp = try coordinator.addPartitions(
                    records.partitions, to: transactionalID, state.stamp)
                try records.write(to: log, as: state.stamp)
                try commit(&state)
            } catch {
                recover(&state)
                throw error
            }
        }
    }

    // MARK: Step by step

    /// Begins a transaction. Throws `invalidTransactionState` if one is open, and what `abort` throws where
    /// an error has left one.
    public func begin() throws {
        try state.withLock { try begin(&$0) }
    }

    /// Adds a record to the open transaction; it is in the log at `commit`, at the latest. A record that
    /// its topic does not take (`noSuchTopic`, `invalidArgument`, `recordTooLarge`, `invalidRecord`) is not
    /// added, and the transaction goes on; if what was gathered before cannot be written it can only be
    /// aborted.
    ///
    /// - Parameters:
    ///   - value: nil is a tombstone, which is not an empty value.
    ///   - key: Chooses the partition by its hash; records without a key go to one partition together.
    ///   - partition: nil is the partitioner's choice.
    ///   - timestamp: nil is the time of the call.
    public func send(
        _ value: [UInt8]?, key: [UInt8]? = nil, to topic: String, partition: PartitionID? = nil,
        timestamp: Timestamp? = nil, headers: [Header] = []
    ) throws {
        try state.withLock { state in
            try requireOpen(state)
            try state.records.add(
                value, key: key, to: topic, of: log, partition: partition, timestamp: timestamp,
                headers: headers)
            let gatherBytes = max(Limits.transactionGatherBytes, settings.batchBytes)
            guard state.records.byteCount >= gatherBytes else { return }
            do {
                try writeGathered(&state)
            } catch {
                state.phase = .failed
                throw error
            }
        }
    }

    /// Commits the open transaction. When it returns the decision survives a power loss and readers see
    /// the records (on a full disk they see them as soon as there is room for the markers).
    ///
    /// Throws `invalidTransactionState` if none is open, that or `producerFenced` if the timeout was over,
    /// `producerFenced`, `outcomeUnknown`, and what writing throws.
    public func commit() throws {
        try state.withLock { state in
            try requireOpen(state)
            do {
                try writeGathered(&state)
                try commit(&state)
            } catch {
                recover(&state)
                throw error
            }
        }
    }

    /// Aborts the open transaction: no reader of committed data sees its records. Does nothing if none is
    /// open. Throws what writing throws; it may be called again then, and nothing else can be done with the
    /// transaction (`begin` and `transaction` try it again by themselves).
    public func abort() throws {
        try state.withLock { try abort(&$0) }
    }

    // MARK: Steps

    private func begin(_ state: inout State) throws {
        // What an error has left is ended first.
        if state.phase == .failed { try abort(&state) }
        guard state.phase == .idle else {
            throw LogError(
                .invalidTransactionState,
                "a transaction of '\(transactionalID)' is open already; commit or abort it first")
        }
        // A topic may have other partitions by now, or be another one of the same name.
        state.records = GatheredRecords(settings)
        state.phase = .open
    }

    private func writeGathered(_ state: inout State) throws {
        guard !state.records.isEmpty else { return }
        state.stamp = try coordinator.addPartitions(
            state.records.partitions, to: transactionalID, state.stamp)
        try state.records.write(to: log, as: state.stamp)
        state.records.removeAll()
    }

    private func commit(_ state: inout State) throws {
        state.stamp = try coordinator.end(transactionalID, state.stamp, with: .commit)
        state.phase = .idle
    }

    private func abort(_ state: inout State) throws {
        guard state.phase != .idle else { return }
        // Also where ending it fails: what is left of it must not be committed.
        state.phase = .failed
        state.records.removeAll()
        state.stamp = try coordinator.end(transactionalID, state.stamp, with: .abort)
        state.phase = .idle
    }

    /// After a failed write or commit: aborts now, or before the next transaction if that fails as well.
    private func recover(_ state: inout State) {
        _ = Result { try abort(&state) }
    }

    private func requireOpen(_ state: borrowing State) throws {
        switch state.phase {
        case .open: return
        case .idle:
            throw LogError(
                .invalidTransactionState,
                "no transaction of '\(transactionalID)' is open; call begin first")
        case .failed:
            throw LogError(
                .invalidTransactionState,
                "the transaction of '\(transactionalID)' has failed; abort it and begin anew")
        }
    }
}
