import Foundation
import StreamJobsLog
import TestSupport
import Testing

struct ConsumerTests {
    private let log: TestLog

    init() throws { log = try TestLog() }

    private func values(_ consumer: Consumer, maxRecords: Int = .max) throws -> [String] {
        var values: [String] = []
        let count = try consumer.poll(maxRecords: maxRecords) { _, record in
            values.append(String(decoding: try Entry(record).value ?? [], as: UTF8.self))
        }
        #expect(count == values.count)
        return values
    }

    @Test func `all partitions are read, each in its order`() throws {
        try log.withOwner { log, _ in
            let topic = try log.createTopic("many", partitions: 3)
            for (number, name) in topic.partitions.enumerated() {
                try log.partition(name).append("\(number) a", "\(number) b")
            }
            let consumer = try Consumer(log, topic: topic, from: .earliest)
            #expect(try consumer.remaining() == 6)
            var read: [String] = []
            while case let some = try values(consumer, maxRecords: 2), !some.isEmpty {
                read += some
            }
            #expect(read.sorted() == ["0 a", "0 b", "1 a", "1 b", "2 a", "2 b"])
            for number in 0..<3 {
                #expect(
                    read.filter { $0.hasPrefix("\(number)") } == ["\(number) a", "\(number) b"])
            }
            #expect(try consumer.remaining() == 0)
        }
    }

    @Test func `latest begins behind what is there`() throws {
        try log.withOwner { log, partition in
            try partition().append("old")
            let consumer = try Consumer(log, topic: try log.topic("t"), from: .latest)
            try partition().append("new")
            #expect(try values(consumer) == ["new"])
        }
    }

    @Test func `a consumer that stops at the end gives nothing that came later`() throws {
        try log.withOwner { log, partition in
            try partition().append("a")
            let consumer = try Consumer(log, topic: try log.topic("t"), from: .earliest)
            try consumer.stopAtEnd()
            try partition().append("later")
            #expect(try values(consumer) == ["a"])
            #expect(try values(consumer) == [])
            #expect(try consumer.remaining() == 0)
        }
    }

    @Test func `a record whose call throws is not given again`() throws {
        struct Refused: Error {}
        try log.withOwner { log, partition in
            try partition().append("a", "b")
            let consumer = try Consumer(log, topic: try log.topic("t"), from: .earliest)
            #expect(throws: Refused.self) {
                try consumer.poll(maxRecords: 9) { _, _ in throw Refused() }
            }
            #expect(try values(consumer) == ["b"])
        }
    }

    // MARK: Where to begin

    @Test(arguments: [
        (Start.earliest, 0), (.latest, 10), (.offset(Offset(4)), 4), (.fromEnd(3), 7),
        (.fromEnd(99), 0), (.time(Timestamp(milliseconds: 55)), 6),
        (.time(Timestamp(milliseconds: 999)), 10),
    ])
    func `a partition is read from where it is asked`(start: Start, first: Int) throws {
        try log.withOwner { log, partition throws in
            for number in 0..<10 {
                let batch = BatchBuilder()
                try batch.append(
                    key: nil, value: Array("\(number)".utf8),
                    timestamp: Timestamp(milliseconds: Int64(number) * 10))
                _ = try withExtendedLifetime(batch) { try partition().append(batch.seal()) }
            }
            let consumer = Consumer(log)
            try consumer.assign(TestLog.name, from: start)
            #expect(try consumer.position(of: TestLog.name) == Offset(Int64(first)))
            #expect(try values(consumer) == (first..<10).map(String.init))
            try consumer.seek(TestLog.name, to: start)
            #expect(try values(consumer, maxRecords: 2) == (first..<10).prefix(2).map(String.init))
        }
    }

    @Test func `offsets that are not there, and partitions not assigned, are refused`() throws {
        try log.withOwner { log, partition throws in
            try partition().append("a")
            let consumer = Consumer(log)
            var error = #expect(throws: LogError.self) {
                try consumer.assign(TestLog.name, from: .offset(Offset(2)))
            }
            #expect(error?.code == .offsetOutOfRange)
            #expect(consumer.assignment.isEmpty)
            error = #expect(throws: LogError.self) { try consumer.pause(TestLog.name) }
            #expect(error?.code == .invalidArgument)
        }
    }

    // MARK: Polling

    @Test func `a paused partition keeps its position, and gives its records when resumed`() throws
    {
        try log.withOwner { log, _ throws in
            let topic = try log.createTopic("two", partitions: 2)
            for name in topic.partitions { try log.partition(name).append("\(name)") }
            let consumer = try Consumer(log, topic: topic, from: .earliest)
            try consumer.pause(topic.partitions[0])
            #expect(try values(consumer) == ["two-1"])
            #expect(try consumer.poll(timeout: .milliseconds(1)) { _, _ in } == 0)
            try consumer.resume(topic.partitions[0])
            #expect(try values(consumer) == ["two-0"])
            consumer.unassign(topic.partitions[0])
            try log.partition(topic.partitions[0]).append("unseen")
            #expect(try values(consumer) == [])
        }
    }

    @Test func `no partition starves the others`() throws {
        try log.withOwner { log, _ throws in
            let topic = try log.createTopic("two", partitions: 2)
            for name in topic.partitions {
                for _ in 0..<30 {
                    try log.partition(name).append(String(repeating: "x", count: 100_000))
                }
            }
            let consumer = try Consumer(log, topic: topic, from: .earliest)
            var partitions: [PartitionID] = []
            try consumer.poll { partition, _ in partitions.append(partition.partition) }
            #expect(partitions.count == 60)
            #expect(Set(partitions.prefix(25)).count == 2, "a fetch of one, then one of the other")
        }
    }

    @Test func `no batch is begun over the bytes asked for`() throws {
        try log.withOwner { log, partition throws in
            for _ in 0..<10 { try partition().append(String(repeating: "x", count: 1000)) }
            let consumer = try Consumer(log, topic: try log.topic("t"), from: .earliest)
            #expect(try consumer.poll(maxBytes: 1) { _, _ in } == 1)
            #expect(try consumer.poll(maxBytes: 2500) { _, _ in } == 3)
            #expect(try consumer.poll { _, _ in } == 6)
        }
    }

    @Test func `a poll broken off in a batch goes on behind its last record`() throws {
        try log.withOwner { log, partition throws in
            try partition().append("a", "b", "c", "d", "e")
            let consumer = try Consumer(log, topic: try log.topic("t"), from: .earliest)
            #expect(try values(consumer, maxRecords: 2) == ["a", "b"])
            #expect(try consumer.position(of: TestLog.name) == Offset(2))
            #expect(try values(consumer, maxRecords: 1) == ["c"])
            #expect(try values(consumer) == ["d", "e"])
        }
    }

    // MARK: Waiting

    @Test
    func `a waiting consumer wakes for its partition`() async throws {
        let owner = try CommitLog.open(log.directory.path, as: .owner)
        let topic = try owner.topic("t")
        let read = await onThreads { started in
            let consumer = try Consumer(owner, topic: topic, from: .earliest)
            started()
            var count = 0
            while count < 100 { count += try consumer.poll(timeout: .seconds(60)) { _, _ in } }
            return count
        } after: {
            for _ in 0..<100 { try owner.partition(TestLog.name).append("x") }
        }
        #expect(try read.get() == 100)
    }

    @Test
    func `a wait ends with its time, with enough bytes, and when it is woken`() async throws {
        let owner = try CommitLog.open(log.directory.path, as: .owner)
        let topic = try owner.topic("t")
        try owner.partition(TestLog.name).append("x")
        let consumer = try Consumer(owner, topic: topic, from: .earliest)
        // Too few bytes: it waits, then gives what there is.
        #expect(try consumer.poll(timeout: .milliseconds(5), minBytes: 1000) { _, _ in } == 1)
        consumer.wakeUp()
        #expect(try consumer.poll(timeout: .seconds(3600)) { _, _ in } == 0)
        let observer = try CommitLog.open(log.directory.path, as: .observer)
        let follower = try Consumer(observer, topic: topic, from: .latest)
        #expect(try follower.poll(timeout: .milliseconds(5)) { _, _ in } == 0)
        try owner.partition(TestLog.name).append("y")
        #expect(try follower.poll(timeout: .seconds(3600)) { _, _ in } == 1)
    }

    /// Runs `body` in a thread of its own, which may block, and `action` here once it has started.
    private func onThreads<R: Sendable>(
        _ body: @escaping @Sendable (() -> Void) throws -> R,
        after action: @Sendable () throws -> Void
    ) async -> Result<R, any Error> {
        let started = AppendSignal()
        async let result = withCheckedContinuation { continuation in
            Thread {
                continuation.resume(returning: Result { try body { started.notify() } })
            }.start()
        }
        while started.count == 0 { await Task.yield() }
        do { try action() } catch { return .failure(error) }
        return await result
    }

    @Test func `a poll's call may seek, but not poll`() throws {
        try log.withOwner { log, partition in
            try partition().append("a", "b", "c")
            let consumer = try Consumer(log, topic: try log.topic("t"), from: .earliest)
            try consumer.poll(maxRecords: 2) { name, record in
                let error = #expect(throws: LogError.self) { try consumer.poll { _, _ in } }
                #expect(error?.code == .invalidArgument)
                if record.offset == Offset(1) { try consumer.seek(name, to: .earliest) }
            }
            #expect(try values(consumer) == ["a", "b", "c"])
        }
    }

    @Test(arguments: [(0, Int.max), (-1, .max), (.max, 0), (.max, -1)])
    func `a poll that could give nothing is refused, and does not wait busily`(
        maxRecords: Int, maxBytes: Int
    ) throws {
        try log.withOwner { log, partition throws in
            try partition().append("a")
            let consumer = try Consumer(log, topic: try log.topic("t"), from: .earliest)
            let error = #expect(throws: LogError.self) {
                try consumer.poll(
                    timeout: .milliseconds(10), maxRecords: maxRecords, maxBytes: maxBytes
                ) { _, _ in }
            }
            #expect(error?.code == .invalidArgument)
        }
    }
}
