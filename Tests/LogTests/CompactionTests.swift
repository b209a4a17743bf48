// What compaction leaves of records, tombstones and markers, and in which form.

import Foundation
import StreamJobsCompression
import StreamJobsLog
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

    @Test func `a marker asks for no memory by a count of records that it has not`() throws {
        try TestLog.compacted().withPartition { partition in
            let marker = BatchBuilder.sealMarker(.abort, of: ProducerStamp(id: 1, epoch: 0))
            var batch = withExtendedLifetime(marker) { Array(marker.sealed) }
            batch.replaceSubrange(23..<27, with: [0x7f, 0xff, 0xff, 0xfe])
            batch.replaceSubrange(57..<61, with: [0x7f, 0xff, 0xff, 0xff])
            mendChecksum(&batch)
            try batch.withUnsafeMutableBytes { _ = try partition.append($0) }
            for _ in 0..<2 { try partition.fill() }
            let before = try peakBytes()
            let error = #expect(throws: LogError.self) { try partition.clean() }
            #expect(error?.code == .corrupted)
            #expect(try peakBytes() - before < 16 << 30, "a count that is believed takes 40 GB")
        }
    }

    /// The largest that this process's memory was, touched or not.
    private func peakBytes() throws -> Int {
        let status = String(decoding: try readFile("/proc/self/status"), as: UTF8.self)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmPeak:") }
        let kilobytes = line.flatMap { Int($0.filter(\.isNumber)) }
        return try #require(kilobytes) * 1024
    }

    @Test func `segments that are written anew keep the time of the last of them`() throws {
        let log = try TestLog.compacted(segmentBytes: 1000)
        try log.withPartition { partition in
            for number in 0..<3 { try partition.put("k\(number % 2)", nil, at: -1) }
            try partition.put("k", String(repeating: "x", count: 700), at: -1)
            for _ in 0..<2 { try partition.fill(bytes: 900) }
            for (number, path) in try log.segments.enumerated() {
                let time = Date(timeIntervalSince1970: 1_000_000_000 + TimeInterval(number))
                try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: path)
            }
            #expect(try log.segments.count > 2)
            try partition.clean()
            let attributes = try FileManager.default.attributesOfItem(atPath: log.segments[0])
            let time = try #require(attributes[.modificationDate] as? Date)
            #expect(time.timeIntervalSince1970.rounded() == 1_000_000_000)
        }
    }
}
