// A crash before each thing the commit does to the log: the log's N-th append, marker or flush fails and
// everything after it too, as if the process had ended there. Then log and state are opened again and the
// run is taken to its end.

import JobTestSupport
import StreamJobs
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

@Suite struct CommitCrashTests {
    @Test func `a crash at any step of any commit loses and doubles nothing`() throws {
        var generator = SeededGenerator.seeded()
        let input = WordInput(lines: 40, using: &generator)
        // How many steps a whole run has.
        let steps = try Self.run(input, crashes: [.max])
        #expect(steps > 50)
        for step in stride(from: 1, through: steps, by: 7) {
            try Self.run(input, crashes: [step])
        }
    }

    @Test func `crashes during recovery, five deep, change nothing`() throws {
        var generator = SeededGenerator.seeded()
        let input = WordInput(lines: 40, using: &generator)
        for _ in 0..<8 {
            let first = Int.random(in: 1...80, using: &generator)
            let others = (0..<5).map { _ in Int.random(in: 1...6, using: &generator) }
            try Self.run(input, crashes: [first] + others)
        }
    }

    /// Runs the job with a crash before the given steps, one after the other, then to its end; checks
    /// the output and gives the steps of the first attempt.
    @discardableResult
    static func run(_ input: WordInput, crashes: [Int]) throws -> Int {
        let directory = try TemporaryDirectory()
        do {
            let log = try openLog(directory.path)
            try input.produce(to: log, partitions: 2)
            try log.close()
        }
        var steps = 0
        for crash in crashes {
            let log = CrashingLog(try openLog(directory.path), before: crash)
            do {
                let run = try JobRun(
                    wordJob, on: log, state: .directory(directory.path + "/state"),
                    settings: RunSettings(
                        threads: 1, untilEnd: true, commitInterval: .microseconds(1)))
                _ = try run.run()
            } catch is CrashingLog.Crash {}
            if steps == 0 { steps = log.steps.load(ordering: .relaxed) }
        }
        let log = try openLog(directory.path)
        _ = try JobRun(wordJob, on: log, settings: RunSettings(threads: 1, untilEnd: true)).run()
        let output = try WordOutput(log)
        #expect(output.isExactly(input), "crashes before the steps \(crashes)")
        #expect(output.isInOrder(of: input), "crashes before the steps \(crashes)")
        return steps
    }
}
