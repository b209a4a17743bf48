// Every kind of call of the operating system fails once, at each place: nothing that was acknowledged is
// lost, nothing that was refused is seen, and what cannot go on refuses.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

extension FaultTests {
    @Suite struct FaultInjectionTests {
        /// How often each kind of operation comes in the workload.
        private static let counts: [Fault.Kind: Int] = {
            do {
                let workload = try CrashWorkload()
                try workload.run(CrashStep.everything)
                return workload.recorder.counts
            } catch {
                Issue.record("the workload fails by itself: \(error)")
                return [:]
            }
        }()

        /// The commonest kinds fail at every third place, in a campaign at each.
        private static func places(of kind: Fault.Kind) -> some Sequence<Int> {
            let count = counts[kind] ?? 0
            return stride(from: 0, to: count, by: count > 60 && !isCampaign ? 3 : 1)
        }

        /// How much of a write is done before it fails: another part at each place, in a campaign each.
        private static func parts(_ kind: Fault.Kind, _ number: Int) -> [Double] {
            guard kind == .write else { return [0] }
            let parts = [0, 0.5, 1]
            return isCampaign ? parts : [parts[number / 3 % 3]]
        }

        private func run(_ fault: Fault, _ steps: [CrashStep] = CrashStep.everything) throws {
            let workload = try CrashWorkload(fault: fault)
            let errors = workload.runThroughFaults(steps)
            let faults = try workload.checkReads("\(fault)")
            for text in faults { Issue.record("\(text) after \(errors)") }
            #expect(workload.recorder.hasFailed || fault.code == .noSpace, "\(fault) never came")
            workload.recorder.heal()
            workload.abandon()
            // The process ends; then the power is lost, with all that no flush has kept.
            for isPowerLoss in [false, true] {
                let oracle = CrashOracle(
                    before: workload.model, after: workload.attempted, isPowerLoss: isPowerLoss)
                var random = SeededGenerator(seed: 1)
                let disk = workload.recorder.disk
                try CrashCheck(oracle).run(
                    isPowerLoss ? disk.afterPowerLoss(.losesAll, &random) : disk,
                    "\(fault)\(isPowerLoss ? ", power loss" : "")")
            }
        }

        @Test(arguments: Fault.Kind.allCases)
        func `an operation that fails with EIO loses nothing`(kind: Fault.Kind) throws {
            for number in Self.places(of: kind) {
                for written in Self.parts(kind, number) {
                    try run(Fault(kind: kind, number: number, code: .io, written: written))
                }
            }
        }

        @Test(arguments: [Fault.Kind.write, .create])
        func `a disk that is full for once refuses, is undone, and work goes on`(kind: Fault.Kind)
            throws
        {
            // The first makes the directory itself.
            for number in Self.places(of: kind) where number > 0 {
                for written in Self.parts(kind, number) {
                    try run(
                        Fault(kind: kind, number: number, code: .noSpace, written: written))
                }
            }
        }

        @Test func `a disk that stays full keeps nobody from reading and from deleting`() throws {
            let workload = try CrashWorkload()
            let name = TopicPartition("t", PartitionID(0))
            try workload.run([.create("t", partitions: 1)])
            try workload.run(
                (0..<8).map { _ in .append(name, count: 6, .plain) } + [
                    .checkpoint(name), .retain("t", bytes: 800),
                ])
            let partition = try workload.openLog().partition(name)
            let segments = partition.segmentCount
            #expect(segments > 4)
            workload.recorder.fail(.write, .noSpace)
            for _ in 0..<3 {
                let error = #expect(throws: LogError.self) { try partition.append("x") }
                #expect(error?.code == .noSpace)
                #expect(throws: LogError.self) {
                    try workload.openLog().createTopic("n", partitions: 1)
                }
            }
            #expect(try workload.checkReads("full") == [])
            try workload.run(.maintain)
            #expect(partition.segmentCount < segments, "retention makes room")
            try workload.run(.deleteRecords(name, before: 44))
            #expect(try workload.checkReads("full, after retention") == [])
            let full = workload.recorder.disk
            try CrashCheck(
                CrashOracle(before: workload.model, after: workload.model, isPowerLoss: false)
            ).run(full, "killed on a full disk")

