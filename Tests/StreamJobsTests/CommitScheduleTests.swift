// When a task commits: by the clock, by what it holds, and when it asks for it.

import StreamJobs
import StreamJobsLog
import TestSupport
import Testing

struct CommitScheduleTests {
    let directory: TemporaryDirectory
    let log: CommitLog

    init() throws {
        directory = try TemporaryDirectory()
        log = try openLog(directory.path)
        try log.createTopic("lines", partitions: 1)
    }

    private func produce(_ lines: [String]) throws {
        let producer = Producer(log)
        for line in lines {
            try producer.send(
                Array(line.utf8), key: nil, to: log.topic("lines"),
                timestamp: Timestamp(milliseconds: 0))
        }
        try producer.flush()
    }

    private func run(_ job: Job, _ settings: RunSettings) throws -> RunSummary {
        var settings = settings
        settings.threads = 1
        settings.commitInterval = .seconds(1_000)
        return try JobRun(job, on: log, settings: settings).run()
    }

    private var commits: Int64? {
        get throws {
            let topic = TopicPartition("__commits-echo", PartitionID(0))
            return try CommitsTopic.lastCommits(in: log.partition(topic))["Echo-0"]?.number
        }
    }

    /// The offsets of what the job has sent: one is left out for each marker.
    private var offsets: [Int64] {
        get throws {
            var offsets: [Int64] = []
            let consumer = try Consumer(log, topic: log.topic("echoes"), from: .earliest)
            _ = try consumer.poll(maxRecords: .max) { _, record in
                offsets.append(record.offset.rawValue)
            }
            return offsets
        }
    }

    @Test
    func
        `a dry task waits for the spacing, a busy one for the interval, an urgent one for nothing`()
    {
        let start = ContinuousClock.now
        func after(_ time: Duration, dry: Bool = false, urgent: Bool = false) -> Bool {
            CommitSchedule(interval: .seconds(10), spacing: .seconds(1), now: start)
                .isDue(isDry: dry, isUrgent: urgent, now: start + time)
        }
        #expect(!after(.seconds(9)) && after(.seconds(10)))
        #expect(!after(.milliseconds(900), dry: true) && after(.seconds(1), dry: true))
        #expect(after(.zero, urgent: true))
        var schedule = CommitSchedule(interval: .seconds(10), spacing: .seconds(1), now: start)
        #expect(schedule.timeLeft(now: start + .milliseconds(300)) == .milliseconds(700))
        #expect(schedule.timeLeft(now: start + .seconds(3)) == .zero)
        schedule.committed(now: start + .seconds(3))
        #expect(!schedule.isDue(isDry: true, isUrgent: false, now: start + .milliseconds(3_900)))
    }

    @Test func `a task that asks for a commit is seen before its next record`() throws {
        try produce((1...60).map { $0 % 10 == 0 ? "commit" : "line" })
        _ = try run(echo, RunSettings(untilEnd: true))
        #expect(try offsets == (0..<60).map { $0 + $0 / 10 })
    }

    @Test func `a task that does not ask commits once it has read all`() throws {
        try produce((1...60).map { "line \($0)" })
        _ = try run(echo, RunSettings(untilEnd: true))
        #expect(try offsets == Array(0..<60))
    }

    @Test func `a task ends a live run behind a record, and the next run goes on there`() throws {
        try produce(["a", "shutdown", "b", "shutdown", "c"])
        for expected in [2, 4] as [Int64] {
            let summary = try run(echo, RunSettings())
            #expect(summary.wasStoppedByTask)
            #expect(summary.recordsProcessed == 2)
            #expect(try Int64(offsets.count) == expected)
        }
        #expect(try !run(echo, RunSettings(untilEnd: true)).wasStoppedByTask)
        #expect(try offsets.count == 5)
    }

    @Test func `a task whose share of the memory is full commits early`() throws {
        let lines = (0..<400).map { "\($0)" + String(repeating: "x", count: 10_000) }
        try produce(lines)
        _ = try run(echo, RunSettings(untilEnd: true, memory: 1))
        let commits = try #require(try commits)
        #expect(commits >= 4 && commits < 40, "\(commits) commits")
        #expect(try offsets.count == 400)
    }
}

/// Sends what it reads.
struct Echo: SingleInputTask {
    static let input = WordSplitter.input
    static let echoes = Output("echoes", key: .optional(.string), value: .string)
    static var outputs: [Outlet] { echoes }

    init(_ setup: borrowing TaskSetup) throws {}

    mutating func process(
        _ line: borrowing Record<String?, String>, _ context: inout TaskContext
    ) throws {
        try context.send(line.value, to: Self.echoes, key: line.key)
        if line.value == "commit" { context.commit() }
        if line.value == "shutdown" { context.shutdown() }
    }
}

let echo = Job("echo", Echo.self)
