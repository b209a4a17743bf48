// Who may write, what is decided, and what time does to it.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

struct TransactionCoordinatorTests {
    private let test: TransactionLog
    private let log: CommitLog
    private let coordinator: TransactionCoordinator

    init() throws {
        test = try TransactionLog()
        log = try test.open()
        coordinator = try test.coordinator(log)
    }

    private func begin(
        _ id: String, timeout: Duration = .seconds(60), in partitions: Set<TopicPartition>
    ) throws -> ProducerStamp {
        let stamp = try coordinator.initProducer(id, timeout: timeout)
        #expect(try coordinator.addPartitions(partitions, to: id, stamp) == stamp)
        for partition in partitions {
            try log.partition(partition).append("\(id) \(stamp.epoch)", producer: stamp)
        }
        return stamp
    }

    private func state(_ id: String) throws -> TransactionMetadata {
        try #require(coordinator.states.first { $0.transactionalID == id })
    }

    private func code(_ body: () throws -> Void) -> LogError.Code? {
        #expect(throws: LogError.self) { try body() }?.code
    }

    @Test func `each transaction has its own epoch, and its marker the next one`() throws {
        let first = try begin("a", in: [name("orders")])
        #expect(first.epoch == 0)
        let second = try coordinator.end("a", first, with: .commit)
        #expect(second == ProducerStamp(id: first.id, epoch: 1))
        #expect(try log.partition(name("orders")).epoch(of: first.id) == 1)
        #expect(try state("a").state == .completeCommit)
        #expect(try test.values(in: log) == ["a 0"])
        // Nothing was begun: nothing ends.
        #expect(try coordinator.end("a", second, with: .abort) == second)
    }

