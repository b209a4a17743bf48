// Compaction: what stays, what goes, when, and in which form.

import Foundation
import StreamJobsCompression
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct CompactionTests {
    private let log: TestLog
    private let day: Int64 = 86_400_000

    init() throws { log = try TestLog.compacted() }

    // MARK: Records

    @Test func `of each key the last record stays, where it was and as it was`() throws {
        try log.withPartition { partition throws in
            try partition.put([Keyed("a", "1"), Keyed("b", "1"), Keyed("a", "2")])
            try partition.put("c", "1", at: 7)
            try partition.put("b", "2", at: 8)
            try partition.fill()
            let before = try partition.entries()
            #expect(try partition.clean() == Offset(5))
            let after = try partition.entries()
            #expect(try partition.pairs() == ["a=2", "c=1", "b=2"])
            #expect(after == before.filter { [2, 3, 4, 5].contains($0.offset) })
            #expect(partition.logEndOffset == Offset(6))
        }
        for isClean in [false, true] {
            try log.withPartition(isClean: isClean) { partition throws in
                #expect(try partition.pairs() == ["a=2", "c=1", "b=2"])
                try partition.put("filler", "1")
            }
            try log.directory.remove("t-0/segments")
        }
    }

    @Test func `a batch's largest timestamp is that of the records that stay`() throws {
        try log.withPartition { partition throws in
            let builder = BatchBuilder()
            for (key, time) in [("a", Int64(900)), ("b", 5), ("c", 7)] {
                try builder.append(
                    key: Array(key.utf8), value: [1], timestamp: Timestamp(milliseconds: time))
            }
            try withExtendedLifetime(builder) { _ = try partition.append(builder.seal()) }
            try partition.put("a", nil, at: 20)
            try partition.fill()
            try partition.clean()
        }
        #expect(try log.batches().prefix(2).map(\.maxTimestamp) == [7, 20])
    }

    @Test func `the active segment and what is undecided stay as they are`() throws {
        let producer = ProducerStamp(id: 1, epoch: 0)
        let kind = BatchKind(producer: producer, isTransactional: true)
        try log.withPartition { partition throws in
            try partition.put("a", "1")
            try partition.put("a", "2")
            #expect(try partition.clean() == nil, "there is no sealed segment")
            try partition.fill()
            try partition.put([Keyed("a", "3")], kind)
            try partition.fill()
            #expect(try partition.clean() == Offset(3))
            #expect(try partition.pairs(.readUncommitted) == ["a=2", "a=3"])
            try partition.end(producer, with: .commit)
            try partition.fill()
            try partition.clean()
            #expect(try partition.pairs() == ["a=3"])
        }
    }

    @Test func `batches of which nothing goes are copied byte for byte`() throws {
        try log.withPartition { partition throws in
            for number in 0..<20 { try partition.put("\(number)", "value", at: Int64(number)) }
            try partition.put("7", "new")
            try partition.fill()
            let before = try log.batches()
            try partition.clean()
            #expect(try log.batches() == before.filter { $0.baseOffset != 7 })
        }
    }

    @Test func `a segment of which nothing goes is not written again`() throws {
        try log.withPartition { partition throws in
            for key in ["a", "b", "c"] {
                try partition.put(key, "1")
                try partition.fill(key + "2")
            }
            let segments = try log.segments
            func inodes() throws -> [UInt64] {
                try segments.compactMap {
                    try FileManager.default.attributesOfItem(atPath: $0)[.systemFileNumber]
                        as? UInt64
                }
            }
            let before = try inodes()
            try partition.clean()
            #expect(try inodes() == before && before.count == 6)
        }
    }

    @Test(arguments: CompressionCodec.allCases)
    func `a batch is compressed again as it was`(codec: CompressionCodec) throws {
        let kind = BatchKind(timestamp: 5, codec: codec)
        try log.withPartition { partition throws in
            try partition.put([Keyed("a", "1"), Keyed("b", "1"), Keyed("c", nil)], kind)
            try partition.put([Keyed("a", "2")], kind)
            try partition.fill()
            try partition.clean(at: 1000)
        }
        let batch = try #require(try log.batches().first)
        #expect(batch.attributes == Int16(codec.rawValue) | 1 << 6 && batch.lastOffsetDelta == 2)
        #expect(batch.records.map(\.offset) == [1, 2] && batch.records.map(\.timestamp) == [5, 5])
        #expect(batch.records.map(\.value) == [Array("1".utf8), nil])
        #expect(batch.records[0].headers == [Header("of", Array("b".utf8))])
    }

    @Test func `small neighbours become one segment`() throws {
        try log.withPartition { partition throws in
            for number in 0..<10 { try partition.fill("filler", bytes: 2000 + number) }
            #expect(partition.segmentCount == 10)
            try partition.clean()
            #expect(partition.segmentCount == 10, "they are grouped by what they were")
            try partition.fill()
            try partition.fill()
            try partition.clean()
            #expect(partition.segmentCount == 4, "the emptied ones, 9, 10 and 11")
            #expect(try partition.entries().map(\.offset) == [10, 11])
        }
        #expect(try log.segments.count == 4)
    }

    // MARK: Tombstones and markers

    @Test func `a tombstone stays for its time, counted from the first pass, and then goes`() throws
    {
        try log.withPartition { partition throws in
            try partition.put("a", "1")
            try partition.put("a", nil)
            try partition.fill()
            let first = try partition.clean(at: 1000)
            #expect(try partition.pairs() == ["a=null"])
            #expect(try log.batches().first?.deleteHorizon == 1000 + day)
            try partition.fill()
            let second = try partition.clean(at: 999 + day, from: first)
            #expect(try partition.pairs() == ["a=null"])
            try partition.fill()
            try partition.clean(at: 1000 + day, from: second)
            #expect(try partition.pairs() == [])
        }
        try log.withPartition { partition throws in
            #expect(try partition.pairs() == [])
            #expect(partition.logEndOffset == Offset(5))
        }
    }

    @Test(arguments: [TransactionMarker.commit, .abort])
    func `aborted records go at once, a marker when nothing needs it any more`(
        marker: TransactionMarker
    ) throws {
        let producer = ProducerStamp(id: 1, epoch: 0)
        try log.withPartition { partition throws in
            try partition.put("a", "1")
            try partition.put(
                [Keyed("a", "2")], BatchKind(producer: producer, isTransactional: true))
            try partition.end(producer, with: marker)
            try partition.put("b", "1")
            // The producer's last marker, that with its epoch, is another one.
            let next = producer.next
            try partition.put(
                [Keyed("b", "2")], BatchKind(producer: next, isTransactional: true))
            try partition.end(next, with: .commit)
            try partition.fill()
            var end = try partition.clean(at: 1000)
            let expected = marker == .commit ? ["a=2", "b=2"] : ["a=1", "b=2"]
            #expect(try partition.pairs() == expected)
            #expect(try partition.pairs(.readUncommitted) == expected)
            #expect(try log.batches().filter(\.isControl).count == 2)
            try partition.put("a", "3")
            try partition.fill()
            end = try partition.clean(at: 2000, from: end)
            #expect(try log.batches().filter(\.isControl).count == 2)
            try partition.fill()
            try partition.clean(at: 2000 + day, from: end)
            #expect(try log.batches().filter(\.isControl).map(\.baseOffset) == [5])
            #expect(try partition.pairs() == ["b=2", "a=3"])
        }
    }

    @Test(arguments: [true, false])
    func `a producer's epoch and sequence outlive its records`(hasManifest: Bool) throws {
        let plain = BatchKind(producer: ProducerStamp(id: 7, epoch: 3), sequence: 10)
        let ended = ProducerStamp(id: 8, epoch: 4)
        try log.withPartition { partition throws in
            try partition.put([Keyed("a", "1"), Keyed("a", "2")], plain)
            try partition.put(
                [Keyed("a", "3")], BatchKind(producer: ended, isTransactional: true))
            try partition.end(ended, with: .abort)
            try partition.put("a", "4")
            try partition.fill()
            try partition.clean()
            #expect(try partition.pairs() == ["a=4"])
        }
        if !hasManifest { try log.directory.remove("t-0/segments") }
        try log.withPartition { partition throws in
            #expect(try partition.put([Keyed("a", "1"), Keyed("a", "2")], plain) == .zero)
            let late = BatchKind(producer: ended, isTransactional: true)
            let error = #expect(throws: LogError.self) {
                try partition.put([Keyed("a", "5")], late)
            }
            #expect(error?.code == .producerFenced)
            #expect(partition.epoch(of: 8) == 5)
        }
    }

    // MARK: When

    @Test func `what is younger than the least lag stays, and what is behind it`() throws {
        try log.alter([("min.compaction.lag.ms", "100")])
        try log.withPartition { partition throws in
            for time in [10, 20, 500, 30] as [Int64] {
                try partition.put("a", "\(time)", at: time)
                try partition.put(
                    [Keyed("filler", String(repeating: "x", count: 2900))],
                    BatchKind(timestamp: time))
            }
            try partition.fill()
            #expect(try partition.clean(at: 125) == Offset(4))
            #expect(try partition.pairs() == ["a=20", "a=500", "a=30"])
            #expect(try partition.clean(at: 600) == Offset(8))
            #expect(try partition.pairs() == ["a=30"])
        }
    }

    @Test func `cleaning waits until enough is dirty, or some of it for too long`() throws {
        try log.alter([("min.cleanable.dirty.ratio", "0.5"), ("max.compaction.lag.ms", "1000")])
        try log.withPartition { partition throws in
            for number in 0..<4 { try partition.fill("\(number)") }
            let end = try #require(try partition.clean())
            #expect(end == Offset(3))
            try partition.put([Keyed("0", "new")], BatchKind(timestamp: 50))
            try partition.fill("4")
            #expect(try partition.clean(at: 1000, from: end) == nil, "two of five")
            #expect(try partition.clean(at: 1051, from: end) == Offset(5))
        }
    }

    @Test func `more keys than fit take several passes`() throws {
        try log.withPartition { partition throws in
            for number in 0..<6000 {
                try partition.put([Keyed("key \(number % 3000)", "\(number)"), Keyed("x", "y")])
            }
            try partition.fill()
            var end: Offset?
            var passes = 0
            while let next = try partition.compact(
                now: Timestamp(milliseconds: 0), from: end, keyBytesMax: 90_000)
            {
                #expect(next > end ?? .zero)
                end = next
                passes += 1
            }
            #expect(passes > 2)
            let keys = try partition.entries().compactMap(\.key)
            #expect(keys.count == 3002 && Set(keys).count == 3002)
        }
    }

    @Test func `a note that calls too much clean is noticed before a tombstone is believed`() throws
    {
        try log.withPartition { partition throws in
            try partition.put("a", "1")
            try partition.put("a", nil)
            try partition.fill()
            try partition.fill()
            try partition.fill()
            #expect(try partition.clean(from: Offset(3)) == Offset(4))
            #expect(try partition.pairs() == ["a=null"])
        }
        #expect(log.notices.all.contains { $0.contains("cleaner-offset-checkpoint") })
    }

    // MARK: In the background

    @Test func `the background cleans and notes how far`() throws {
        try log.withOwner { log, partition in
            for number in 0..<5 { try partition().fill("a", bytes: 2900 + number) }
            log.maintain(now: Timestamp(milliseconds: 1000))
            #expect(try partition().entries().map(\.offset) == [3, 4])
        }
        #expect(try log.directory.text("cleaner-offset-checkpoint") == "0\n1\nt 0 4\n")
        #expect(log.notices.all == [])
        _ = try log.directory.file("cleaner-offset-checkpoint", Array("rubbish".utf8))
        try log.withOwner { log, partition in
            try partition().fill("a")
            log.maintain(now: Timestamp(milliseconds: 1000))
            log.maintain(now: Timestamp(milliseconds: 1000))
            #expect(try partition().entries().map(\.offset) == [4, 5])
            try log.deleteTopic("t")
            #expect(try self.log.directory.text("cleaner-offset-checkpoint") == "0\n0\n")
            try log.createTopic("t", partitions: 1)
        }
    }

    @Test func `a topic may be compacted and deleted from`() throws {
        try log.alter([("cleanup.policy", "compact,delete"), ("retention.ms", "100")])
        try log.withOwner { log, partition in
            try partition().put("a", "1", at: 10)
            try partition().put("a", "2", at: 10)
            try partition().put("a", String(repeating: "x", count: 2900), at: 500)
            try partition().put("b", String(repeating: "x", count: 2900), at: 500)
            try partition().flush()
            log.maintain(now: Timestamp(milliseconds: 550))
            #expect(try partition().startOffset == Offset(2))
            #expect(try partition().entries(from: 2).map(\.offset) == [2, 3])
        }
    }

    @Test func `a record without key is refused, and an old one stays`() throws {
        try log.alter([("cleanup.policy", "delete")])
        try log.withOwner { log, partition in
            try partition().append("keyless")
            try partition().fill()
            try log.alterTopic("t", [(name: "cleanup.policy", value: "compact")])
            let error = #expect(throws: LogError.self) { try partition().append("keyless") }
            #expect(error?.code == .invalidRecord && error?.message.contains("t-0") == true)
            try partition().fill()
            try partition().clean()
            #expect(try partition().values().first == "keyless")
        }
    }

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
}

