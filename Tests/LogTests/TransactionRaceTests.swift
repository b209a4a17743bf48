// Producers in many threads, some with the same transactional id, and an impatient clock beside them.

import Foundation
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct TransactionRaceTests {
    @Test(arguments: seeds(3))
    func `what was committed is seen once, what was refused never`(seed: UInt64) async throws {
        let test = try TransactionLog()
        let log = try test.open()
        let coordinator = try test.coordinator(log)
        let outcomes = Mutex<(committed: [String], refused: [String], other: [String])>(
            ([], [], []))
        let isOver = Atomic<Bool>(false)
        let timing = Thread {
            while !isOver.load(ordering: .relaxed) {
                test.clock.advance(by: .seconds(1))
                coordinator.expire()
            }
        }
        timing.start()
        await Threads.run(6) { thread in
            var random = SeededGenerator(seed: seed &* 31 &+ UInt64(thread))
            // Two threads fight for each id.
            let id = "id \(thread / 2)"
            for life in 0..<6 {
                for number in 0..<Int.random(in: 1...4, using: &random) {
                    let value = "\(thread) \(life) \(number)"
                    do {
                        let producer = try TransactionalProducer(
                            log, coordinator, transactionalID: id,
                            TransactionalProducerSettings(timeout: .seconds(3)))
                        if random.chance(50) {
                            try producer.transaction {
                                try $0.send(value, to: "orders")
                                try $0.send(value, to: "events")
                            }
                        } else {
                            try producer.begin()
                            try producer.send(value, to: "orders")
                            try producer.send(value, to: "events")
                            try producer.commit()
                        }
                        outcomes.withLock { $0.committed.append(value) }
                    } catch let error as LogError
                        where error.code == .producerFenced
                        || error.code == .invalidTransactionState
                    {
                        outcomes.withLock { $0.refused.append(value) }
                    } catch {
                        outcomes.withLock { $0.other.append("\(error)") }
                    }
                }
            }
        }
        isOver.store(true, ordering: .relaxed)
        while !timing.isFinished { await Task.yield() }
        // What is still open belongs to nobody.
        test.clock.advance(by: .seconds(10))
        coordinator.expire()
        let (committed, refused, other) = outcomes.withLock { $0 }
        #expect(other == [])
        #expect(!committed.isEmpty)
        #expect(try test.openCount(in: log) == 0)
        let values = try test.values(in: log)
        #expect(values == (committed + committed).sorted())
        #expect(Set(values).isDisjoint(with: refused))
        try log.close()
        #expect(try test.values(in: try test.open()) == values)
    }
}
