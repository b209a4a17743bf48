// Kills and power losses at every operation of two passes: whatever is left opens by itself with each key's
// last record, no older value is back behind a tombstone that has gone, and nothing is there twice.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

/// What was appended, and from which operation of the disk on that is certain.
private struct History {
    struct Batch {
        let offset: Int64
        let records: [Keyed]
        /// Operations after which it was written, or flushed.
        let written: Int
        var flushed = Int.max
        /// Its records count as never written.
        var isAborted = false
    }
    var batches: [Batch] = []

    func record(at offset: Int64) -> Keyed? {
        let batch = batches.last { $0.offset <= offset }
        guard let batch, offset - batch.offset < batch.records.count else { return nil }
        return batch.records[Int(offset - batch.offset)]
    }

    /// The values that the key may have after a crash behind `count` operations.
    func allowed(_ key: String, after count: Int, isPowerLoss: Bool) -> Set<String?> {
        var allowed: Set<String?> = [nil]
        for batch in batches where !batch.isAborted {
            guard let record = batch.records.last(where: { $0.key == key }) else { continue }
            let isCertain = (isPowerLoss ? batch.flushed : batch.written) <= count
            if isCertain { allowed = [record.value] } else { allowed.insert(record.value) }
        }
        return allowed
    }

    var keys: Set<String> { Set(batches.flatMap(\.records).map(\.key)) }
}

/// Appends, two passes a day apart, and what was noted of them.
private struct CompactionWorkload {
    static let day: Int64 = 86_400_000
    let directory: MemoryDirectory
    let recorder: DiskRecorder
    var history = History()
    /// The operation that the first pass begins with.
    private(set) var firstPass = 0
    private var partition: Partition

    static func options(_ files: FileSystem = .live) -> LogOptions {
        var options = LogOptions()
        options.segmentBytes = 700
        options.isMaintained = false
        options.files = files
        return options
    }

    init() throws {
        directory = try MemoryDirectory()
        recorder = DiskRecorder(directory.path)
        let log = try CommitLog.open(
            directory.path, as: .owner, Self.options(FileSystem(observer: recorder)))
        try log.createTopic("t", partitions: 1)
        try log.alterTopic(
            "t",
            [("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0")]
                .map { (name: $0.0, value: $0.1) })
        partition = try log.partition(TestLog.name)
        try run(log)
        try log.close()
    }

    private mutating func run(_ log: CommitLog) throws {
        let producer = ProducerStamp(id: 1, epoch: 0)
        try put([Keyed("a", "1"), Keyed("b", "1"), Keyed("c", "1")])
        for number in 0..<6 { try put([Keyed("b", "b\(number)"), Keyed("k\(number)", "1")]) }
        try put([Keyed("a", nil), Keyed("d", "1")])
        try put([Keyed("c", "aborted"), Keyed("k1", "aborted")], producer)
        for number in 0..<4 { try put([Keyed("d", "d\(number)"), Keyed("k\(number)", "2")]) }
        try partition.checkpoint()
        try end(producer, .abort)
        try put([Keyed("c", "2"), Keyed("k2", nil)], producer.next)
        for number in 0..<4 { try put([Keyed("e", "e\(number)"), Keyed("f\(number)", "1")]) }
        try end(producer.next, .commit)
        for number in 0..<3 { try put([Keyed("e", "f\(number)")]) }
        try flush()
        firstPass = recorder.operationCount
        log.maintain(now: Timestamp(milliseconds: 1000))
        for number in 0..<5 { try put([Keyed("e", "g\(number)"), Keyed("b", nil)]) }
        try flush()
        for number in 0..<5 { try put([Keyed("e", "h\(number)"), Keyed("k0", "x\(number)")]) }
        log.maintain(now: Timestamp(milliseconds: 2000 + Self.day))
    }

