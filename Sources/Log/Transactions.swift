// What an operator sees and does about transactions: `jobrunner transactions list | describe | abort`.

/// A transaction, or the present state of a transactional id: what was true when it was asked for.
public struct TransactionDescription: Sendable, Hashable {
    /// Nil for a transaction that a job decides.
    public let transactionalID: String?
    public let producer: ProducerStamp
    public let state: TransactionState
    /// When the last transaction began, by the wall clock; nil where there was none, and for jobs'.
    public let start: Timestamp?
    /// Nil for jobs' transactions, which have none.
    public let timeout: Duration?
    /// Where it has records whose fate readers do not know yet.
    public let partitions: [TopicPartition]

    /// How long it has been open by the wall clock, never negative; nil if it is not.
    public func age(at time: Timestamp = .now()) -> Duration? {
        guard state == .ongoing || state.isPrepared, let start else { return nil }
        return time > start ? .milliseconds(time.milliseconds - start.milliseconds) : .zero
    }
}

extension CommitLog {
    /// The transactions of this log. Any thread may use it; `abort` is the owner's.
    public var transactions: Transactions { Transactions(log: self) }

    func noSuchTransaction(of transactionalID: String) -> LogError {
        LogError(
            .noSuchTransaction,
            "there is no transactional id '\(transactionalID)' in \(directory); 'transactions list' names "
                + "those that there are")
    }
}

public struct Transactions: Sendable {
    let log: CommitLog

    /// All transactional ids in order, then the open transactions of jobs. An observer reads what is in
    /// the files.
    public func list() throws -> [TransactionDescription] {
        let states = try states()
        let plain = states.sorted { $0.transactionalID < $1.transactionalID }.map(describe)
        return try plain + openOfOthers(than: states).map(\.description)
    }

    /// Throws `noSuchTransaction`.
    public func describe(_ transactionalID: String) throws -> TransactionDescription {
        guard let state = try states().first(where: { $0.transactionalID == transactionalID })
        else { throw log.noSuchTransaction(of: transactionalID) }
        return describe(state)
    }

    /// Aborts the open transaction of a plain producer. When it returns readers of committed data go on, and
    /// what comes of the transaction late is refused; its producer learns of it with its next call. Throws
    /// `noSuchTransaction`, `invalidTransactionState` where nothing is open or it is decided, and `readOnly`
    /// for an observer.
    public func abort(_ transactionalID: String) throws {
        try log.transactionCoordinator().abort(transactionalID)
    }

    /// Aborts what a producer without transactional id, a job's, has open in all partitions; no job that
    /// owns it may be running. Throws `noSuchTransaction`, and `invalidTransactionState` where a state has
    /// decided it, or nobody knows (which `force` overrides); nothing is changed then.
    public func abort(producerID: Int64, force: Bool = false) throws {
        let coordinator = try log.transactionCoordinator()
        let others = try openOfOthers(than: coordinator.states)
        guard let found = others.first(where: { $0.producer.id == producerID }) else {
            let plain = coordinator.states.first {
                [$0.producer.id, $0.previousProducerID].contains(producerID)
            }
            throw noSuchTransaction(
                plain.map {
                    "producer \(producerID) is of the transactional id '\($0.transactionalID)': abort it "
                        + "by that"
                }
                    ?? "producer \(producerID) has no transaction open; 'transactions list --open' shows "
                    + "those that there are")
        }
        for (name, open) in found.open {
            switch try coordinator.resolver?.decision(on: open, in: name) ?? .unknown {
            case .undecided: break
            case .decided:
                throw LogError(
                    .invalidTransactionState,
                    "the transaction of \(open.producer) in \(name) is committed by the state of its "
                        + "job: run the job, which writes the marker")
            case .unknown where force: break
            case .unknown:
                throw LogError(
                    .invalidTransactionState,
                    "no state is known that could have decided the transaction of \(open.producer) in "
                        + "\(name): put the state back, or abort with --force if it is gone for good"
                )
            }
        }
        for (name, open) in found.open {
            let partition = try log.partition(name)
            try partition.end(open.producer, with: .abort)
            try partition.flush()
        }
    }

    // MARK: Looking up

    /// What jobs have open, by producer.
    private struct Others {
        let producer: ProducerStamp
        var open: [(TopicPartition, OpenTransaction)]

        var description: TransactionDescription {
            TransactionDescription(
                transactionalID: nil, producer: producer, state: .ongoing, start: nil, timeout: nil,
                partitions: open.map(\.0))
        }
    }

    private func states() throws -> [TransactionMetadata] {
        let states: [TransactionMetadata]
        if log.access == .owner {
            states = try log.transactionCoordinator().states
        } else if let topic = try TransactionTopic.existing(in: log) {
            states = Array(try TransactionTopic.load(topic, in: log).values)
        } else {
            states = []
        }
        // An id below zero: its first producer could not be written.
        return states.filter { $0.producer.id >= 0 }
    }

    private func describe(_ state: TransactionMetadata) -> TransactionDescription {
        TransactionDescription(
            transactionalID: state.transactionalID, producer: state.producer, state: state.state,
            start: state.start.milliseconds < 0 ? nil : state.start, timeout: state.timeout,
            partitions: state.partitions.sorted { $0.description < $1.description })
    }

    private func openOfOthers(than states: [TransactionMetadata]) throws -> [Others] {
        let plain = Set(states.flatMap { [$0.producer.id, $0.previousProducerID] })
        var others: [Int64: Others] = [:]
        for name in log.topics.flatMap(\.partitions) {
            let partition = try log.partition(name)
            try partition.refresh()
            for open in partition.openTransactions where !plain.contains(open.producer.id) {
                others[open.producer.id, default: Others(producer: open.producer, open: [])]
                    .open.append((name, open))
            }
        }
        return others.values.sorted { $0.producer.id < $1.producer.id }
    }

    private func noSuchTransaction(_ message: String) -> LogError {
        LogError(.noSuchTransaction, message)
    }
}
