// `__transaction_state`, or the catalogue, put back from an older copy (FAULTS.md D12): the partitions know
// epochs that the states do not, and the states ids that the catalogue does not.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

struct OlderTransactionStatesTests {
    private let test: TransactionLog

    init() throws { test = try TransactionLog() }

    private func withLog(_ body: (CommitLog) throws -> Void) throws {
        let log = try test.open()
        try body(log)
        try log.close()
    }

    /// Each in a transaction of its own.
    private func commit(_ values: String..., in log: CommitLog) throws -> ProducerStamp {
        let producer = try TransactionalProducer(log, transactionalID: "a")
        for value in values { try producer.transaction { try $0.send(value, to: "orders") } }
        return try log.transactions.describe("a").producer
    }

    /// Puts back what has these names as it was before `body`, as if nothing were known of what is newer.
    private func puttingBack(_ isMeant: (String) -> Bool, _ body: () throws -> Void) throws {
        let files = FileManager.default
        let names = try files.contentsOfDirectory(atPath: test.directory.path).filter(isMeant)
        #expect(!names.isEmpty)
        let older = try TemporaryDirectory()
        for name in names {
            try files.copyItem(atPath: test.directory.file(name), toPath: older.file(name))
        }
        try body()
        for name in names {
            try test.directory.remove(name)
            try files.copyItem(atPath: older.file(name), toPath: test.directory.file(name))
        }
        for name in ["clean-shutdown", "recovery-points"] { try test.directory.remove(name) }
    }

    @Test func `with older states a producer takes another id, and writes at once`() throws {
        var first = ProducerStamp(id: -1, epoch: -1)
        try withLog { first = try commit("1", in: $0) }
        try puttingBack({ $0.hasPrefix(TransactionTopic.name) }) {
            try withLog { log in
                let later = try commit("2", "3", "4", in: log)
                #expect(later.id == first.id && later.epoch > first.epoch + 1)
            }
        }
        try withLog { log in
            let next = try commit("5", "6", in: log)
            #expect(next.id > first.id)
            #expect(try test.values(in: log) == ["1", "2", "3", "4", "5", "6"])
        }
        // As after any other change of ids.
        try withLog { log in
            _ = try commit("7", in: log)
            #expect(try test.values(in: log).count == 7 && test.openCount(in: log) == 0)
        }
    }

    @Test func `an older catalogue gives no id again that a producer has and has not used`() throws
    {
        try withLog { _ = try TransactionTopic.create(in: $0) }
        var stamp = ProducerStamp(id: -1, epoch: -1)
        try puttingBack({ $0 == "topics" }) {
            try withLog { log in
                stamp = try log.transactionCoordinator().initProducer("a", timeout: .seconds(60))
            }
        }
        try withLog { log throws in #expect(try log.takeProducerIDs(1) > stamp.id) }
    }
}