    @Test func `a new producer aborts what the one before has left open, and fences it`() throws {
        let first = try begin("a", in: [name("orders"), name("events")])
        let second = try coordinator.initProducer("a", timeout: .seconds(60))
        #expect(second.id == first.id && second.epoch > first.epoch)
        #expect(try test.openCount(in: log) == 0)
        #expect(try test.values(in: log).isEmpty)
        #expect(
            code { _ = try coordinator.addPartitions([name("orders")], to: "a", first) }
                == .producerFenced)
        #expect(code { _ = try coordinator.end("a", first, with: .commit) } == .producerFenced)
        #expect(
            code { try log.partition(name("orders")).append("late", producer: first) }
                == .producerFenced)
    }

    @Test func `a late write to a partition that was noted but empty is fenced`() throws {
        let stamp = try coordinator.initProducer("a", timeout: .seconds(60))
        _ = try coordinator.addPartitions([name("orders")], to: "a", stamp)
        _ = try coordinator.initProducer("a", timeout: .seconds(60))
        let partition = try log.partition(name("orders"))
        #expect(code { try partition.append("late", producer: stamp) } == .producerFenced)
        #expect(partition.openTransactions.isEmpty)
    }

    @Test func `ending again gives the same stamp, and ending otherwise is refused`() throws {
        let stamp = try begin("a", in: [name("orders")])
        let next = try coordinator.end("a", stamp, with: .commit)
        let end = try log.partition(name("orders")).logEndOffset
        #expect(try coordinator.end("a", stamp, with: .commit) == next)
        #expect(try log.partition(name("orders")).logEndOffset == end)
        #expect(
            code { _ = try coordinator.end("a", stamp, with: .abort) } == .invalidTransactionState)
    }

    @Test func `a transaction over its timeout is aborted and its producer fenced`() throws {
        let long = try begin("long", timeout: .seconds(600), in: [name("orders")])
        let short = try begin("short", timeout: .seconds(10), in: [name("orders"), name("events")])
        test.clock.advance(by: .seconds(9))
        coordinator.expire()
        #expect(try test.openCount(in: log) == 3)
        test.clock.advance(by: .seconds(1))
        coordinator.expire()
        #expect(try test.openCount(in: log) == 1)
        #expect(try state("short").state == .completeAbort)
        #expect(
            code { _ = try coordinator.addPartitions([name("orders")], to: "short", short) }
                == .producerFenced)
        #expect(
            code { _ = try coordinator.end("short", short, with: .commit) }
                == .invalidTransactionState)
        // It may take note of the abort and go on.
        let next = try coordinator.end("short", short, with: .abort)
        #expect(next.epoch == short.epoch + 1)
        _ = try coordinator.end("long", long, with: .commit)
        #expect(try test.values(in: log) == ["long 0"])
    }

    @Test func `before epochs run out another producer id takes over`() throws {
        let topic = try TransactionTopic.create(in: log)
        var metadata = TransactionMetadata(
            transactionalID: "a",
            producer: ProducerStamp(id: try log.takeProducerIDs(1), epoch: .max - 2),
            timeout: .seconds(60), lastUpdate: .now())
        metadata.state = .completeCommit
        let partition = TransactionRecords.partition(
            of: "a", partitionCount: topic.partitionCount)
        try TransactionTopic.append(
            metadata, to: try log.partition(TopicPartition(topic.name, partition)))
        let coordinator = try test.coordinator(log)

        let last = try coordinator.initProducer("a", timeout: .seconds(60))
        #expect(last == ProducerStamp(id: metadata.producer.id, epoch: .max - 1))
        _ = try coordinator.addPartitions([name("orders")], to: "a", last)
        try log.partition(name("orders")).append("last", producer: last)
        let next = try coordinator.end("a", last, with: .commit)
        #expect(next.id != last.id && next.epoch == 0)
        #expect(try coordinator.end("a", last, with: .commit) == next)
        let earlier = ProducerStamp(id: last.id, epoch: 3)
        #expect(code { _ = try coordinator.end("a", earlier, with: .commit) } == .producerFenced)
        #expect(try log.partition(name("orders")).epoch(of: last.id) == .max)
        _ = try coordinator.addPartitions([name("orders")], to: "a", next)
        try log.partition(name("orders")).append("next", producer: next)
        _ = try coordinator.end("a", next, with: .commit)
        #expect(try test.values(in: log) == ["last", "next"])
    }

    @Test func `ids and timeouts that are none are refused`() {
        for (id, timeout) in [
            ("", 1), (String(repeating: "x", count: 1025), 1), ("a", 0), ("a", 901),
        ] {
            #expect(
                code { _ = try coordinator.initProducer(id, timeout: .seconds(timeout)) }
                    == .invalidArgument)
        }
        let stamp = ProducerStamp(id: 0, epoch: 0)
        #expect(code { _ = try coordinator.end("b", stamp, with: .commit) } == .noSuchTransaction)
    }

    @Test func `an Ongoing transaction is open after a restart, until its timeout from then`()
        throws
    {
        let stamp = try begin("a", timeout: .seconds(10), in: [name("orders")])
        test.clock.advance(by: .seconds(9))
        try log.close()
        let reopened = try test.open()
        let coordinator = try test.coordinator(reopened)
        test.clock.advance(by: .seconds(9))
        coordinator.expire()
        #expect(try test.openCount(in: reopened) == 1)
        // Its client comes back and goes on.
        #expect(try coordinator.addPartitions([name("events")], to: "a", stamp) == stamp)
        try reopened.partition(name("events")).append("a too", producer: stamp)
        _ = try coordinator.end("a", stamp, with: .commit)
        #expect(try test.values(in: reopened) == ["a 0", "a too"])
    }

    @Test func `a transaction whose time was over while nobody had the log is aborted at opening`()
        throws
    {
        _ = try begin("a", timeout: .seconds(10), in: [name("orders")])
        var metadata = try #require(coordinator.states.first)
        metadata.start = Timestamp(milliseconds: metadata.start.milliseconds - 11_000)
        let states = try log.topic(TransactionTopic.name).partitions.map(log.partition)
        let partition = try #require(states.first { $0.logEndOffset > .zero })
        try TransactionTopic.append(metadata, to: partition)
        try log.close()
        #expect(try test.openCount(in: test.open()) == 0)
    }

    @Test(arguments: [Int64.min, .max])
    func `a beginning that no clock has shown is no trap`(milliseconds: Int64) throws {
        let stamp = try begin("a", in: [name("orders")])
        var metadata = try state("a")
        metadata.start = Timestamp(milliseconds: milliseconds)
        let topic = try log.topic(TransactionTopic.name)
        let partition = TransactionRecords.partition(
            of: "a", partitionCount: topic.partitionCount)
        try TransactionTopic.append(
            metadata, to: try log.partition(TopicPartition(topic.name, partition)))
        try log.close()
        let reopened = try test.open()
        let description = try reopened.transactions.describe("a")
        #expect(description.state == .ongoing && description.producer == stamp)
        #expect(description.age(at: .distantPast) ?? .zero == .zero)
    }

    @Test func `a transaction whose Ongoing record was lost is known by its partitions`() throws {
        let stamp = try begin("a", timeout: .seconds(10), in: [name("orders")])
        try log.close()
        // Of the state's partition, what was flushed with the new producer is left, and no note of more.
        for file in ["clean-shutdown", "recovery-points"] { try test.directory.remove(file) }
        for path in try test.stateSegments() {
            let bytes = try readFile(path)
            if !bytes.isEmpty {
                try writeFile(path, Array(bytes.prefix(batchByteCount(bytes, at: 0))))
                let manifest = URL(filePath: path).deletingLastPathComponent().path + "/segments"
                try FileManager.default.removeItem(atPath: manifest)
            }
        }
        let reopened = try test.open()
        let coordinator = try test.coordinator(reopened)
        let found = try #require(coordinator.states.first)
        #expect(found.state == .ongoing && found.partitions == [name("orders")])
        #expect(found.producer == stamp)
        test.clock.advance(by: .seconds(10))
        coordinator.expire()
        #expect(try test.openCount(in: reopened) == 0)
    }

    @Test func `a job's open transaction is not touched`() throws {
        let job = ProducerStamp(id: try log.takeProducerIDs(1), epoch: 3)
        try log.partition(name("orders")).append("undecided", producer: job)
        _ = try begin("a", timeout: .seconds(1), in: [name("orders")])
        test.clock.advance(by: .seconds(1000))
        coordinator.expire()
        _ = try coordinator.initProducer("a", timeout: .seconds(1))
        _ = try test.coordinator(log)
        #expect(try log.partition(name("orders")).openTransactions.map(\.producer) == [job])
    }
}
