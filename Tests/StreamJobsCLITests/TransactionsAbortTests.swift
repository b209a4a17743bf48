// `transactions abort` of what a job has left open, wherever it crashed: by its state, and by force.

import Foundation
import JobTestSupport
import StreamJobs
import StreamJobsLog
import TestSupport
import Testing

struct TransactionsAbortTests {
    private let directory: TemporaryDirectory
    private var data: String { directory.file("data") }

    init() throws { directory = try TemporaryDirectory() }

    /// What the state says of the transaction that the job has left open.
    private enum Left {
        case decided, undecided
    }

    /// Runs a job that copies lines and crashes where it leaves a transaction open that its state has
    /// decided, or has not; gives its producer.
    private func crash(_ wanted: Left) throws -> Int64 {
        for step in 1...100 {
            try? directory.remove("data")
            try runJob(crashBefore: step)
            let log = try CommitLog.open(data, as: .owner)
            let resolver = try StateResolver(log)
            defer { _ = Result { try log.close() } }
            for transaction in try log.transactions.list() {
                let partition = try log.partition(transaction.partitions[0])
                let open = try #require(partition.openTransactions.first)
                switch (resolver.decision(on: open, in: partition.name), wanted) {
                case (.decided, .decided), (.undecided, .undecided): return open.producer.id
                default: continue
                }
            }
        }
        throw NeverLeft()
    }

    private struct NeverLeft: Error {}

    private func runJob(crashBefore step: Int) throws {
        let log = try CommitLog.open(data, as: .owner)
        let producer = Producer(log)
        let lines = try log.createTopic("lines", partitions: 1)
        for line in 1...10 { try producer.send(Array("\(line)".utf8), key: nil, to: lines) }
        try producer.flush()
        do {
            _ = try JobRun(
                Job("copy", Copier.self), on: CrashingLog(log, before: step),
                state: .directory(data + "/state"),
                settings: RunSettings(threads: 1, untilEnd: true)
            ).run()
        } catch is CrashingLog.Crash {}
    }

    private func run(_ script: String) async throws -> Shell {
        try await Shell.run(script, in: directory)
    }

    @Test func `what a state has decided is refused, by force either`() async throws {
        let producer = try crash(.decided)
        let shell = try await run(
            """
            jobrunner transactions list --open --json > before
            jobrunner transactions abort --producer-id \(producer); echo $?
            jobrunner transactions abort --producer-id \(producer) --force --json; echo $?
            jobrunner transactions list --open --json | cmp - before
            grep -c '"producer_id":\(producer),' before
            """)
        #expect(shell.lines == ["65", "65", "1"])
        let errors = shell.errors.split(separator: "\n")
        #expect(errors.count == 2)
        for error in errors {
            #expect(error.hasPrefix("error: the transaction of producer \(producer) "), "\(error)")
            #expect(
                error.hasSuffix("by the state of its job: run the job, which writes the marker"))
        }
    }

    @Test func `what a state has not decided is aborted`() async throws {
        let producer = try crash(.undecided)
        let shell = try await run(
            """
            jobrunner transactions abort --producer-id \(producer) --json
            jobrunner transactions list --open --json
            jobrunner transactions abort --producer-id \(producer); echo $?
            """)
        #expect(
            shell.lines == [
                #"{"transactional_id":null,"producer_id":\#(producer),"aborted":true}"#, "66",
            ])
        #expect(
            shell.errors.hasPrefix("error: producer \(producer) has no transaction open"),
            "\(shell.errors)")
    }

    @Test func `of a state that is gone force is asked for`() async throws {
        let producer = try crash(.decided)
        let shell = try await run(
            """
            rm -r data/state
            jobrunner transactions abort --producer-id \(producer); echo $?
            jobrunner transactions list --open --json | wc -l
            jobrunner transactions abort --producer-id \(producer) --force
            jobrunner transactions list --open --json | wc -l
            """)
        #expect(shell.lines == ["65", "1", "aborted the transaction of producer \(producer)", "0"])
        #expect(shell.errors.contains("no state is known that could have decided"))
        #expect(shell.errors.contains("--force") && shell.errors.split(separator: "\n").count == 1)
    }

    @Test func `a state that cannot be read may have decided anything`() async throws {
        let producer = try crash(.undecided)
        let shell = try await run(
            """
            for file in data/state/copy/*/data.mdb; do
                head -c 8192 /dev/zero | dd of=$file conv=notrunc 2> dd
            done
            jobrunner transactions abort --producer-id \(producer) --force; echo $?
            jobrunner transactions list --open --json | wc -l
            """)
        #expect(shell.lines == ["74", "1"])
        #expect(shell.errors.split(separator: "\n").count == 1, "\(shell.errors)")
    }

    @Test func `a plain producer's transaction is named by its transactional id`() async throws {
        let shell = try await run(
            """
            jobrunner topics create t > created
            seq 3 | jobrunner produce t --transactional-id x 2> progress
            id=$(jobrunner transactions describe x --json | grep -o '"producer_id":[0-9]*')
            jobrunner transactions abort --producer-id ${id#*:} --force; echo $?
            jobrunner transactions abort x; echo $?
            """)
        #expect(shell.lines == ["66", "65"])
        let errors = shell.errors.split(separator: "\n")
        #expect(errors.first?.hasSuffix("is of the transactional id 'x': abort it by that") == true)
        #expect(errors.last?.hasPrefix("error: 'x' has no transaction open; ") == true)
    }
}

private struct Copier: SingleInputTask {
    static let input = Input("lines", key: .optional(.string), value: .string)
    static let copies = Output("copies", key: .string, value: .string)
    static var outputs: [Outlet] { copies }

    init(_ setup: borrowing TaskSetup) throws {}

    mutating func process(
        _ line: borrowing Record<String?, String>, _ context: inout TaskContext
    ) throws { try context.send(line.value, to: Self.copies, key: line.value) }
}
