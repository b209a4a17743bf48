// Full and failing disks at each step of a transaction: what a caller is told is what happens.

import StreamJobsLog
import Synchronization
import TestSupport
import Testing

/// Fails the steps it is told to, until told otherwise.
private final class Faults: Sendable {
    private let failing = Mutex<(@Sendable (TransactionStep) -> LogError.Code?)?>(nil)

    func fail(_ code: @escaping @Sendable (TransactionStep) -> LogError.Code?) {
        failing.withLock { $0 = code }
    }
    func stop() { failing.withLock { $0 = nil } }

    func step(_ step: TransactionStep) throws {
        guard let code = failing.withLock({ $0 })?(step) else { return }
        throw LogError(code, "a fault of the test")
    }
}

struct TransactionFaultTests {
    private let test: TransactionLog
    private let log: CommitLog
    private let faults: Faults
    private let coordinator: TransactionCoordinator
    private let producer: TransactionalProducer

    init() throws {
        test = try TransactionLog()
        log = try test.open()
        let faults = Faults()
        self.faults = faults
        coordinator = try test.coordinator(log) { try faults.step($0) }
        producer = try TransactionalProducer(log, coordinator, transactionalID: "a")
    }

    private func publish(_ value: String) throws {
        try producer.transaction {
            try $0.send(value, to: "orders")
            try $0.send(value, to: "events")
        }
    }

    private func code(_ body: () throws -> Void) -> LogError.Code? {
        #expect(throws: LogError.self) { try body() }?.code
    }

    private static func isMarker(_ step: TransactionStep) -> LogError.Code? {
        if case .marker = step { .noSpace } else { nil }
    }

    @Test func `a commit whose markers find no room has happened, and is seen later`() throws {
        faults.fail(Self.isMarker)
        try publish("1")
        #expect(try test.values(in: log).isEmpty)
        coordinator.expire()
        #expect(try test.values(in: log).isEmpty)
        // The next transaction waits for it.
        #expect(code { try publish("2") } == .noSpace)
        faults.stop()
        coordinator.expire()
        #expect(try test.values(in: log) == ["1", "1"])
        try publish("3")
        #expect(try test.values(in: log) == ["1", "1", "3", "3"])
    }

    @Test func `markers that are missing are written when the log is opened`() throws {
        faults.fail(Self.isMarker)
        try publish("1")
        try log.close()
        let reopened = try test.open()
        #expect(try test.values(in: reopened) == ["1", "1"])
        #expect(try reopened.transactions.describe("a").state == .completeCommit)
    }

    @Test(arguments: [TransactionState.ongoing, .prepareCommit, .prepareAbort])
    func `a commit that finds no room is aborted, at the latest before the next`(
        state: TransactionState
    ) throws {
        faults.fail { step in
            guard case .state(let next) = step else { return nil }
            // An abort that is refused is preceded by a commit that is.
            let isFailed = next == state || state == .prepareAbort && next == .prepareCommit
            return isFailed ? .noSpace : nil
        }
        #expect(code { try publish("1") } == .noSpace)
        faults.stop()
        try publish("2")
        #expect(try test.values(in: log) == ["2", "2"])
        #expect(try test.openCount(in: log) == 0)
    }

    @Test func `a transaction whose abort has failed is not committed any more`() throws {
        try producer.begin()
        // As much as is written before the commit.
        for _ in 0..<2 { try producer.send([UInt8](repeating: 1, count: 600_000), to: "orders") }
        faults.fail { if case .state(.prepareAbort) = $0 { .noSpace } else { nil } }
        #expect(code { try producer.abort() } == .noSpace)
        faults.stop()
        #expect(code { try producer.send("late", to: "orders") } == .invalidTransactionState)
        #expect(code { try producer.commit() } == .invalidTransactionState)
        try publish("2")
        #expect(try test.values(in: log) == ["2", "2"])
    }

    @Test func `a partition that cannot be flushed aborts the commit`() throws {
        faults.fail { step in
            if case .flush(let partition) = step, partition.topic == "events" { .io } else { nil }
        }
        #expect(code { try publish("1") } == .io)
        faults.stop()
        try publish("2")
        #expect(try test.values(in: log) == ["2", "2"])
    }

    @Test func `a decision whose flush fails is known when the log is opened again`() throws {
        faults.fail { step in
            if case .flush(let partition) = step, partition.topic == TransactionTopic.name {
                .io
            } else {
                nil
            }
        }
        #expect(code { try publish("1") } == .outcomeUnknown)
        faults.stop()
        // Nothing is said about it, and nothing else is begun, before that.
        #expect(try test.values(in: log).isEmpty)
        #expect(code { try publish("2") } == .outcomeUnknown)
        #expect(code { try coordinator.abort("a") } == .outcomeUnknown)
        coordinator.expire()
        #expect(try test.values(in: log).isEmpty)
        try log.close()
        let reopened = try test.open()
        #expect(try reopened.transactions.describe("a").state == .completeCommit)
        #expect(try test.values(in: reopened) == ["1", "1"])
    }

    @Test func `a producer that cannot be noted can be made later`() throws {
        faults.fail { step in if case .state(.empty) = step { .noSpace } else { nil } }
        #expect(
            code { _ = try TransactionalProducer(log, coordinator, transactionalID: "b") }
                == .noSpace)
        #expect(try log.transactions.list().map(\.transactionalID) == ["a"])
        faults.stop()
        let other = try TransactionalProducer(log, coordinator, transactionalID: "b")
        try other.transaction { try $0.send("1", to: "orders") }
        #expect(try test.values(in: log) == ["1"])
    }
}