struct KeyOffsetsTests {
    @Test(arguments: seeds(3))
    func `keys are told apart whatever they are, up to the bound`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let map = KeyOffsets(byteCountMax: 400_000)
        var model: [[UInt8]: Int64] = [:]
        var isFull = false
        for offset in 0..<20_000 {
            let key = random.bytes(.random(in: 0...3, using: &random) * 5)
                .prefix(.random(in: 0...20, using: &random)).map { $0 & 0x0f }
            let isTaken = key.withUnsafeBytes { map.put($0, Int64(offset)) }
            if isTaken { model[key] = Int64(offset) }
            #expect(isTaken || model[key] == nil)
            isFull = isFull || !isTaken
        }
        #expect(isFull && map.count == model.count)
        for (key, offset) in model {
            #expect(key.withUnsafeBytes { map.offset(of: $0) } == offset)
        }
    }

    @Test func `one key is taken however long it is`() {
        let map = KeyOffsets(byteCountMax: 100_000)
        let long = [UInt8](repeating: 1, count: 200_000)
        #expect(long.withUnsafeBytes { map.put($0, 1) })
        #expect([2].withUnsafeBytes { !map.put(UnsafeRawBufferPointer($0), 2) })
        #expect(long.withUnsafeBytes { map.put($0, 3) && map.offset(of: $0) == 3 })
    }
}

