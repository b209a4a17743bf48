// Members in threads of their own, with real time: nothing waits in vain, and each record is read.

import Foundation
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

/// What members in several threads have read.
private final class Readings: Sendable {
    private let values = Mutex<[String: Int]>([:])

    func add(_ value: String) { values.withLock { $0[value, default: 0] += 1 } }
    var count: Int { values.withLock { $0.count } }
    var repeated: Int { values.withLock { $0.values.count { $0 > 1 } } }
}

struct GroupThreadTests {
    private let directory: TemporaryDirectory
    private let log: CommitLog

    init() throws {
        directory = try TemporaryDirectory()
        log = try openOwner(directory.path)
        try log.createTopic("in", partitions: 6)
    }

    private func append(_ values: Range<Int>) throws {
        for value in values {
            let name = TopicPartition("in", PartitionID(value % 6))
            try log.partition(name).append("\(value)")
        }
    }

    @Sendable private func member(_ settings: GroupConsumerSettings) throws -> GroupConsumer {
        try GroupConsumer(log, group: "g", topics: ["in"], settings: settings)
    }

    private var settings: GroupConsumerSettings {
        var settings = GroupConsumerSettings()
        settings.offsetReset = .earliest
        settings.acks = .written
        return settings
    }

    @Test(arguments: [Assignor.cooperativeSticky, .range])
    func `members come and go while records come, and each is read once`(assignor: Assignor)
        async throws
    {
        let total = 3000
        let readings = Readings()
        var settings = settings
        settings.assignors = [assignor]
        let (chosen, member) = (settings, member)
        let reader: @Sendable (Int) throws -> Void = { limit in
            let consumer = try member(chosen)
            var count = 0
            while readings.count < total, count < limit {
                count += try consumer.poll(timeout: .milliseconds(50)) { _, record in
                    readings.add(String(decoding: try Entry(record).value ?? [], as: UTF8.self))
                }
            }
            try consumer.close()
        }
        let log = self.log
        let writer: @Sendable () throws -> Void = {
            for value in 0..<total {
                let name = TopicPartition("in", PartitionID(value % 6))
                try log.partition(name).append("\(value)")
            }
        }
        let errors = await inThreads([
            writer, { try reader(.max) }, { try reader(300) }, { try reader(.max) },
            { try reader(200) },
        ])
        #expect(errors.isEmpty)
        #expect(readings.count == total)
        // Everybody left in order, so that nothing had to come again.
        #expect(readings.repeated == 0)
        let described = try log.groups.describe("g")
        #expect(described.state == .empty)
        #expect(described.partitions.allSatisfy { $0.lag == 0 })
    }

    @Test
    func `a member that dies in silence is missed, and its partitions are read by others`()
        async throws
    {
        try append(0..<600)
        let readings = Readings()
        var settings = settings
        settings.sessionTimeout = .milliseconds(300)
        settings.heartbeatInterval = .milliseconds(50)
        settings.autoCommitInterval = nil
        let (chosen, member) = (settings, member)
        let corpse = try member(chosen)
        // Joins, reads, and is never heard of again.
        while try corpse.poll(timeout: .milliseconds(10), { _, _ in }) == 0 {}
        let errors = await inThreads([
            {
                let consumer = try member(chosen)
                while readings.count < 600 {
                    _ = try consumer.poll(timeout: .milliseconds(50)) { _, record in
                        readings.add(String(decoding: try Entry(record).value ?? [], as: UTF8.self))
                    }
                }
                try consumer.close()
            }
        ])
        #expect(errors.isEmpty && readings.count == 600)
        let error = #expect(throws: LogError.self) { try corpse.commit() }
        #expect(error?.code == .unknownMember)
    }

    @Test
    func `a waiting member wakes for a record, and a joining one for the other's joining`()
        async throws
    {
        let isWaiting = Atomic<Int>(0)
        let (chosen, member, log) = (settings, member, log)
        // Waits of an hour: only a wake ends them within the test's time.
        let reader: @Sendable () throws -> Void = {
            let consumer = try member(chosen)
            var count = 0
            consumer.onAssigned = { _ in isWaiting.add(1, ordering: .sequentiallyConsistent) }
            while count == 0 { count += try consumer.poll(timeout: .seconds(3600)) { _, _ in } }
            try consumer.close()
        }
        let writer: @Sendable () throws -> Void = {
            while isWaiting.load(ordering: .sequentiallyConsistent) < 2 { sched_yield() }
            for number in 0..<6 {
                try log.partition(TopicPartition("in", PartitionID(number))).append("x")
            }
        }
        #expect(await inThreads([reader, reader, writer]).isEmpty)
    }
}
