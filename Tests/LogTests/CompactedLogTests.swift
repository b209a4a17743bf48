// Life with segments that were cleaned: gaps that must not hide damage, and readers and writers beside a pass.

import Foundation
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct CompactedLogTests {
    private let log: TestLog

    init() throws { log = try TestLog.compacted() }

    // MARK: Damage

    /// Three segments of cleaned batches with gaps, and the active one.
    private func makeGaps() throws {
        try log.withPartition { partition throws in
            for number in 0..<90 {
                try partition.put([Keyed("\(number % 60)", String(repeating: "v", count: 60))])
            }
            try partition.fill()
            try partition.clean()
        }
        #expect(try log.segments.count >= 3)
    }

    @Test func `a cleaned segment that is missing is noticed, with a manifest and without`() throws
    {
        try makeGaps()
        try FileManager.default.removeItem(atPath: try log.segments[1])
        #expect(log.refusal()?.code == .corrupted)
        try log.directory.remove("t-0/segments")
        #expect(log.refusal()?.code == .corrupted)
        var damages: [String] = []
        var verifier = LogVerifier(log.directory.path)
        _ = try verifier.verify { if $0.kind == .damage { damages.append($0.message) } }
        #expect(damages.contains { $0.contains("before it are missing") })
    }

    @Test func `what was compacted is read when the topic is not compacted any more`() throws {
        try makeGaps()
        try log.alter([("cleanup.policy", "delete")])
        let before = try log.withPartition { try $0.entries() }
        try log.directory.remove("t-0/segments")
        #expect(before.count == 61)
        #expect(try log.observer().entries() == before)
        #expect(try log.withPartition { try $0.entries() } == before)
    }

    /// The base offset is what no checksum covers.
    @Test func `a bit that flips in a cleaned segment's offsets is noticed without a manifest`()
        throws
    {
        try makeGaps()
        try log.directory.remove("t-0/segments")
        let path = try log.segments[1]
        let whole = try readFile(path)
        let starts = try SegmentParser.batches(ofFile: path)
            .reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.bytes.count) }.dropLast()
        let before = try log.withPartition { try $0.entries() }
        for start in starts {
            // A small change may fall into a gap: then it is another place in it.
            for bit in 5..<64 {
                var flipped = whole
                flipped[start + 7 - bit / 8] ^= 1 << (bit % 8)
                try writeFile(path, flipped)
                try log.directory.remove("t-0/segments")
                #expect(log.refusal()?.code == .corrupted, "bit \(bit) at \(start)")
                try writeFile(path, whole)
                try log.withPartition { _ in }
            }
        }
        #expect(try log.withPartition { try $0.entries() } == before)
    }

    // MARK: Readers

    /// Flips a bit of the base offset of the last batch in a sealed segment that has gaps: no batch behind
    /// that one speaks against it.
    /// - Parameter byte: Of the offset: 5 makes one that an index could hold, 2 one that it could not.
    private func moveLastBatch(_ byte: Int) throws -> String {
        let path = try #require(
            try log.segments.dropLast().first { path in
                let batches = try SegmentParser.batches(ofFile: path)
                let base = Int64(path.suffix(24).prefix(20)) ?? 0
                // Each is of one record.
                return (batches.last?.baseOffset ?? 0) - base >= batches.count
            })
        let last = try SegmentParser.batches(ofFile: path).dropLast().reduce(0) {
            $0 + $1.bytes.count
        }
        var bytes = try readFile(path)
        bytes[last + byte] ^= 1
        try writeFile(path, bytes)
        return path
    }

    @Test(arguments: [5, 2])
    func `a last batch beyond its segment's end is refused where an index is made again`(
        byte: Int
    ) throws {
        try log.alter([("index.interval.bytes", "100")])
        try makeGaps()
        let path = try moveLastBatch(byte)
        try FileManager.default.removeItem(atPath: String(path.dropLast(4)) + ".timeindex")
        let refusal = log.refusal()
        #expect(refusal?.code == .corrupted && refusal?.message.contains(path) == true)
    }

    @Test(arguments: [5, 2])
    func `a last batch beyond its segment's end is told by compaction`(byte: Int) throws {
        try makeGaps()
        let path = try moveLastBatch(byte)
        try log.withPartition { partition throws in
            try partition.put("0", "new")
            try partition.fill()
            let error = #expect(throws: LogError.self) { try partition.clean() }
            #expect(error?.code == .corrupted && error?.message.contains(path) == true)
            try partition.put("0", "goes on")
        }
    }

    @Test func `a reader in the midst of an old segment finds its place in the new one`() throws {
        try log.withPartition { partition throws in
            for number in 0..<500 { try partition.put("\(number % 50)", "\(number)") }
            try partition.fill()
            for start in [0, 3, 250, 449, 450, 499] as [Int64] {
                let cursor = PartitionCursor(
                    partition, from: Offset(start), isolation: .readCommitted)
                #expect(try cursor.hasRecord())
                cursor.take()
            }
            let observer = try log.observer()
            #expect(try observer.entries().count == 501)
            let cursors = [partition, observer].map {
                PartitionCursor($0, from: Offset(20), isolation: .readCommitted)
            }
            for cursor in cursors {
                #expect(try cursor.hasRecord() && cursor.recordOffset == Offset(20))
                cursor.take()
            }
            try partition.clean()
            for cursor in cursors {
                var last = Offset(20)
                while try cursor.hasRecord() {
                    #expect(cursor.recordOffset.map { $0 > last } == true)
                    last = cursor.recordOffset ?? last
                    cursor.take()
                }
                #expect(last == Offset(500))
            }
            let expected = try partition.entries()
            #expect(expected.count == 51)
            #expect(try observer.entries().suffix(51) == expected.suffix(51))
            #expect(try log.observer().entries() == expected)
        }
    }

    @Test
    func `appends, reads, flushes and deletions go on beside passes`() throws {
        let failures = Mutex<[String]>([])
        let isDone = Atomic<Bool>(false)
        let totals = Mutex<[String: String]>([:])
        try log.withOwner { log, partition in
            let partition = try partition()
            DispatchQueue.concurrentPerform(iterations: 5) { thread in
                do {
                    switch thread {
                    case 0, 1:
                        for number in 0..<1500 {
                            let key = "\(thread) \(number % 17)"
                            try partition.put([Keyed(key, "\(number)")])
                            totals.withLock { $0[key] = "\(number)" }
                            if number % 100 == 0 { try partition.checkpoint() }
                        }
                        isDone.store(true, ordering: .sequentiallyConsistent)
                    case 2:
                        var end: Offset?
                        while !isDone.load(ordering: .sequentiallyConsistent) {
                            do {
                                end = try partition.clean(from: end) ?? end
                            } catch is CompactionOvertaken { continue }
                        }
                    case 3:
                        while !isDone.load(ordering: .sequentiallyConsistent) {
                            let start = max(0, partition.lastStableOffset.rawValue - 400)
                            try log.deleteRecords(of: TestLog.name, before: Offset(start))
                        }
                    default:
                        while !isDone.load(ordering: .sequentiallyConsistent) {
                            do {
                                let start = partition.startOffset.rawValue
                                let offsets = try partition.entries(from: start).map(\.offset)
                                guard offsets == offsets.sorted() else { throw Unparsable("order") }
                            } catch let error as LogError where error.code == .offsetOutOfRange {
                                continue
                            }
                        }
                    }
                } catch { failures.withLock { $0.append("\(error)") } }
            }
            try partition.fill()
            try partition.clean()
            var last: [String: String] = [:]
            for entry in try partition.entries(from: partition.startOffset.rawValue) {
                guard let key = entry.key, let value = entry.value else { continue }
                last[String(decoding: key, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
            }
            last["filler"] = nil
            #expect(last == totals.withLock { $0 })
        }
        #expect(failures.withLock { $0 } == [])
    }

    @Test func `a consumer is at its end where compaction has taken out what lay below it`() throws
    {
        try log.withOwner { log, partition in
            let partition = try partition()
            try partition.put("key", "old")
            let consumer = try Consumer(log, topic: try log.topic("t"), from: .earliest)
            try consumer.stopAtEnd()
            try partition.put("key", "new")
            try partition.fill()
            try partition.clean()
            #expect(try partition.pairs() == ["key=new"])
            #expect(try consumer.poll { _, _ in } == 0)
            #expect(try consumer.remaining() == 0)
        }
    }

    @Test func `records behind the last one that is counted are not dropped in silence`() throws {
        try log.withPartition { partition throws in
            try partition.put([Keyed("a", "1"), Keyed("b", "2")])
            try partition.fill()
        }
        let path = try log.segments[0]
        let count = try SegmentParser.batches(ofFile: path)[0].bytes.count
        var file = try readFile(path)
        var batch = Array(file[..<count])
        batch[60] = 1
        mendChecksum(&batch)
        file.replaceSubrange(..<count, with: batch)
        try writeFile(path, file)
        let error = #expect(throws: LogError.self) { try log.withPartition { try $0.clean() } }
        #expect(error?.code == .corrupted)
        #expect(error?.message.contains("bytes follow the last record") == true)
    }
}
