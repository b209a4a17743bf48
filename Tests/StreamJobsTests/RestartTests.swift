// Restarts that are easy to get wrong: two jobs in one directory, states put in place by mistake,
// producer ids that run out; and event time, which must follow from the records.

import Foundation
import JobTestSupport
import StreamJobs
import StreamJobsLog
import StreamJobsTesting
import TestSupport
import Testing

@Suite struct RestartTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Runs on a log that fails for good before its step `crash`; whether it came to that.
    @discardableResult
    func run(_ job: Job, crashBefore crash: Int = .max, commitInterval: Duration = .seconds(9))
        throws
        -> Bool
    {
        let log = CrashingLog(try openLog(directory.path), before: crash)
        do {
            let run = try JobRun(
                job, on: log, state: .directory(directory.path + "/state"),
                settings: RunSettings(threads: 1, untilEnd: true, commitInterval: commitInterval))
            _ = try run.run()
            return false
        } catch is CrashingLog.Crash { return true }
    }

    func produce(_ input: WordInput, partitions: Int = 1) throws {
        let log = try openLog(directory.path)
        try input.produce(to: log, partitions: partitions)
        try log.close()
    }

    func commits() throws -> Partition {
        let log = try CommitLog.open(directory.path, as: .observer)
        return try log.partition(TopicPartition("__commits-words", PartitionID(0)))
    }

    /// Crashes with a transaction open in the commits topic; gives how many steps that took.
    func leaveOpen(_ job: Job) throws {
        for crash in 1... {
            #expect(try run(job, crashBefore: crash))
            if try !commits().openTransactions.isEmpty { return }
        }
    }

    @Test func `a job that has crashed does not hold up another one's restart`() throws {
        var generator = SeededGenerator.seeded()
        try produce(WordInput(lines: 20, using: &generator))
        try leaveOpen(wordJob)
        let other = Job("other", LineCounter.self)
        try run(other)
        try run(other)
    }

    @Test func `a state that is refused has changed nothing in the log`() throws {
        var generator = SeededGenerator.seeded()
        let input = WordInput(lines: 20, using: &generator)
        try produce(input)
        let state = directory.path + "/state"
        // Copies of the state before each crash: the last one is older than what the next has decided.
        for crash in 1... {
            let older = directory.path + "/older"
            try? FileManager.default.removeItem(atPath: older)
            if FileManager.default.fileExists(atPath: state) {
                try FileManager.default.copyItem(atPath: state, toPath: older)
            }
            guard try run(wordJob, crashBefore: crash, commitInterval: .zero) else { break }
            guard FileManager.default.fileExists(atPath: older) else { continue }
            let newer = directory.path + "/newer"
            try FileManager.default.moveItem(atPath: state, toPath: newer)
            try FileManager.default.moveItem(atPath: older, toPath: state)
            do {
                let log = try openLog(directory.path)
                _ = try JobRun(wordJob, on: log)
            } catch let error as JobError {
                #expect(error.code == .refused)
                // The right state is put back.
                try FileManager.default.removeItem(atPath: state)
                try FileManager.default.moveItem(atPath: newer, toPath: state)
                continue
            }
            // It was accepted, being as new.
            try FileManager.default.removeItem(atPath: newer)
        }
        try run(wordJob)
        let log = try openLog(directory.path)
        #expect(try WordOutput(log).isExactly(input))
    }

    @Test func `a job goes on whose input was deleted up to where it has read`() throws {
        var generator = SeededGenerator.seeded()
        var input = WordInput(lines: 20, using: &generator)
        try produce(input)
        try run(wordJob)
        let log = try openLog(directory.path)
        let lines = try log.partition(TopicPartition("lines", PartitionID(0)))
        try log.deleteRecords(of: lines.name, before: lines.logEndOffset)
        // A bounded run with nothing new does not look at its positions.
        var news = WordInput(lines: 10, using: &generator)
        for index in news.lines.indices { news.lines[index].timestamp += 3_600_000 }
        try news.produce(to: log, partitions: 1)
        try log.close()
        try run(wordJob)
        input.lines += news.lines
        let again = try openLog(directory.path)
        #expect(try WordOutput(again).isExactly(input))
    }

    @Test func `the states of two tasks that were exchanged are refused`() throws {
        var generator = SeededGenerator.seeded()
        try produce(WordInput(lines: 20, using: &generator), partitions: 2)
        try run(wordJob)
        let states = directory.path + "/state/words/"
        let task = "WordSplitter-"
        try FileManager.default.moveItem(atPath: states + task + "0", toPath: states + "aside")
        try FileManager.default.moveItem(atPath: states + task + "1", toPath: states + task + "0")
        try FileManager.default.moveItem(atPath: states + "aside", toPath: states + task + "1")
        try produce(WordInput(lines: 20, using: &generator), partitions: 2)
        let error = #expect(throws: JobError.self) { try run(wordJob) }
        #expect(error?.code == .refused)
        #expect(error?.message.contains("another task's") == true)
    }

    @Test func `state removed after a crash in the first commit is missed`() throws {
        var generator = SeededGenerator.seeded()
        try produce(WordInput(lines: 20, using: &generator))
        try leaveOpen(wordJob)
        try FileManager.default.removeItem(atPath: directory.path + "/state")
        let error = #expect(throws: JobError.self) { try run(wordJob) }
        #expect(error?.code == .refused)
    }

    @Test func `crashes while a producer id runs out leave no transaction open for ever`() throws {
        var generator = SeededGenerator.seeded()
        let input = WordInput(lines: 40, using: &generator)
        try produce(input, partitions: 2)
        for round in 0..<3 {
            let log = try openLog(directory.path)
            if round == 0 {
                // The epochs of the state's producer are used up, as far as the log knows.
                _ = try JobRun(wordJob, on: log)
            }
            try log.close()
            if round == 0 { try exhaustEpochs() }
            for crash in [3, 4, 5] { try run(wordJob, crashBefore: crash + round) }
        }
        try run(wordJob)
        let log = try openLog(directory.path)
        let open = try log.topics.flatMap(\.partitions).flatMap {
            try log.partition($0).openTransactions
        }
        #expect(open.isEmpty)
        #expect(try WordOutput(log).isExactly(input))
    }

    /// Writes an aborted transaction of the last epoch for each producer id given so far.
    private func exhaustEpochs() throws {
        let log = try openLog(directory.path)
        let next = try log.takeProducerIDs(1)
        let commits = try log.partition(TopicPartition("__commits-words", PartitionID(0)))
        for id in 0..<next {
            let stamp = ProducerStamp(id: id, epoch: 31_999)
            let batch = BatchBuilder()
            // The topic is compacted: a record without key would be refused.
            try Array("key".utf8).withUnsafeBytes {
                try batch.append(key: $0, value: nil, timestamp: Timestamp(milliseconds: 0))
            }
            try withExtendedLifetime(batch) {
                _ = try commits.append(batch.seal(producer: stamp, isTransactional: true))
            }
            try commits.end(stamp, with: .abort)
        }
        try log.close()
    }

    @Test func `what a timer sees does not depend on when commits fall`() throws {
        var generator = SeededGenerator.seeded()
        // Disordered, so that late lines are passed on.
        var input = WordInput(lines: 5000, using: &generator)
        for index in input.lines.indices {
            input.lines[index].timestamp += .random(in: -4000...4000, using: &generator)
        }
        let log = try openLog(directory.path)
        try input.produce(to: log, partitions: 3)
        try log.close()
        var first: [String: [Int64]]?
        for (index, interval) in [Duration.zero, .seconds(9), .milliseconds(2)].enumerated() {
            let copy = directory.path + "-\(index)"
            defer { try? FileManager.default.removeItem(atPath: copy) }
            try FileManager.default.copyItem(atPath: directory.path, toPath: copy)
            let log = try openLog(copy)
            _ = try JobRun(
                Job("timers", WordSplitter.self, TimerWatcher.self), on: log,
                settings: RunSettings(
                    threads: index + 1, untilEnd: true, commitInterval: interval)
            ).run()
            let seen = try WordOutput.read("seen", log)
            #expect(seen == first ?? seen)
            first = seen
        }
    }

    @Test func `in a live run a window closes by what upstream tasks tell, without a record`()
        throws
    {
        let job = try TestJob(wordJob, partitions: 2)
        // Words whose partitions differ.
        let words = ["ant", "bee", "cat", "dog", "eel", "fox"]
        let parts = words.map { word in
            Array(word.utf8).withUnsafeBytes { Partitioner.partition(forKey: $0, of: 2) }
        }
        let other = try #require(zip(words, parts).first { $0.1 != parts[0] }?.0)
        for second in [0, 10] {
            for key in ["0", "1", "2", "3", "4", "5", "6", "7"] {
                try job.send(
                    second == 0 ? words[0] : other, key: key, to: WordSplitter.input,
                    timestamp: Timestamp(milliseconds: Int64(second) * 1000))
            }
        }
        let closed = try job.records(in: WordCounter.seconds).map(\.key)
        #expect(closed == ["ant@0"])
    }

    @Test func `a task that reads a topic twice is refused`() throws {
        let log = try openLog(directory.path)
        try log.createTopic("lines", partitions: 1)
        let error = #expect(throws: JobError.self) {
            try JobRun(Job("twice", TwiceReader.self), on: log)
        }
        #expect(error?.code == .refused)
        #expect(error?.message.contains("'lines' twice") == true)
    }
}

