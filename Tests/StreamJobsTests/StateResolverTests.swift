// An operator aborts what a crashed job has left open, wherever it crashed: what its state has decided is
// refused, and the job's output is right either way.

import Foundation
import StreamJobs
import StreamJobsLog
import TestSupport
import Testing

struct StateResolverTests {
    @Test func `what a state has decided is not aborted, and the rest does no harm`() throws {
        var generator = SeededGenerator.seeded()
        let input = WordInput(lines: 40, using: &generator)
        var refused = 0
        var aborted = 0
        for crash in stride(from: 1, through: 60, by: 4) {
            let restart = try RestartTests()
            try restart.produce(input, partitions: 2)
            try restart.run(wordJob, crashBefore: crash, commitInterval: .zero)
            do {
                let log = try CommitLog.open(restart.directory.path, as: .owner)
                try log.transactionCoordinator().resolver = try StateResolver(log)
                for transaction in try log.transactions.list() {
                    do {
                        try log.transactions.abort(producerID: transaction.producer.id)
                        aborted += 1
                    } catch let error as LogError {
                        #expect(error.code == .invalidTransactionState)
                        #expect(error.message.contains("run the job"))
                        refused += 1
                    }
                }
                try log.close()
            }
            try restart.run(wordJob)
            let log = try CommitLog.open(restart.directory.path, as: .owner)
            #expect(try WordOutput(log).isExactly(input), "a crash before step \(crash)")
        }
        #expect(refused > 0 && aborted > 0)
    }

    @Test func `of a state that is gone nobody knows`() throws {
        var generator = SeededGenerator.seeded()
        let restart = try RestartTests()
        try restart.produce(WordInput(lines: 20, using: &generator))
        try restart.leaveOpen(wordJob)
        try FileManager.default.removeItem(atPath: restart.directory.path + "/state")
        let log = try CommitLog.open(restart.directory.path, as: .owner)
        try log.transactionCoordinator().resolver = try StateResolver(log)
        let open = try #require(try log.transactions.list().first)
        let error = #expect(throws: LogError.self) {
            try log.transactions.abort(producerID: open.producer.id)
        }
        #expect(error?.message.contains("force") == true)
        try log.transactions.abort(producerID: open.producer.id, force: true)
        #expect(try log.transactions.list().isEmpty)
    }
}
