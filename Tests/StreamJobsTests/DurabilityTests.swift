// A job whose commits are not flushed: exact after any end of its process, refused when the machine went down.

import Foundation
import JobTestSupport
import LocalState
import StreamJobs
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct DurabilityTests {
    let directory: TemporaryDirectory
    let input: WordInput

    init() throws {
        directory = try TemporaryDirectory()
        var generator = SeededGenerator.seeded()
        input = WordInput(lines: 40, using: &generator)
        let log = try openLog(directory.path)
        try input.produce(to: log, partitions: 2)
        try log.close()
    }

    private var mark: String { directory.path + "/state/words/" + UnsyncedMark.fileName }
    private var isMarked: Bool { FileManager.default.fileExists(atPath: mark) }

    /// As if the machine had gone down since.
    private func goDown() throws {
        try Data("another boot".utf8).write(to: URL(fileURLWithPath: mark))
    }

    /// Runs to the end or to a crash before a step of the log; whether it crashed, and how many steps
    /// there were.
    @discardableResult
    private func run(_ durability: Durability, crashBefore crash: Int = .max) throws -> (
        crashed: Bool, steps: Int
    ) {
        let log = CrashingLog(try openLog(directory.path), before: crash)
        var crashed = false
        do {
            let run = try JobRun(
                wordJob, on: log, state: .directory(directory.path + "/state"),
                settings: RunSettings(
                    threads: 1, untilEnd: true, commitInterval: .microseconds(1),
                    durability: durability))
            _ = try run.run()
        } catch is CrashingLog.Crash { crashed = true }
        return (crashed, log.steps.load(ordering: .relaxed))
    }

    private func isExact() throws -> Bool {
        let output = try WordOutput(openLog(directory.path))
        return output.isExactly(input) && output.isInOrder(of: input)
    }

    @Test func `without flushes a crash at any step is exact, and the next run may flush again`()
        throws
    {
        let whole = try DurabilityTests()
        let (_, steps) = try whole.run(.processCrash)
        #expect(try whole.isExact())
        #expect(!whole.isMarked, "all is on the disk after a clean end")
        #expect(steps > 30)
        for step in stride(from: 1, through: steps, by: 5) {
            let test = try DurabilityTests()
            #expect(try test.run(.processCrash, crashBefore: step).crashed)
            #expect(test.isMarked, "a crash before step \(step)")
            let next = Durability.allCases[step % 2]
            try test.run(next)
            #expect(try test.isExact(), "a crash before step \(step), then \(next)")
            #expect(!test.isMarked)
        }
    }

    @Test func `the state is refused when the machine went down before it was flushed`() throws {
        #expect(try run(.processCrash, crashBefore: 25).crashed)
        try goDown()
        for durability in Durability.allCases {
            let error = #expect(throws: StateError.self) { try run(durability) }
            #expect(error?.code == .mayBeDamaged)
            #expect(error?.message.contains("Rebuild") == true)
        }
        let log = try openLog(directory.path)
        #expect(throws: StateError.self) { try StateResolver(log) }
    }

    @Test func `a change to flushed commits is noted only when everything is on the disk`() throws {
        #expect(try run(.processCrash, crashBefore: 25).crashed)
        // A crash before each flush of the change leaves the note.
        var crashes = 0
        while try run(.powerLoss, crashBefore: crashes + 1).crashed, isMarked { crashes += 1 }
        #expect(crashes >= 3)
        try run(.powerLoss)
        #expect(!isMarked)
        #expect(try isExact())
    }

    @Test func `with flushes there is never a note`() throws {
        #expect(try run(.powerLoss, crashBefore: 25).crashed)
        #expect(!isMarked)
    }
}
