// What reading committed records costs where many transactions were aborted, as a count of reads of the
// transaction indexes.

import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct AbortedReadsTests {
    private final class Reads: FileSystemObserver {
        let count = Mutex(0)
        func willPerform(_ operation: FileOperation) {
            if case .read(let path, _) = operation, path.hasSuffix(".txnindex") {
                count.withLock { $0 += 1 }
            }
        }
    }

    /// Gives the values of what was committed.
    private func fill(_ partition: Partition, _ random: inout SeededGenerator) throws -> [String] {
        var committed: [String] = []
        var open: [ProducerStamp] = []
        var epoch: Int16 = 0
        for number in 0..<600 {
            if open.count > 3 || number > 590 && !open.isEmpty {
                let producer = open.remove(at: .random(in: open.indices, using: &random))
                try partition.end(producer, with: .abort)
            }
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                try partition.append("plain \(number)")
                committed.append("plain \(number)")
            case 1:
                epoch += 1
                let producer = ProducerStamp(id: 1000, epoch: epoch)
                try partition.append("whole \(number)", producer: producer)
                try partition.end(producer, with: .commit)
                committed.append("whole \(number)")
            default:
                let producer = ProducerStamp(id: Int64(number), epoch: 0)
                try partition.append("gone \(number)", producer: producer)
                open.append(producer)
            }
        }
        for producer in open { try partition.end(producer, with: .abort) }
        return committed
    }

    @Test(arguments: seeds(4))
    func `an index of aborted transactions is read once, however small the fetches are`(
        seed: UInt64
    ) throws {
        var random = SeededGenerator(seed: seed)
        let log = try TestLog(segmentBytes: 10_000)
        try log.alter([("index.interval.bytes", "300")])
        let committed = try log.withPartition { try fill($0, &random) }
        let indexes = try log.contents().keys.count { $0.hasSuffix(".txnindex") }
        #expect(indexes > 3)
        let reads = Reads()
        let owner = try log.open(FileSystem(observer: reads))
        let partition = try owner.partition(TestLog.name)
        reads.count.withLock { $0 = 0 }
        for fetchBytes in [100, 700, 5000, 1 << 20] {
            let cursor = PartitionCursor(
                partition, from: .zero, isolation: .readCommitted, fetchBytes: fetchBytes)
            var seen: [String] = []
            while try cursor.hasRecord() {
                try cursor.withRecord {
                    seen.append(String(decoding: try Entry($0).value ?? [], as: UTF8.self))
                }
                cursor.take()
            }
            #expect(seen == committed, "fetches of \(fetchBytes) bytes")
        }
        #expect(reads.count.withLock { $0 } <= indexes)
        // From anywhere.
        let all = try partition.entries(from: 0)
        for _ in 0..<40 {
            let start = Int64.random(in: 0..<partition.logEndOffset.rawValue, using: &random)
            #expect(try partition.entries(from: start) == all.filter { $0.offset >= start })
        }
        try owner.close()
    }
}
