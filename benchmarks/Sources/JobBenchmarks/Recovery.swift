// recovery.10k, recovery.1M, recovery.10M and, with BENCH_FULL=1, recovery.100M: from the start of a process
// to the first record that its job has, after kill -9, with so many keys in the store. It must not grow with
// the keys.

import BenchmarkSupport
import Foundation
import StreamJobs

enum Recovery {
    static func all(_ report: Report) throws {
        var sizes = [
            ("recovery.10k", 10_000), ("recovery.1M", 1_000_000), ("recovery.10M", 10_000_000),
        ]
        if ProcessInfo.processInfo.environment["BENCH_FULL"] == "1" {
            sizes.append(("recovery.100M", 100_000_000))
        }
        let start = median(try (0..<15).map { _ in try RecoveryProbe.milliseconds(["start"]) })
        try report.add("recovery.process", start, "ms", "a process with nothing to recover")
        var smallest: Double?
        for (name, keys) in sizes {
            let time = try measure(keys) - start
            try report.add(
                name, time, "ms", floor: smallest, better: .less,
                "from exec to the first record after kill -9, less the start of a process; "
                    + "\(keys) keys\(smallest == nil ? "" : "; floor: 10k keys")")
            smallest = smallest ?? time
        }
    }

    private static func measure(_ keys: Int) throws -> Double {
        try Workspace.withDirectory { path in
            try RecoveryProbe.run(["fill", path, "\(keys)"])
            return median(
                try (0..<15).map { _ in try RecoveryProbe.milliseconds(["restart", path]) })
        }
    }
}

/// This program again, as a process that works on a job until it is killed.
enum RecoveryProbe {
    static let argument = "recovery-probe"

    /// Counts the keys it is given, and ends its process at the first record after a start.
    private struct Counter: SingleInputTask {
        static let input = Input("t", key: .int64, value: .ignored)
        // Set before the run's thread is begun.
        nonisolated(unsafe) static var isKilledAtOnce = false

        let counts: KeyValueStore<Int64, Int64>

        init(_ setup: borrowing TaskSetup) throws {
            counts = try setup.store("counts", value: .int64)
        }

        mutating func process(
            _ record: borrowing Record<Int64, Void>, _ context: inout TaskContext
        ) throws {
            if Self.isKilledAtOnce { RecoveryProbe.tellTimeAndDie() }
            try counts.increment(record.key)
        }
    }

    static func main(_ arguments: [String]) {
        do {
            switch arguments.first {
            case "start": tellTimeAndDie()
            case "fill": try fill(arguments[1], keys: Int(arguments[2]) ?? 0)
            case "restart": try restart(arguments[1])
            default: exit(64)
            }
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(1)
        }
    }

    /// Counts each key once and commits; then works on, and is killed.
    private static func fill(_ path: String, keys: Int) throws {
        let log = try CommitLog.open(path, as: .owner)
        let topic = try log.createTopic("t", partitions: 1)
        try send(0..<keys, to: topic, of: log)
        _ = try JobRun(job, on: log, settings: RunSettings(threads: 1, untilEnd: true)).run()
        try send(0..<1000, to: topic, of: log)
        Counter.isKilledAtOnce = true
        _ = try JobRun(job, on: log, settings: RunSettings(threads: 1)).run()
    }

    private static func restart(_ path: String) throws {
        Counter.isKilledAtOnce = true
        let log = try CommitLog.open(path, as: .owner)
        _ = try JobRun(job, on: log, settings: RunSettings(threads: 1)).run()
    }

    private static let job = Job("recovery", Counter.self)

    private static func send(_ numbers: Range<Int>, to topic: Topic, of log: CommitLog) throws {
        let producer = Producer(log, acks: .written)
        for number in numbers {
            try withUnsafeBytes(of: Workload.key(number)) { key in
                try producer.sendBytes(nil, key: key, to: topic, timestamp: Workload.timestamp)
            }
        }
        try producer.flush()
    }

    private static func tellTimeAndDie() {
        print(nanoseconds())
        fflush(nil)
        kill(getpid(), SIGKILL)
    }

    private static func nanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    // MARK: From the other process

    /// Milliseconds from before the process is started to the time that it tells.
    static func milliseconds(_ arguments: [String]) throws -> Double {
        let start = nanoseconds()
        let output = try run(arguments)
        guard let end = Int64(output.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw WrongResult(description: "the process \(arguments) has said: \(output)")
        }
        return Double(end - start) / 1e6
    }

    /// What the process has printed, when it is gone.
    @discardableResult
    static func run(_ arguments: [String]) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe")
        process.arguments = [argument] + arguments
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try require(
            process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL,
            "the process \(arguments) has ended by itself")
        return String(decoding: data, as: UTF8.self)
    }
}
