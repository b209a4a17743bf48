// What an operator sees and may do.

import StreamJobsLog
import TestSupport
import Testing

struct TransactionsTests {
    private let test: TransactionLog
    private let log: CommitLog

    init() throws {
        test = try TransactionLog()
        log = try test.open()
    }

    private struct Resolver: TransactionResolver {
        let answer: TransactionDecision
        func decision(on transaction: OpenTransaction, in partition: TopicPartition) throws
            -> TransactionDecision
        { answer }
    }

    private func code(_ body: () throws -> Void) -> LogError.Code? {
        #expect(throws: LogError.self) { try body() }?.code
    }

    /// What a job has open in two partitions.
    private func leaveJobOpen() throws -> ProducerStamp {
        let job = ProducerStamp(id: try log.takeProducerIDs(1), epoch: 3)
        for topic in test.topics {
            try log.partition(name(topic)).append("of a job", producer: job)
        }
        return job
    }

    @Test func `all transactions are listed, for an observer too`() throws {
        #expect(try log.transactions.list().isEmpty)
        let job = try leaveJobOpen()
        let done = try TransactionalProducer(log, transactionalID: "done")
        try done.transaction { try $0.send("1", to: "orders") }
        let coordinator = try log.transactionCoordinator()
        let stamp = try coordinator.initProducer("busy", timeout: .seconds(30))
        _ = try coordinator.addPartitions([name("orders", 1)], to: "busy", stamp)

        let observer = try CommitLog.open(test.directory.path, as: .observer)
        for log in [log, observer] {
            let list = try log.transactions.list()
            #expect(list.map(\.transactionalID) == ["busy", "done", nil])
            #expect(list.map(\.state) == [.ongoing, .completeCommit, .ongoing])
            #expect(list[0].partitions == [name("orders", 1)] && list[0].producer == stamp)
            #expect(list[0].timeout == .seconds(30) && list[1].partitions.isEmpty)
            #expect(list[2].producer == job)
            #expect(Set(list[2].partitions) == [name("orders"), name("events")])
            let start = try #require(list[0].start)
            #expect(list[0].age(at: start.advanced(by: .seconds(2))) == .seconds(2))
            #expect(list[0].age(at: start.advanced(by: .seconds(-2))) == .zero)
            #expect(list[1].age() == nil && list[2].age() == nil)
            #expect(try log.transactions.describe("busy") == list[0])
            #expect(code { _ = try log.transactions.describe("none") } == .noSuchTransaction)
        }
        #expect(code { try observer.transactions.abort("busy") } == .readOnly)
    }

    @Test func `an abort ends the transaction and fences its producer`() throws {
        let producer = try TransactionalProducer(log, transactionalID: "a")
        try producer.begin()
        for _ in 0..<2 { try producer.send([UInt8](repeating: 0, count: 600_000), to: "orders") }
        try log.transactions.abort("a")
        #expect(try test.openCount(in: log) == 0)
        #expect(code { try producer.commit() } == .invalidTransactionState)
        #expect(code { try log.transactions.abort("a") } == .invalidTransactionState)
        #expect(code { try log.transactions.abort("none") } == .noSuchTransaction)
        // The commit has taken note of the abort.
        try producer.transaction { try $0.send("1", to: "orders") }
        #expect(try test.values(in: log) == ["1"])
    }

    @Test func `a job's transaction is aborted only where no state has decided it`() throws {
        let job = try leaveJobOpen()
        let transactions = log.transactions
        let coordinator = try log.transactionCoordinator()
        #expect(code { try transactions.abort(producerID: job.id) } == .invalidTransactionState)
        coordinator.resolver = Resolver(answer: .decided)
        for force in [false, true] {
            #expect(
                code { try transactions.abort(producerID: job.id, force: force) }
                    == .invalidTransactionState)
        }
        #expect(try test.openCount(in: log) == 2)
        coordinator.resolver = Resolver(answer: .undecided)
        try transactions.abort(producerID: job.id)
        #expect(try test.openCount(in: log) == 0)
        #expect(code { try transactions.abort(producerID: job.id) } == .noSuchTransaction)
    }

    @Test func `force aborts what nobody knows`() throws {
        let job = try leaveJobOpen()
        try log.transactions.abort(producerID: job.id, force: true)
        #expect(try test.openCount(in: log) == 0)
        #expect(try log.partition(name("orders")).epoch(of: job.id) == job.epoch + 1)
    }

    @Test func `a plain producer's transaction is not aborted by its producer id`() throws {
        let producer = try TransactionalProducer(log, transactionalID: "a")
        try producer.begin()
        for _ in 0..<2 { try producer.send([UInt8](repeating: 0, count: 600_000), to: "orders") }
        let id = try log.transactions.describe("a").producer.id
        #expect(
            code { try log.transactions.abort(producerID: id, force: true) } == .noSuchTransaction)
    }
}
