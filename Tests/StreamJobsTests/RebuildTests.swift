// States made again from the log: the same as those that were lost, whatever had happened to them.

import Foundation
import JobTestSupport
import LocalState
import StreamJobs
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct RebuildTests {
    let directory: TemporaryDirectory
    let input: WordInput

    init() throws {
        directory = try TemporaryDirectory()
        var generator = SeededGenerator.seeded()
        input = WordInput(lines: 40, using: &generator)
    }

    private var state: String { directory.path + "/state" }

    private func produce(_ input: WordInput) throws {
        let log = try openLog(directory.path)
        try input.produce(to: log, partitions: 2)
        try log.close()
    }

    @discardableResult
    private func run(
        crashBefore crash: Int = .max, guarantee: Guarantee = .exactlyOnce
    ) throws -> Int {
        let log = CrashingLog(try openLog(directory.path), before: crash)
        do {
            let run = try JobRun(
                wordJob, on: log, state: .directory(state),
                settings: RunSettings(
                    threads: 1, untilEnd: true, commitInterval: .microseconds(1),
                    guarantee: guarantee))
            _ = try run.run()
        } catch is CrashingLog.Crash {}
        return log.steps.load(ordering: .relaxed)
    }

    private func runLive() throws {
        let log = try openLog(directory.path)
        let stepper = try JobStepper(wordJob, on: log, state: .directory(state))
        try stepper.runUntilDry()
        stepper.abandon()
    }

    private func loseState() throws { try FileManager.default.removeItem(atPath: state) }

    @discardableResult
    private func rebuild(crashBefore crash: Int = .max) throws -> Int {
        let log = CrashingLog(try openLog(directory.path), before: crash)
        _ = try StateRebuild(wordJob, on: log, stateDirectory: state, settings: RunSettings()).run()
        return log.steps.load(ordering: .relaxed)
    }

    /// What the states hold, every table of every task, but for producers and transactions.
    private func contents() throws -> [String: [String: Int64]] {
        let log = try openLog(directory.path)
        let stepper = try JobStepper(wordJob, on: log, state: .directory(state))
        defer { stepper.abandon() }
        var contents: [String: [String: Int64]] = [:]
        for name in ["totals", "orders", "windows"] {
            for (task, store) in stepper.stores(name, ofTask: "WordCounter").enumerated() {
                let typed = try #require(store as? KeyValueStore<String, Int64>)
                try typed.forEach { contents["\(name)-\(task)", default: [:]][$0] = $1 }
            }
        }
        return contents
    }

    private func output() throws -> WordOutput { try WordOutput(openLog(directory.path)) }

    @Test func `a state that is gone is refused, and made again as it was`() throws {
        try produce(input)
        try run()
        let before = try contents()
        let sent = try output()
        try loseState()
        let error = #expect(throws: JobError.self) { try run() }
        #expect(error?.message.contains("state rebuild") == true)
        try rebuild()
        #expect(try contents() == before)
        #expect(try output() == sent, "nothing is sent again")
        #expect(!before.isEmpty)
    }

    @Test func `a job goes on behind a rebuild as if nothing had happened, run after run`() throws {
        let twin = try RebuildTests()
        var generator = SeededGenerator.seeded()
        for round in 0..<4 {
            var more = WordInput(lines: 15, using: &generator)
            for index in more.lines.indices {
                more.lines[index].timestamp += Int64(round * 700)
            }
            for test in [self, twin] {
                try test.produce(more)
                if round == 2 { try test.runLive() } else { try test.run() }
            }
            try loseState()
            try rebuild()
            if round == 2 {
                #expect(try output().counts == twin.output().counts)
            } else {
                #expect(try output() == twin.output(), "round \(round)")
                #expect(try contents() == twin.contents(), "round \(round)")
            }
        }
    }

    @Test func `a state lost in a crash at any step is made again, and the run ends as it should`()
        throws
    {
        let whole = try RebuildTests()
        try whole.produce(whole.input)
        let steps = try whole.run()
        var doubled = 0
        for step in stride(from: 1, through: steps, by: 5) {
            for guarantee in Guarantee.allCases {
                let test = try RebuildTests()
                try test.produce(test.input)
                try test.run(crashBefore: step, guarantee: guarantee)
                try test.loseState()
                do {
                    try test.rebuild()
                } catch let error as JobError where error.message.contains("never committed") {}
                try test.run(guarantee: guarantee)
                let output = try test.output()
                let comment: Comment = "\(guarantee), a crash before step \(step)"
                let repeated = output.counts.values.reduce(0) { $0 + $1.count - Set($1).count }
                switch guarantee {
                case .exactlyOnce:
                    #expect(output.isExactly(test.input), comment)
                    #expect(output.isInOrder(of: test.input), comment)
                case .atLeastOnce:
                    #expect(output.counts.mapValues { $0.max() ?? 0 } == test.input.totals, comment)
                    doubled += repeated
                case .atMostOnce:
                    #expect(repeated == 0, comment)
                }
                let totals = try test.contents().filter { $0.key.hasPrefix("totals") }
                let merged = totals.values.reduce(into: [:]) { $0.merge($1) { $1 } }
                #expect(merged == test.input.totals, comment)
            }
        }
        #expect(doubled > 0)
    }

    @Test func `a rebuild that is cut short is done again`() throws {
        try produce(input)
        try run(crashBefore: 40)
        try loseState()
        var crash = 1
        while true {
            do {
                try rebuild(crashBefore: crash)
                break
            } catch is CrashingLog.Crash { crash += 1 }
        }
        #expect(crash > 2)
        try rebuild()
        try run()
        #expect(try output().isExactly(input))
    }

    @Test func `what was there before is kept aside`() throws {
        try produce(input)
        try run()
        try rebuild()
        let replaced = state + ".replaced/words/WordCounter-0/data.mdb"
        #expect(FileManager.default.fileExists(atPath: replaced))
        #expect(!FileManager.default.fileExists(atPath: state + ".rebuild/words"))
    }

    @Test func `a rebuild is refused where records that were read are deleted`() throws {
        try produce(input)
        try run()
        do {
            let log = try openLog(directory.path)
            try log.deleteRecords(
                of: TopicPartition("lines", PartitionID(0)), before: Offset(3))
            try log.close()
        }
        try loseState()
        let error = #expect(throws: JobError.self) { try rebuild() }
        #expect(error?.message.contains("begins at offset 3") == true)
        #expect(!FileManager.default.fileExists(atPath: state + "/words"))
    }

    @Test func `a job that has never committed has nothing to rebuild`() throws {
        try produce(input)
        let error = #expect(throws: JobError.self) { try rebuild() }
        #expect(error?.message.contains("nothing to rebuild") == true)
    }
}