    private mutating func put(_ records: [Keyed], _ producer: ProducerStamp? = nil) throws {
        let padded = records.map { record in
            Keyed(record.key, record.value.map { $0 + String(repeating: "x", count: 40) })
        }
        let kind = BatchKind(
            timestamp: 500, producer: producer, isTransactional: producer != nil)
        let offset = try partition.put(padded, kind)
        var batch = History.Batch(
            offset: offset.rawValue, records: padded, written: recorder.operationCount)
        // Undecided: certain with its marker only.
        if producer != nil {
            batch = History.Batch(offset: batch.offset, records: padded, written: .max)
        }
        history.batches.append(batch)
    }

    private mutating func end(_ producer: ProducerStamp, _ marker: TransactionMarker) throws {
        try partition.end(producer, with: marker)
        for index in history.batches.indices where history.batches[index].written == .max {
            let batch = history.batches[index]
            history.batches[index] = History.Batch(
                offset: batch.offset, records: batch.records, written: recorder.operationCount,
                isAborted: marker == .abort)
        }
    }

    private mutating func flush() throws {
        try partition.flush()
        for index in history.batches.indices where history.batches[index].flushed == .max {
            history.batches[index].flushed = recorder.operationCount
        }
    }
}

/// Opens what a crash has left, and compares with the history.
private struct CompactionCheck {
    let history: History
    /// Operations done before the crash.
    let count: Int
    let isPowerLoss: Bool

    /// - Parameter goesOn: Also cleans and opens again.
    func check(_ disk: Disk, goesOn: Bool = true) throws {
        let image = try MemoryDirectory(disk)
        try withExtendedLifetime(image) { try check(image.path, goesOn: goesOn) }
    }

    private func check(_ directory: String, goesOn: Bool) throws {
        let log = try CommitLog.open(directory, as: .owner, CompactionWorkload.options())
        let partition = try log.partition(TestLog.name)
        try compare(partition, directory)
        guard goesOn else { return }
        try partition.put("after", "1")
        try partition.flush()
        log.maintain(now: Timestamp(milliseconds: 3000 + 2 * CompactionWorkload.day))
        try compare(partition, directory)
        try log.close()
        let again = try CommitLog.open(directory, as: .owner, CompactionWorkload.options())
        try compare(try again.partition(TestLog.name), directory)
    }

    private func compare(_ partition: Partition, _ directory: String) throws {
        var last: [String: String] = [:]
        var offsets: [Int64] = []
        for entry in try partition.entries(from: partition.startOffset.rawValue) {
            let key = String(decoding: entry.key ?? [], as: UTF8.self)
            guard key != "after" else { continue }
            let value = entry.value.map { String(decoding: $0, as: UTF8.self) }
            let written = history.record(at: entry.offset)
            #expect(written?.key == key && written?.value == value && entry.timestamp == 500)
            last[key] = value
            offsets.append(entry.offset)
        }
        #expect(zip(offsets, offsets.dropFirst()).allSatisfy { $0 < $1 })
        for key in history.keys {
            let allowed = history.allowed(key, after: count, isPowerLoss: isPowerLoss)
            #expect(allowed.contains(last[key]), "\(key) after \(count) operations")
        }
        try checkFiles(directory + "/t-0")
    }

    private func checkFiles(_ directory: String) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        for suffix in [".cleaned", ".swap", ".deleted", ".tmp"] {
            #expect(!names.contains { $0.hasSuffix(suffix) }, "\(names)")
        }
        let segments = names.filter { $0.hasSuffix(".log") }
        var end: Int64?
        for name in segments {
            let batches = try SegmentParser.batches(ofFile: directory + "/" + name)
            #expect(end == nil || end == Int64(name.prefix(20)), "a segment begins where one ends")
            let offsets = batches.flatMap { [$0.baseOffset, $0.nextOffset] }
            #expect(offsets == offsets.sorted())
            end = batches.last?.nextOffset
        }
    }
}