struct NullKeysTests {
    private func bytes(keys: [[UInt8]?]) throws -> [UInt8] {
        let builder = BatchBuilder()
        for (index, key) in keys.enumerated() {
            try builder.append(
                key: key, value: [UInt8](repeating: 0, count: index * 100),
                timestamp: Timestamp(milliseconds: Int64(index) * 1_000_000))
        }
        return withExtendedLifetime(builder) { Array(builder.seal()) }
    }

    @Test func `the first null key is found wherever it is`() throws {
        for count in 1...100 {
            for missing in 0..<count {
                let keys = (0..<count).map {
                    $0 == missing ? nil : [UInt8](repeating: 1, count: $0)
                }
                let batch = try bytes(keys: keys)
                let found = try batch.withUnsafeBytes {
                    try NullKeys.first(
                        in: UnsafeRawBufferPointer(rebasing: $0[61...]), of: BatchHeader($0))
                }
                #expect(found == Int32(missing))
            }
        }
    }

    @Test(arguments: seeds(3))
    func `bytes that are no records are refused or read, never beyond their end`(seed: UInt64)
        throws
    {
        var random = SeededGenerator(seed: seed)
        let batch = try bytes(keys: (0..<20).map { [UInt8($0)] })
        let header = try batch.withUnsafeBytes { try BatchHeader($0) }
        for _ in 0..<5000 {
            var records = Array(batch[61...].prefix(.random(in: 0...1200, using: &random)))
            for _ in 0..<Int.random(in: 0...3, using: &random) where !records.isEmpty {
                let place = records.indices.randomElement(using: &random) ?? 0
                records[place] = .random(in: 0...255, using: &random)
            }
            // A copy of its own size, so that a sanitizer sees what lies beyond.
            try records.withUnsafeBytes { bytes in
                do {
                    _ = try NullKeys.first(in: bytes, of: header)
                } catch is MalformedBatch { return }
            }
        }
    }
}
