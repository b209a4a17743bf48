// A crash before each step of the coordinator, in transactions, aborts, hand-overs and recoveries: the
// step and all after it fail, as if the process had ended there. Then the log is opened again, with what
// was written, or, after a power loss, with any part of what was not flushed missing.

import StreamJobsLog
import Synchronization
import TestSupport
import Testing

private struct Crash: Error {}

/// Lets so many steps pass.
private final class Countdown: Sendable {
    private let left: Atomic<Int>
    init(_ count: Int) { left = Atomic(count) }

    func step() throws {
        guard left.subtract(1, ordering: .relaxed).oldValue > 0 else { throw Crash() }
    }
    var hasEnded: Bool { left.load(ordering: .relaxed) < 0 }
}

/// What may be seen afterwards.
private struct Expected {
    /// The values of transactions whose commit has returned.
    var committed: [String] = []
    /// Of the one that was cut short: all of it or nothing.
    var open: [String] = []
    var aborted: Set<String> = []

    func allows(_ values: [String]) -> Bool {
        values == committed.sorted() || values == (committed + open).sorted()
    }
}

struct TransactionCrashTests {
    @Test(arguments: [false, true])
    func `a crash at any step leaves all or nothing of a transaction`(isPowerLoss: Bool) throws {
        var random = SeededGenerator(seed: 1)
        var step = 0
        while true {
            let test = try TransactionLog()
            var expected = Expected()
            let hasCrashed = try run(test, crashBefore: step, isPowerLoss, &expected, &random)
            try check(test, &expected, "a crash before step \(step)")
            guard hasCrashed else { break }
            step += 1
        }
        #expect(step > 40)
    }

    @Test(arguments: seeds(15))
    func `crashes one after the other, in recovery too, lose and double nothing`(seed: UInt64)
        throws
    {
        var random = SeededGenerator(seed: seed)
        let test = try TransactionLog()
        var expected = Expected()
        for round in 0..<8 {
            let step = Int.random(in: 0..<(random.chance(50) ? 8 : 50), using: &random)
            try run(
                test, crashBefore: step, random.chance(50), round: round, &expected, &random)
            // What recovery has decided stays decided.
            let log = try test.open()
            let values = try settled(test, log)
            #expect(expected.allows(values), "round \(round): \(values)")
            expected.committed = values
            expected.open = []
        }
        try check(test, &expected, "seed \(seed)")
    }

    /// Runs the workload on a log that is then left as after a crash. True if it crashed.
    @discardableResult
    private func run(
        _ test: TransactionLog, crashBefore step: Int, _ isPowerLoss: Bool, round: Int = 0,
        _ expected: inout Expected, _ random: inout SeededGenerator
    ) throws -> Bool {
        let countdown = Countdown(step)
        var flushed: [String: Int64] = [:]
        do {
            let log = try test.open()
            do {
                let coordinator = try test.coordinator(log) { _ in try countdown.step() }
                try work(log, coordinator, countdown, round, &expected)
            } catch is Crash {
            } catch let error as LogError where error.code == .outcomeUnknown {}
            for name in log.topics.flatMap(\.partitions) {
                flushed[name.description] = try log.partition(name).flushedOffset.rawValue
            }
        }
        if isPowerLoss { try lose(test, flushed, &random) }
        return countdown.hasEnded
    }

    private func work(
        _ log: CommitLog, _ coordinator: TransactionCoordinator, _ countdown: Countdown,
        _ round: Int, _ expected: inout Expected
    ) throws {
        for life in 0..<2 {
            let producer = try TransactionalProducer(log, coordinator, transactionalID: "a")
            for number in 0..<3 {
                let values = ["orders", "events"].map { "\(round) \(life) \(number) \($0)" }
                if number == 1 {
                    expected.aborted.formUnion(values)
                    try producer.begin()
                    for value in values { try producer.send(value, to: "orders") }
                    try sendMuch(producer, &expected)
                    try producer.abort()
                    if countdown.hasEnded { throw Crash() }
                    continue
                }
                expected.open = values
                try producer.transaction {
                    try $0.send(values[0], to: "orders")
                    try $0.send(values[1], to: "events")
                }
                expected.committed += values
                expected.open = []
                // The process has ended in there: nothing it does afterwards counts.
                if countdown.hasEnded { throw Crash() }
            }
            // Left open for the next life.
            try producer.begin()
            try sendMuch(producer, &expected)
        }
    }

    private func sendMuch(_ producer: TransactionalProducer, _ expected: inout Expected) throws {
        let large = String(repeating: "x", count: 700_000)
        expected.aborted.insert(large)
        for _ in 0..<2 { try producer.send(large, to: "events") }
    }

    /// Cuts each partition somewhere between what is flushed and its end.
    private func lose(
        _ test: TransactionLog, _ flushed: [String: Int64], _ random: inout SeededGenerator
    ) throws {
        for (partition, offset) in flushed {
            let path = "\(test.directory.path)/\(partition)/00000000000000000000.log"
            let bytes = try readFile(path)
            var position = 0
            while position < bytes.count {
                let base = bytes[position..<position + 8].reduce(0) { $0 << 8 | Int64($1) }
                if base >= offset { break }
                position += batchByteCount(bytes, at: position)
            }
            guard position < bytes.count, random.chance(80) else { continue }
            let end =
                random.chance(50)
                ? position : Int.random(in: position...bytes.count, using: &random)
            try writeFile(path, Array(bytes.prefix(end)))
        }
    }

    /// Opens what the crash left and lets a new producer take over.
    private func settled(_ test: TransactionLog, _ log: CommitLog) throws -> [String] {
        _ = try TransactionalProducer(
            log, try test.coordinator(log), transactionalID: "a")
        #expect(try test.openCount(in: log) == 0)
        return try test.values(in: log)
    }

    private func check(_ test: TransactionLog, _ expected: inout Expected, _ comment: Comment)
        throws
    {
        var first: [String]?
        for _ in 0..<2 {
            let log = try test.open()
            let values = try settled(test, log)
            #expect(expected.allows(values), comment)
            #expect(expected.aborted.isDisjoint(with: values), comment)
            // Opened again, it is the same.
            #expect(first ?? values == values, comment)
            first = values
        }
        let log = try test.open()
        let producer = try TransactionalProducer(log, transactionalID: "a")
        try producer.transaction { try $0.send("after", to: "orders") }
        #expect(try test.values(in: log).contains("after"), comment)
    }
}
