// Builders for tests of consumer groups: a log with one input topic, a clock that the test moves, members
// in threads of their own.

import Foundation
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

/// A log with the topic `in`; opened again at will.
final class GroupLog {
    private let directory: TemporaryDirectory
    private(set) var log: CommitLog
    let clock = TestClock()

    init(partitions: Int = 4) throws {
        directory = try TemporaryDirectory()
        log = try openOwner(directory.path)
        try log.createTopic("in", partitions: partitions)
        _ = try coordinator
    }

    /// With the test's clock from its first use on.
    var coordinator: GroupCoordinator {
        get throws { try log.groupCoordinator(now: { [clock] in clock.now }) }
    }

    func reopen() throws {
        try log.close()
        log = try openOwner(directory.path)
        _ = try coordinator
    }

    /// Names another owner in the lock's file; the lock stays.
    func pretendOwner(pid: Int32) throws {
        try writeFile(directory.path + "/.lock", Array("\(pid)\n".utf8))
    }

    func observer() throws -> CommitLog { try CommitLog.open(directory.path, as: .observer) }

    func partition(_ number: Int) -> TopicPartition { TopicPartition("in", PartitionID(number)) }

    /// Appends `count` records to each partition, numbered on from `first`.
    func fill(_ count: Int, from first: Int = 0) throws {
        for name in try log.topic("in").partitions {
            try log.partition(name).append(
                (first..<first + count).map { "\(name.partition):\($0)" }, producer: nil,
                isTransactional: false)
        }
    }

    /// A member that reads from the start and commits only when asked.
    func member(
        _ group: String = "g", _ change: (inout GroupConsumerSettings) -> Void = { _ in }
    ) throws -> GroupConsumer {
        var settings = GroupConsumerSettings()
        settings.offsetReset = .earliest
        settings.autoCommitInterval = nil
        change(&settings)
        return try GroupConsumer(log, group: group, topics: ["in"], settings: settings)
    }

    func committed(_ group: String = "g") throws -> [Int: Int64] {
        Dictionary(
            uniqueKeysWithValues: try coordinator.committed(in: group).map {
                (Int($0.key.partition.rawValue), $0.value.offset.rawValue)
            })
    }
}

extension GroupConsumer {
    /// The values that come within `timeout`, of one poll.
    func values(timeout: Duration = .zero) throws -> [String] {
        var values: [String] = []
        _ = try poll(timeout: timeout) { _, record in
            values.append(String(decoding: try Entry(record).value ?? [], as: UTF8.self))
        }
        return values
    }

    var numbers: [Int] { assignment.map { Int($0.partition.rawValue) } }
}

/// Lets members poll in turn, on this thread, until all say that they have settled: what the protocol
/// needs to complete, without threads.
func settle(_ members: [GroupConsumer], holding total: Int) throws {
    for _ in 0..<20 {
        for member in members { _ = try member.poll(timeout: .zero) { _, _ in } }
        let isEven = members.map(\.numbers.count).reduce(0, +) == total
        let generations = Set(members.map(\.generation))
        if isEven, generations.count == 1, !generations.contains(-1) { return }
    }
    Issue.record("the members did not settle: \(members.map(\.numbers))")
}

/// Runs each body on a thread of its own and gives what they threw, when all have ended.
func inThreads(_ bodies: [@Sendable () throws -> Void]) async -> [any Error] {
    await withTaskGroup(of: (any Error)?.self) { group in
        for body in bodies {
            group.addTask {
                await withCheckedContinuation { continuation in
                    Thread {
                        do {
                            try body()
                            continuation.resume(returning: nil)
                        } catch { continuation.resume(returning: error) }
                    }.start()
                }
            }
        }
        return await group.reduce(into: []) { errors, error in
            if let error { errors.append(error) }
        }
    }
}