struct CompactionCrashTests {
    @Test
    func `a kill at any operation of a pass leaves each key's last record`() throws {
        let workload = try CompactionWorkload()
        let operations = workload.recorder.operations
        #expect(operations.count - workload.firstPass > 60)
        var disk = Disk()
        var swaps = 0
        for (number, operation) in operations.enumerated() {
            if number >= workload.firstPass {
                let check = CompactionCheck(
                    history: workload.history, count: number, isPowerLoss: false)
                try check.check(disk)
                if disk.paths.contains(where: { $0.hasSuffix(".swap") }) { swaps += 1 }
                if case .write(_, _, let bytes) = operation {
                    var torn = disk
                    torn.applyTorn(operation, byteCount: bytes.count / 2)
                    try check.check(torn)
                }
            }
            disk.apply(operation)
        }
        #expect(swaps > 10)
    }

    @Test(arguments: seeds(4))
    func `a power loss at any operation of a pass leaves each key's last record`(seed: UInt64)
        throws
    {
        var random = SeededGenerator(seed: seed)
        let workload = try CompactionWorkload()
        var disk = Disk()
        let losses: [Disk.PowerLoss] = [.losesAll, .losesData, .losesSome, .losesSome]
        for (number, operation) in workload.recorder.operations.enumerated() {
            if number >= workload.firstPass {
                let after = disk.afterPowerLoss(losses[Int(seed - 1) % 4], &random)
                let check = CompactionCheck(
                    history: workload.history, count: number, isPowerLoss: true)
                try check.check(after)
            }
            disk.apply(operation)
        }
    }

    /// Opening finishes what the crash has cut short, and may be cut short itself.
    @Test
    func `a crash while opening finishes a swap leaves each key's last record`() throws {
        let workload = try CompactionWorkload()
        var disk = Disk()
        for (number, operation) in workload.recorder.operations.enumerated() {
            let isInSwap = disk.paths.contains { $0.hasSuffix(".swap") }
            if number >= workload.firstPass, isInSwap {
                let image = try MemoryDirectory(disk)
                let recorder = DiskRecorder(image.path, disk)
                let options = CompactionWorkload.options(FileSystem(observer: recorder))
                _ = try CommitLog.open(image.path, as: .owner, options)
                var random = SeededGenerator(seed: UInt64(number))
                for isPowerLoss in [false, true] {
                    var again = disk
                    for operation in recorder.operations {
                        let crashed =
                            isPowerLoss ? again.afterPowerLoss(.losesSome, &random) : again
                        try CompactionCheck(
                            history: workload.history, count: number, isPowerLoss: isPowerLoss
                        ).check(crashed, goesOn: false)
                        again.apply(operation)
                    }
                }
            }
            disk.apply(operation)
        }
    }

    @Test(arguments: Fault.Kind.allCases)
    func `a pass that fails at any call of the system loses nothing`(kind: Fault.Kind) throws {
        for number in 0..<200 {
            let log = try TestLog.compacted(segmentBytes: 700)
            try log.withPartition { partition throws in
                for number in 0..<60 { try partition.put("\(number % 7)", "\(number)") }
                try partition.flush()
            }
            let fault = Fault(kind: kind, number: number, code: .io, written: 0.5, isLasting: true)
            let recorder = DiskRecorder(log.directory.path)
            let owner = try log.open(FileSystem(observer: recorder))
            let partition = try owner.partition(TestLog.name)
            recorder.fail(fault)
            owner.maintain(now: Timestamp(milliseconds: 1000))
            let expected = (53..<60).map { "\($0 % 7)=\($0)" }
            if kind != .read {
                #expect(try partition.pairs().suffix(7).sorted() == expected.sorted())
            }
            let hasFailed = recorder.hasFailed
            recorder.heal()
            #expect(try partition.pairs().suffix(7).sorted() == expected.sorted())
            withExtendedLifetime(owner) {}
            guard hasFailed else { return }
            #expect(!log.notices.all.isEmpty)
        }
    }
}
