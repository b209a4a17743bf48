// Whole runs on the embedded log, with state on the disk.

import StreamJobs
import StreamJobsLog
import TestSupport
import Testing

@Suite struct JobRunTests {
    let directory: TemporaryDirectory
    let log: CommitLog

    init() throws {
        directory = try TemporaryDirectory()
        log = try openLog(directory.path)
    }

    func run(threads: Int = 2, job: Job = wordJob) throws -> RunSummary {
        try JobRun(
            job, on: log,
            settings: RunSettings(
                threads: threads, untilEnd: true, commitInterval: .milliseconds(1))
        ).run()
    }

    @Test(arguments: [1, 2, 7])
    func `a bounded run gives what counting by hand gives, whatever the threads`(_ threads: Int)
        throws
    {
        var generator = SeededGenerator.seeded()
        let input = WordInput(lines: 500, using: &generator)
        try input.produce(to: log)
        let summary = try run(threads: threads)
        #expect(summary.recordsProcessed == 500)
        #expect(summary.lateRecords == 0)
        let output = try WordOutput(log)
        #expect(output.isExactly(input))
        #expect(output.isInOrder(of: input))
    }

    @Test func `a second run with nothing new does nothing`() throws {
        var generator = SeededGenerator.seeded()
        let input = WordInput(lines: 50, using: &generator)
        try input.produce(to: log)
        _ = try run()
        let ends = try log.topics.flatMap(\.partitions).map { try log.partition($0).logEndOffset }
        #expect(try run().hadNothingToDo)
        let endsAfter = try log.topics.flatMap(\.partitions).map {
            try log.partition($0).logEndOffset
        }
        #expect(ends == endsAfter)
    }

    @Test func `a later run goes on with the totals, and closed windows stay closed`() throws {
        var generator = SeededGenerator.seeded()
        let input = WordInput(lines: 50, using: &generator)
        try input.produce(to: log)
        _ = try run()
        try input.produce(to: log)
        let summary = try run()
        #expect(summary.recordsProcessed == 50)
        let output = try WordOutput(log)
        #expect(output.counts.mapValues { $0.last } == input.totals.mapValues { $0 * 2 })
    }

    @Test func `an empty topic ends at once`() throws {
        try log.createTopic("lines", partitions: 2)
        #expect(try run().recordsProcessed == 0)
        #expect(try run().hadNothingToDo)
    }

    @Test func `a poison record stops the job by name and place, and leaves nothing behind`() throws
    {
        let topic = try log.createTopic("lines", partitions: 1)
        let producer = Producer(log)
        for line in ["ant bee", "cat poison dog"] {
            try producer.send(Array(line.utf8), key: nil, to: topic)
        }
        try producer.flush()
        let error = #expect(throws: JobError.self) { try run() }
        #expect(error?.code == .userCodeFailed)
        #expect(
            error?.message
                == "the task WordSplitter-0 failed at lines-0 offset 1, key null: this word is poison"
        )
        #expect(try WordOutput(log).counts["cat"] == nil)
    }

    @Test func `a missing topic is named`() throws {
        let error = #expect(throws: JobError.self) { try run() }
        #expect(error?.code == .noSuchTopic)
        #expect(error?.message.contains("'lines'") == true)
    }

    @Test func `state of a job whose log knows more is refused`() throws {
        var generator = SeededGenerator.seeded()
        try WordInput(lines: 50, using: &generator).produce(to: log)
        _ = try run()
        try directory.remove("state/words/WordCounter-0")
        let error = #expect(throws: JobError.self) { try run() }
        #expect(error?.code == .refused)
        #expect(error?.message.contains("WordCounter-0") == true)
    }

    @Test func `a live run commits what is there and ends when it is stopped`() throws {
        var generator = SeededGenerator.seeded()
        let input = WordInput(lines: 100, using: &generator)
        try input.produce(to: log)
        let live = try JobRun(wordJob, on: log, settings: RunSettings(threads: 2))
        let stopper = live.stopper
        let total = input.totals.values.reduce(0, +)
        _ = try live.run { _ in
            let output = try? WordOutput(log)
            let counted = output?.counts.values.reduce(0) { $0 + $1.count } ?? 0
            if counted == total { stopper.stop() }
        }
        // The windows that are still open close at the end of a bounded run.
        _ = try run()
        #expect(try WordOutput(log).isExactly(input))
    }

    @Test func `what one job has left open hides nothing of another's`() throws {
        var generator = SeededGenerator.seeded()
        let input = WordInput(lines: 50, using: &generator)
        try input.produce(to: log)
        let other = Job("other", WordSplitter.self)
        _ = try run(job: other)
        // A transaction that nobody has ended, in every topic of the other job.
        for topic in log.topics where topic.name.contains("other") {
            let batch = BatchBuilder()
            // Some of the topics are compacted: a record without key would be refused.
            try Array("key".utf8).withUnsafeBytes {
                try batch.append(key: $0, value: nil, timestamp: .now())
            }
            try withExtendedLifetime(batch) {
                _ = try log.partition(topic.partitions[0]).append(
                    batch.seal(producer: ProducerStamp(id: 999, epoch: 0), isTransactional: true))
            }
        }
        _ = try run()
        #expect(try run().hadNothingToDo)
        #expect(try WordOutput(log).isExactly(input))
    }
}
