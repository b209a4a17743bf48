// Commits that fail while the job lives: a state whose outcome is unknown, a disk that is full, a flush or an
// append that fails once.

import Foundation
import JobTestSupport
import LocalState
import StreamJobs
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct CommitFailureTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    // MARK: The state

    /// Lines for the fragile task; at the number given it takes its state's file away.
    private func produce(_ log: CommitLog, _ count: Int, breakingAt breaks: Int, always: Bool)
        throws
    {
        let topic = try log.createTopic("lines", partitions: 1)
        let producer = Producer(log)
        let state = directory.path + "/state/fragile/Fragile-0"
        for number in 1...count {
            let line = number == breaks ? (always ? "always " : "once ") + state : "line"
            try producer.send(
                Array(line.utf8), key: nil, to: topic, timestamp: Timestamp(milliseconds: 0))
        }
        try producer.flush()
    }

    private func counts(_ log: CommitLog) throws -> [Int64] {
        try WordOutput.read("fragile-counts", log)["all"] ?? []
    }

    @Test(arguments: [1, 5, 23, 40])
    func `a commit whose outcome is unknown is looked at, and the job goes on`(_ number: Int) throws
    {
        let log = try openLog(directory.path)
        try produce(log, 40, breakingAt: number, always: false)
        let told = Mutex<[String]>([])
        var settings = RunSettings(threads: 1, untilEnd: true)
        settings.notify = { sentence in told.withLock { $0.append(sentence) } }
        _ = try JobRun(fragile, on: log, settings: settings).run()
        #expect(try counts(log) == Array(1...40))
        #expect(told.withLock { $0.count } == 1)
    }

    @Test func `a state that fails again and again stops the job, which goes on when it is mended`()
        throws
    {
        let log = try openLog(directory.path)
        try produce(log, 40, breakingAt: 23, always: true)
        let settings = RunSettings(threads: 1, untilEnd: true)
        let error = #expect(throws: StateError.self) {
            try JobRun(fragile, on: log, settings: settings).run()
        }
        #expect(error?.code == .outcomeUnknown)
        #expect(try counts(log) == Array(1...20))
        try Data().write(to: URL(fileURLWithPath: directory.path + "/state/fragile/mended"))
        _ = try JobRun(fragile, on: log, settings: settings).run()
        #expect(try counts(log) == Array(1...40))
    }

    // MARK: The log

    @Test func `a step of the log that fails once stops the job, and the next run is exact`() throws
    {
        var generator = SeededGenerator.seeded()
        let input = WordInput(lines: 30, using: &generator)
        for step in stride(from: 1, through: 150, by: 9) {
            let test = try CommitFailureTests()
            let settings = RunSettings(
                threads: 2, untilEnd: true, commitInterval: .microseconds(1))
            do {
                let log = try openLog(test.directory.path)
                try input.produce(to: log, partitions: 2)
                try log.close()
            }
            for step in [step, .max] {
                let log = CrashingLog(try openLog(test.directory.path), before: step, once: true)
                do {
                    _ = try JobRun(
                        wordJob, on: log, state: .directory(test.directory.path + "/state"),
                        settings: settings
                    ).run()
                    #expect(log.steps.load(ordering: .relaxed) < step, "the failure is told")
                } catch is CrashingLog.Crash {}
            }
            let output = try WordOutput(openLog(test.directory.path))
            #expect(output.isExactly(input), "step \(step) failed once")
        }
    }

    // MARK: The disk

    @Test(.enabled(if: SmallDisk.isPermitted))
    func `a full disk stops the job with a sentence, and with room again it goes on`() throws {
        var generator = SeededGenerator.seeded()
        let input = WordInput(lines: 400, using: &generator)
        var stops = 0
        for room in stride(from: 0, through: 400_000, by: 25_000) {
            let disk = try #require(try SmallDisk(megabytes: 24))
            do {
                let log = try openLog(disk.path)
                try input.produce(to: log, partitions: 2)
                try log.close()
            }
            try disk.fill(leaving: room)
            let settings = RunSettings(threads: 2, untilEnd: true, commitInterval: .microseconds(1))
            do {
                _ = try JobRun(wordJob, on: openLog(disk.path), settings: settings).run()
            } catch {
                stops += 1
                let isFull =
                    (error as? LogError)?.code == .noSpace
                    || (error as? StateError)?.code == .noSpace
                #expect(isFull, "with \(room) bytes left: \(error)")
                #expect("\(error)".contains("disk is full"))
            }
            try disk.empty()
            let log = try openLog(disk.path)
            _ = try JobRun(wordJob, on: log, settings: settings).run()
            let output = try WordOutput(log)
            #expect(output.isExactly(input), "with \(room) bytes left")
            #expect(output.isInOrder(of: input), "with \(room) bytes left")
        }
        #expect(stops > 3)
    }
}

/// Counts lines, five a commit. At a line that names its state's directory it puts the descriptor of a file that
/// cannot be written in the place of its state's: the next commit fails in the middle.
struct Fragile: SingleInputTask {
    static let input = WordSplitter.input
    static let counts = Output("fragile-counts", key: .string, value: .int64)
    static var outputs: [Outlet] { counts }
    let count: KeyValueStore<String, Int64>

    init(_ setup: borrowing TaskSetup) throws { count = try setup.store("count", value: .int64) }

    mutating func process(
        _ line: borrowing Record<String?, String>, _ context: inout TaskContext
    ) throws {
        let next = try (count.get("all") ?? 0) + 1
        try count.put("all", next)
        try context.send(next, to: Self.counts, key: "all")
        if next % 5 == 0 { context.commit() }
        let words = line.value.split(separator: " ")
        guard words.count == 2 else { return }
        let state = String(words[1])
        let mended = state.replacing("/Fragile-0", with: "/mended")
        guard !FileManager.default.fileExists(atPath: mended) else { return }
        if words[0] == "once" { try Data().write(to: URL(fileURLWithPath: mended)) }
        try breakDescriptors(of: state + "/data.mdb")
    }

    private func breakDescriptors(of path: String) throws {
        let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        let readOnly = open("/dev/null", O_RDONLY)
        defer { close(readOnly) }
        for descriptor in descriptors.compactMap(Int32.init) {
            let link = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/self/fd/\(descriptor)")
            if link == path { dup2(readOnly, descriptor) }
        }
    }
}

let fragile = Job("fragile", Fragile.self)