            workload.recorder.heal()
            try workload.run(.append(name, count: 2, .plain))
            try workload.run(.flush(name))
            try workload.openLog().createTopic("n", partitions: 1)
            #expect(try workload.checkReads("room again") == [])
        }

        @Test func `a topic whose deletion fails is not deleted with its successor`() throws {
            let workload = try CrashWorkload()
            let name = TopicPartition("t", PartitionID(0))
            try workload.run([.create("t", partitions: 1), .append(name, count: 2, .plain)])
            workload.recorder.fail(.remove, .io)
            let log = try workload.openLog()
            #expect(throws: LogError.self) { try log.deleteTopic("t") }
            // Its files are still there: no topic may be given them.
            #expect(throws: LogError.self) { try log.createTopic("t", partitions: 1) }
            workload.recorder.heal()
            try log.createTopic("t", partitions: 1)
            try log.partition(name).append("new")
            try log.partition(name).flush()
            let disk = workload.recorder.disk
            let directory = try MemoryDirectory(disk)
            let again = try CrashWorkload.open(directory.path)
            #expect(try again.partition(name).values() == ["new"])
        }

        @Test func `a flush that failed once is the last one, whatever comes of the next`() throws {
            let name = TopicPartition("t", PartitionID(0))
            for count in 0..<3 {
                // The data, the directory's names and the recovery points are flushed.
                let workload = try CrashWorkload()
                try workload.run([
                    .create("t", partitions: 2), .append(name, count: 9, .plain), .flush(name),
                    .append(name, count: 9, .plain), .append(name, count: 9, .plain),
                ])
                let flushes = workload.recorder.counts[.flush] ?? 0
                let log = try workload.openLog()
                let partition = try log.partition(name)
                let kind: Fault.Kind = count == 2 ? .flushDirectory : .flush
                workload.recorder.fail(kind, .io)
                if count == 1 {
                    // The data is flushed, the point is not.
                    workload.recorder.heal()
                    workload.recorder.failOnce(.flush, number: flushes + 2, .io)
                }
                #expect(throws: LogError.self) { try partition.flush() }
                #expect(workload.recorder.hasFailed)
                workload.recorder.heal()
                for _ in 0..<2 {
                    let error = #expect(throws: LogError.self) { try partition.flush() }
                    #expect(error?.code == .io)
                    #expect(throws: LogError.self) { try partition.append("x") }
                    #expect(throws: LogError.self) { try partition.checkpoint() }
                }
                #expect(partition.flushedOffset == Offset(9))
                #expect(try workload.checkReads("poisoned") == [])
                #expect(throws: LogError.self) { try log.close() }
                #expect(throws: Never.self) { try log.close() }
            }
        }

        @Test func `a read that fails is an error, and the next one reads on`() throws {
            let workload = try CrashWorkload()
            let name = TopicPartition("t", PartitionID(0))
            try workload.run([.create("t", partitions: 1)])
            try workload.run((0..<6).map { _ in .append(name, count: 5, .plain) })
            let partition = try workload.openLog().partition(name)
            let cursor = PartitionCursor(partition, from: .zero, isolation: .readCommitted)
            var offsets: [Int64] = []
            var failures = 0
            while offsets.count < 30 {
                // Each second fetch fails.
                if failures == offsets.count / 6 { workload.recorder.fail(.read, .io) }
                do {
                    guard try cursor.hasRecord(), let offset = cursor.recordOffset else { break }
                    offsets.append(offset.rawValue)
                    cursor.take()
                } catch let error as LogError {
                    #expect(error.code == .io)
                    failures += 1
                    workload.recorder.heal()
                }
            }
            #expect(failures > 2)
            #expect(offsets == Array(0..<30))
        }
    }
}