/// Counts lines.
struct LineCounter: SingleInputTask {
    static let input = WordSplitter.input
    static let lines = Output("line-count", key: .string, value: .int64)
    static var outputs: [Outlet] { lines }
    let count: KeyValueStore<String, Int64>

    init(_ setup: borrowing TaskSetup) throws { count = try setup.store("count", value: .int64) }

    mutating func process(
        _ line: borrowing Record<String?, String>, _ context: inout TaskContext
    ) throws {
        let next = try (count.get("all") ?? 0) + 1
        try count.put("all", next)
        try context.send(next, to: Self.lines, key: "all")
    }
}

/// Sends what a word's total is when a timer fires, and whether its records came late.
struct TimerWatcher: SingleInputTask {
    static let input = WordSplitter.words.input
    static let seen = Output("seen", key: .string, value: .int64)
    static var outputs: [Outlet] { seen }
    let totals: KeyValueStore<String, Int64>

    init(_ setup: borrowing TaskSetup) throws { totals = try setup.store("totals", value: .int64) }

    mutating func process(
        _ word: borrowing Record<String, String>, _ context: inout TaskContext
    ) throws {
        try totals.put(word.key, (totals.get(word.key) ?? 0) + 1)
        if context.isLate {
            try context.send(-word.timestamp.milliseconds, to: Self.seen, key: word.key)
        }
        try context.setTimer(at: word.timestamp.advanced(by: .seconds(1)), key: word.key)
    }

    mutating func timerFired(_ timer: EventTimer, _ context: inout TaskContext) throws {
        try context.send(totals.get(timer.key) ?? 0, to: Self.seen, key: timer.key)
    }
}

struct TwiceReader: StreamTask {
    static var inputs: some Route<Self> {
        On(WordSplitter.input) { _, _, _ in }
        On(WordSplitter.input) { _, _, _ in }
    }
    init(_ setup: borrowing TaskSetup) throws {}
}
