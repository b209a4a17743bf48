// The producer as its users know it: all or nothing over several topics.

import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct TransactionalProducerTests {
    private let test: TransactionLog
    private let log: CommitLog
    private struct Failed: Error {}

    init() throws {
        test = try TransactionLog()
        log = try test.open()
    }

    private func producer(_ id: String = "a") throws -> TransactionalProducer {
        try TransactionalProducer(log, transactionalID: id)
    }

    private func code(_ body: () throws -> Void) -> LogError.Code? {
        #expect(throws: LogError.self) { try body() }?.code
    }

    @Test func `a unit of work is published as a whole when it returns`() throws {
        let producer = try producer()
        let count = try producer.transaction {
            try $0.send("1", key: "k", to: "orders")
            try $0.send("2", to: "events")
            #expect(try test.values(in: log, .readUncommitted).isEmpty)
            return $0.count
        }
        #expect(count == 2)
        #expect(try test.values(in: log) == ["1", "2"])
        for topic in test.topics {
            for partition in try log.topic(topic).partitions {
                let partition = try log.partition(partition)
                #expect(partition.flushedOffset == partition.logEndOffset)
            }
        }
    }

    @Test func `a unit of work that throws has written nothing`() throws {
        let producer = try producer()
        #expect(throws: Failed.self) {
            try producer.transaction {
                try $0.send("1", to: "orders")
                throw Failed()
            }
        }
        #expect(try test.values(in: log, .readUncommitted).isEmpty)
        try producer.transaction { _ in }
        #expect(try log.transactions.describe("a").state == .empty)
        try producer.transaction { try $0.send("2", to: "orders") }
        #expect(try test.values(in: log) == ["2"])
    }

    @Test
    func `many threads share a producer`() async throws {
        let producer = try producer()
        let failures = Mutex<[String]>([])
        await Threads.run(8) { thread in
            for number in 0..<5 {
                do {
                    try producer.transaction {
                        try $0.send("\(thread)-\(number)", to: "orders")
                        try $0.send("\(thread)-\(number)", to: "events")
                    }
                } catch { failures.withLock { $0.append("\(error)") } }
            }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(Set(try test.values(in: log)).count == 40)
        #expect(try test.values(in: log).count == 80)
    }

    @Test func `records of an open transaction are not seen until it is committed`() throws {
        let producer = try producer()
        try producer.begin()
        // More than is gathered in memory.
        let large = String(repeating: "x", count: 200_000)
        for number in 0..<12 { try producer.send("\(number) \(large)", to: "orders") }
        #expect(try test.values(in: log, .readUncommitted).count >= 5)
        #expect(try test.values(in: log).isEmpty)
        try producer.send("last", to: "events")
        try producer.commit()
        #expect(try test.values(in: log).count == 13)
    }

    @Test func `records of an aborted transaction are never seen`() throws {
        let producer = try producer()
        try producer.begin()
        let large = String(repeating: "x", count: 600_000)
        for _ in 0..<3 { try producer.send(large, to: "orders") }
        try producer.abort()
        try producer.abort()
        #expect(try test.openCount(in: log) == 0)
        try producer.begin()
        try producer.send("1", to: "orders")
        try producer.commit()
        #expect(try test.values(in: log) == ["1"])
    }

    @Test func `calls out of their order are refused`() throws {
        let producer = try producer()
        #expect(code { try producer.commit() } == .invalidTransactionState)
        #expect(code { try producer.send("1", to: "orders") } == .invalidTransactionState)
        try producer.begin()
        #expect(code { try producer.begin() } == .invalidTransactionState)
        #expect(
            code { try producer.transaction { try $0.send("1", to: "orders") } }
                == .invalidTransactionState)
        #expect(code { try producer.send("1", to: "nosuch") } == .noSuchTopic)
        #expect(code { try producer.send("1", to: "__transaction_state") } == .invalidArgument)
        try producer.send("2", to: "orders")
        try producer.commit()
        #expect(try test.values(in: log) == ["2"])
    }

    @Test func `of two producers with one id the earlier is fenced`() throws {
        let earlier = try producer()
        try earlier.begin()
        try earlier.send("1", to: "orders")
        let later = try producer()
        #expect(code { try earlier.commit() } == .producerFenced)
        #expect(
            code { try earlier.transaction { try $0.send("2", to: "orders") } } == .producerFenced)
        try later.transaction { try $0.send("3", to: "orders") }
        #expect(try test.values(in: log) == ["3"])
    }

    @Test func `a producer of an id goes on after a restart`() throws {
        let first = try producer()
        try first.transaction { try $0.send("1", to: "orders") }
        try first.begin()
        let large = String(repeating: "x", count: 600_000)
        for _ in 0..<2 { try first.send(large, to: "orders") }
        try log.close()
        let reopened = try test.open()
        #expect(try test.openCount(in: reopened) == 1)
        let second = try TransactionalProducer(reopened, transactionalID: "a")
        #expect(try test.openCount(in: reopened) == 0)
        try second.transaction { try $0.send("2", to: "orders") }
        #expect(try test.values(in: reopened) == ["1", "2"])
    }

    @Test func `a unit of work has a limit`() throws {
        let producer = try producer()
        let value = [UInt8](repeating: 0, count: 1_000_000)
        #expect(
            code {
                try producer.transaction { unit in
                    for _ in 0..<70 { try unit.send(value, to: "orders") }
                }
            } == .recordTooLarge)
        #expect(try test.values(in: log, .readUncommitted).isEmpty)
    }

    @Test(arguments: CompressionType.allCases)
    func `a codec, a batch size and a partition are those that were asked for`(
        compression: CompressionType
    ) throws {
        var settings = TransactionalProducerSettings()
        settings.compression = compression
        settings.batchBytes = 1000
        let producer = try TransactionalProducer(log, transactionalID: "a", settings)
        let value = Array(String(repeating: "x", count: 300).utf8)
        try producer.transaction { unit in
            for _ in 0..<6 {
                try unit.send(value, key: value, to: "orders", partition: PartitionID(1))
            }
        }
        try producer.begin()
        for number in 0..<6 {
            try producer.send(value, to: "events", partition: PartitionID(number % 2))
        }
        try producer.commit()
        let written = [(name("orders", 1), 6), (name("events", 0), 2), (name("events", 1), 2)]
        for (name, batchCount) in written {
            let batches = try SegmentParser.batches(
                inDirectory: "\(test.directory.path)/\(name)")
            #expect(batches.count == batchCount + 1, "the last is the marker")
            let codec = Int16(CompressionType.allCases.firstIndex(of: compression) ?? -1)
            #expect(batches.dropLast().allSatisfy { $0.attributes & 7 == codec })
        }
        #expect(try log.partition(name("orders", 0)).logEndOffset == .zero)
        #expect(try test.values(in: log).count == 12)
    }

    @Test func `a partitioner is asked where no partition is named`() throws {
        var settings = TransactionalProducerSettings()
        settings.partitioner = .custom { key, _ in key.map { PartitionID($0.count) } }
        let producer = try TransactionalProducer(log, transactionalID: "a", settings)
        try producer.transaction {
            try $0.send([], key: [7], to: "orders")
            try $0.send([], key: [7], to: "orders", partition: PartitionID(0))
        }
        #expect(try log.partition(name("orders", 1)).logEndOffset == Offset(2))
        #expect(try log.partition(name("orders", 0)).logEndOffset == Offset(2))
    }

    @Test func `what cannot be sent is refused, and the transaction goes on`() throws {
        try log.alterTopic("events", [("cleanup.policy", "compact")])
        let producer = try producer()
        try producer.begin()
        #expect(
            code { try producer.send([], to: "orders", partition: PartitionID(2)) } == .noSuchTopic)
        #expect(code { try producer.send("no key", to: "events") } == .invalidRecord)
        try producer.send("1", to: "orders")
        try producer.commit()
        #expect(try test.values(in: log) == ["1"])
    }

    @Test func `settings that contradict themselves are refused`() throws {
        for change: (inout TransactionalProducerSettings) -> Void in [
            { $0.batchBytes = 0 }, { $0.compressionLevel = 3 }, { $0.timeout = .zero },
        ] {
            var settings = TransactionalProducerSettings()
            change(&settings)
            #expect(
                code { _ = try TransactionalProducer(log, transactionalID: "a", settings) }
                    == .invalidArgument)
        }
    }

    @Test func `transactions are refused to an observer`() throws {
        let observer = try CommitLog.open(test.directory.path, as: .observer)
        #expect(
            code { _ = try TransactionalProducer(observer, transactionalID: "a") } == .readOnly)
    }
}
