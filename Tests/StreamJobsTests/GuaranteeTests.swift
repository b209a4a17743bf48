// What each guarantee promises, tried by a crash before every step of the commits: the state is exact,
// outputs are doubled or missing only where the guarantee says so, and only those of one commit.

import JobTestSupport
import LocalState
import StreamJobs
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct GuaranteeTests {
    /// What a run has left behind.
    struct Result {
        let output: WordOutput
        let totals: [String: Int64]
        let hasOpenTransactions: Bool
        let steps: Int

        /// What a job has sent again: how many values of all words do not rise.
        var doubled: Int {
            output.counts.values.reduce(0) { $0 + $1.count - Set($1).count }
        }

        func missing(of input: WordInput) -> Int {
            input.totals.reduce(0) { $0 + Int($1.value) - Set(output.counts[$1.key] ?? []).count }
        }
    }

    /// Runs with the first guarantee up to a crash before a step of the log, with the next up to the
    /// next crash, and with the last one to the end.
    static func run(
        _ input: WordInput, _ guarantees: [Guarantee], crashes: [Int] = []
    ) throws -> Result {
        let directory = try TemporaryDirectory()
        let state = StateLocation.directory(directory.path + "/state")
        do {
            let log = try openLog(directory.path)
            try input.produce(to: log, partitions: 2)
            try log.close()
        }
        var steps = 0
        for (guarantee, crash) in zip(guarantees, crashes + [.max]) {
            let log = CrashingLog(try openLog(directory.path), before: crash)
            do {
                let run = try JobRun(
                    wordJob, on: log, state: state,
                    settings: RunSettings(
                        threads: 1, untilEnd: true, commitInterval: .microseconds(1),
                        guarantee: guarantee))
                _ = try run.run()
            } catch is CrashingLog.Crash {}
            steps = log.steps.load(ordering: .relaxed)
        }
        let log = try openLog(directory.path)
        let open = try log.topics.flatMap(\.partitions).contains {
            try !log.partition($0).openTransactions.isEmpty
        }
        return Result(
            output: try WordOutput(log), totals: try totals(log, state), hasOpenTransactions: open,
            steps: steps)
    }

    static func totals(_ log: CommitLog, _ state: StateLocation) throws -> [String: Int64] {
        let stepper = try JobStepper(wordJob, on: log, state: state)
        defer { stepper.abandon() }
        var totals: [String: Int64] = [:]
        for store in stepper.stores("totals", ofTask: "WordCounter") {
            let typed = try #require(store as? KeyValueStore<String, Int64>)
            try typed.forEach { totals[$0] = $1 }
        }
        return totals
    }

    let input: WordInput
    init() {
        var generator = SeededGenerator.seeded()
        input = WordInput(lines: 30, using: &generator)
    }

    private func checkState(_ result: Result, _ comment: Comment) {
        #expect(result.totals == input.totals, comment)
        #expect(!result.hasOpenTransactions, comment)
    }

    @Test(arguments: Guarantee.allCases)
    func `without a crash every guarantee is exact`(_ guarantee: Guarantee) throws {
        let result = try Self.run(input, [guarantee])
        checkState(result, "\(guarantee)")
        #expect(result.output.isExactly(input))
        #expect(result.output.isInOrder(of: input))
    }

    @Test func `at least once: a crash at any step may double one commit's output and loses none`()
        throws
    {
        let steps = try Self.run(input, [.atLeastOnce]).steps
        var doubled = 0
        for step in stride(from: 1, through: steps, by: 4) {
            let result = try Self.run(input, [.atLeastOnce, .atLeastOnce], crashes: [step])
            checkState(result, "a crash before step \(step)")
            #expect(result.missing(of: input) == 0, "a crash before step \(step)")
            for (word, values) in result.output.counts {
                // Once at most it begins again, at most one behind where it was.
                let falls = zip(values, values.dropFirst()).filter { $0 + 1 != $1 }
                #expect(falls.count <= 1, "\(word): \(values), a crash before step \(step)")
                #expect(falls.allSatisfy { $0 >= $1 }, "\(word): \(values)")
            }
            for (window, counts) in result.output.seconds {
                #expect(Set(counts) == [input.seconds[window] ?? 0])
            }
            #expect(Set(result.output.seconds.keys) == Set(input.seconds.keys))
            doubled += result.doubled
        }
        #expect(doubled > 0, "a crash in the right place doubles, as documented")
    }

    @Test func `at most once: a crash at any step may lose one commit's output and doubles none`()
        throws
    {
        let steps = try Self.run(input, [.atMostOnce]).steps
        var missing = 0
        for step in stride(from: 1, through: steps, by: 4) {
            let result = try Self.run(input, [.atMostOnce, .atMostOnce], crashes: [step])
            checkState(result, "a crash before step \(step)")
            #expect(result.doubled == 0, "a crash before step \(step)")
            for (word, values) in result.output.counts {
                let gaps = zip([0] + values, values).filter { $0 + 1 != $1 }
                #expect(gaps.count <= 1, "\(word): \(values), a crash before step \(step)")
                #expect(gaps.allSatisfy { $0 < $1 }, "\(word): \(values)")
            }
            #expect(result.output.seconds.allSatisfy { $1 == [input.seconds[$0] ?? 0] })
            missing += result.missing(of: input)
        }
        #expect(missing > 0, "a crash in the right place loses, as documented")
    }

    @Test func `the guarantee may change at every restart, and what was left open is ended`() throws
    {
        var generator = SeededGenerator.seeded()
        for _ in 0..<12 {
            let crashes = (0..<3).map { _ in Int.random(in: 1...60, using: &generator) }
            let guarantees = (0..<4).map { _ in
                Guarantee.allCases.randomElement(using: &generator) ?? .exactlyOnce
            }
            let result = try Self.run(input, guarantees, crashes: crashes)
            checkState(result, "\(guarantees), crashes before \(crashes)")
            if !guarantees.dropLast().contains(.atLeastOnce) { #expect(result.doubled == 0) }
            if !guarantees.dropLast().contains(.atMostOnce) {
                #expect(result.missing(of: input) == 0)
            }
        }
    }
}
