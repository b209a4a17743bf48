// What the tests of transactions share: a log with topics of its own and what
// readers see.

import Foundation
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct TransactionLog {
    let directory: TemporaryDirectory
    let clock = TestClock()
    let topics = ["orders", "events"]

    init() throws {
        directory = try TemporaryDirectory()
        let log = try open()
        for topic in topics { try log.createTopic(topic, partitions: 2) }
        try log.close()
    }

    func open() throws -> CommitLog { try openOwner(directory.path) }

    /// A coordinator on the test's clock.
    func coordinator(
        _ log: CommitLog,
        willTake: @escaping @Sendable (TransactionStep) throws -> Void = { _ in }
    ) throws -> TransactionCoordinator {
        try TransactionCoordinator(log, now: { [clock] in clock.now }, willTake: willTake)
    }

    func values(in log: CommitLog, _ isolation: Isolation = .readCommitted) throws -> [String] {
        try topics.flatMap { topic in
            try log.topic(topic).partitions.flatMap {
                try log.partition($0).values(from: 0, isolation)
            }
        }.sorted()
    }

    func openCount(in log: CommitLog) throws -> Int {
        try log.topics.flatMap(\.partitions).reduce(0) {
            try $0 + log.partition($1).openTransactions.count
        }
    }
}

func name(_ topic: String, _ partition: Int = 0) -> TopicPartition {
    TopicPartition(topic, PartitionID(partition))
}

extension TransactionalProducer {
    func send(_ value: String, to topic: String) throws {
        try send(Array(value.utf8), to: topic)
    }
}

extension TransactionLog {
    /// The segments of the topic of transactions' states.
    func stateSegments() throws -> [String] {
        let folders = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        return folders.filter { $0.hasPrefix(TransactionTopic.name) }.sorted().map {
            "\(directory.path)/\($0)/00000000000000000000.log"
        }
    }
}

/// Threads of their own: what blocks must not hold up the pool that tests share.
enum Threads {
    /// Calls `body` in `count` threads and waits for all of them.
    static func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) async {
        let left = Mutex(count)
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            for thread in 0..<count {
                Thread.detachNewThread {
                    body(thread)
                    let isLast = left.withLock { left in
                        left -= 1
                        return left == 0
                    }
                    if isLast { done.resume() }
                }
            }
        }
    }
}
