// Reading forward: seeks, batches larger than what is fetched, and bytes that are damaged under the
// reader after they were checked.

import StreamJobsCompression
import StreamJobsLog
import TestSupport
import Testing

struct PartitionCursorTests {
    private let log: TestLog

    init() throws { log = try TestLog() }

    private func value(_ cursor: PartitionCursor) throws -> String? {
        guard try cursor.hasRecord() else { return nil }
        var text = ""
        try cursor.withRecord { text = String(decoding: try Entry($0).value ?? [], as: UTF8.self) }
        cursor.take()
        return text
    }

    @Test func `a seek goes anywhere, in the middle of a batch and backwards too`() throws {
        try log.withPartition { partition in
            try partition.append("0", "1", "2")
            try partition.append("3", "4")
            let cursor = PartitionCursor(partition, from: .zero, isolation: .readCommitted)
            for target in [4, 1, 0, 3, 2, 2, 4, 0] {
                cursor.seek(to: Offset(Int64(target)))
                #expect(try value(cursor) == String(target))
                #expect(cursor.position == Offset(Int64(target + 1)))
            }
            cursor.seek(to: Offset(5))
            #expect(try value(cursor) == nil)
        }
    }

    @Test func `a cursor at the end goes on with what comes`() throws {
        try log.withPartition { partition in
            let producer = ProducerStamp(id: 1, epoch: 0)
            let cursor = PartitionCursor(partition, from: .zero, isolation: .readCommitted)
            #expect(try value(cursor) == nil)
            try partition.append("a")
            #expect(try value(cursor) == "a")
            try partition.append("b", producer: producer)
            #expect(try value(cursor) == nil)
            try partition.end(producer, with: .abort)
            #expect(try value(cursor) == nil)
            #expect(
                cursor.position == Offset(3), "what holds nothing for this reader counts as read")
            try partition.append("c")
            #expect(try value(cursor) == "c")
        }
    }

    @Test func `a reopened partition gives each record the epoch it was written in`() throws {
        try log.withPartition(isClean: false) { try $0.append("0") }
        try log.withPartition { partition in
            try partition.append("1")
            let cursor = PartitionCursor(partition, from: .zero, isolation: .readCommitted)
            #expect(try value(cursor) == "0")
            #expect(try value(cursor) == "1")
            #expect(partition.leaderEpoch(at: Offset(0)) == 0)
            #expect(partition.leaderEpoch(at: Offset(1)) == 1)
        }
    }

    /// The index points at a small batch before the wanted one, and both are more than a fetch.
    @Test(arguments: [1, 2000, 4000])
    func `batches around the size of a fetch are read`(smallBytes: Int) throws {
        try log.withPartition { partition in
            let small = String(repeating: "s", count: smallBytes)
            for excess in stride(from: -4200, through: 0, by: 600) {
                let batch = BatchBuilder()
                let large = [UInt8](repeating: 1, count: Limits.batchBytesMax - 72 + excess)
                try batch.append(key: nil, value: large, timestamp: Timestamp(milliseconds: 0))
                try partition.append(small)
                _ = try withExtendedLifetime(batch) { try partition.append(batch.seal()) }
            }
            let counts = try partition.entries().map { $0.value?.count ?? 0 }
            #expect(counts.count == 16 && counts.allSatisfy { $0 == smallBytes || $0 > 1_000_000 })
        }
    }

    /// Magic to the end, and the base offset and the length, which no checksum covers.
    @Test
    func `a bit that flips under a reader is an error, never a skip`() throws {
        try log.withPartition { partition in
            try partition.append("first")
            try partition.append("second")
            try partition.append("third")
            let path = try log.segments[0]
            let good = try readFile(path)
            let start = batchEnd(good)
            // Bytes 12 to 15 are the leader epoch, which a reader passes on as it is.
            for position in start..<start + batchByteCount(good, at: start)
            where !(start + 12..<start + 16).contains(position) {
                for bit in [0, 3, 7] {
                    var bad = good
                    bad[position] ^= 1 << bit
                    try writeFile(path, bad)
                    let error = #expect(throws: LogError.self) { try partition.values() }
                    #expect(error?.code == .corrupted, "byte \(position) bit \(bit)")
                }
            }
            try writeFile(path, good)
            #expect(try partition.values() == ["first", "second", "third"])
        }
    }

    @Test func `a damaged batch is reported at each look, and what is behind it stays readable`()
        throws
    {
        try log.withPartition { partition in
            for number in 0..<3 { try partition.append("\(number)") }
            let path = try log.segments[0]
            var bad = try readFile(path)
            bad[batchEnd(bad) + 65] ^= 1
            try writeFile(path, bad)
            let cursor = PartitionCursor(partition, from: .zero, isolation: .readCommitted)
            #expect(try value(cursor) == "0")
            for _ in 0..<3 { #expect(throws: LogError.self) { try value(cursor) } }
            cursor.seek(to: Offset(2))
            #expect(try value(cursor) == "2")
        }
    }

    @Test func `a record that cannot be true is reported at each look, not skipped`() throws {
        try log.withPartition { try $0.append("a", "b", "c") }
        var batch = try readFile(try log.segments[0])
        // The second record begins at byte 69, the length of its value is the sixth byte.
        batch[74] = 0x7e
        mendChecksum(&batch)
        try writeFile(try log.segments[0], batch)
        try log.withPartition { partition throws in
            let cursor = PartitionCursor(partition, from: .zero, isolation: .readCommitted)
            #expect(try value(cursor) == "a")
            for _ in 0..<3 {
                let error = #expect(throws: LogError.self) { try value(cursor) }
                #expect(error?.code == .corrupted)
            }
            #expect(cursor.position == Offset(1))
        }
    }

    @Test func `a file cut short under a reader is an error`() throws {
        try log.withPartition { partition in
            try partition.append("first")
            try partition.append("second")
            let path = try log.segments[0]
            let good = try readFile(path)
            for count in [0, 10, batchEnd(good), good.count - 1] {
                try writeFile(path, Array(good.prefix(count)))
                let error = #expect(throws: LogError.self) { try partition.values() }
                #expect(error?.code == .corrupted)
            }
            try writeFile(path, good)
        }
    }

    /// A batch that is not compressed and claims this codec is refused at each look.
    private func expectRefusal(
        ofCodec number: UInt8, _ code: LogError.Code, naming words: String
    ) throws {
        var batch = KafkaPythonBatches.plain
        batch[22] |= number
        mendChecksum(&batch)
        try writeFile(try log.segments[0], batch)
        try log.withPartition { partition throws in
            let cursor = PartitionCursor(partition, from: .zero, isolation: .readCommitted)
            for _ in 0..<2 {
                let error = #expect(throws: LogError.self) { try cursor.hasRecord() }
                #expect(error?.code == code)
                #expect(error?.message.contains(words) == true)
            }
        }
    }

    @Test func `a batch of an unknown codec is refused by its number, again and again`() throws {
        try expectRefusal(ofCodec: 5, .newerFormat, naming: "codec number 5")
    }

    @Test(arguments: [CompressionCodec.gzip, .snappy, .lz4, .zstd])
    func `what is no compressed data is damage, again and again`(codec: CompressionCodec) throws {
        try expectRefusal(ofCodec: codec.rawValue, .corrupted, naming: codec.name)
    }

    // MARK: Compression and compaction

    @Test(arguments: CompressionCodec.allCases)
    func `compressed batches give their records, from anywhere in them`(codec: CompressionCodec)
        throws
    {
        let values = (0..<100).map { String(repeating: "value \($0) ", count: 5) }
        try log.withPartition { partition in
            for part in 0..<4 {
                let batch = BatchBuilder()
                for value in values[part * 25..<part * 25 + 25] { try batch.append(value) }
                let sealed = batch.seal(compression: codec)
                #expect((sealed.count < batch.byteCount) == (codec != .none))
                _ = try withExtendedLifetime(batch) { try partition.append(sealed) }
            }
        }
        try log.withPartition { partition throws in
            for start in [0, 1, 24, 25, 60, 99] {
                #expect(try partition.values(from: Int64(start)) == Array(values[start...]))
            }
        }
    }

    @Test func `gaps that compaction leaves are read over, in batches and between them`() throws {
        // Offsets 0-3 with 1 and 2 taken out, 4-6 gone, 7 emptied, 8-9 whole.
        let first = try batch(at: 0, deltas: [0, 3], lastDelta: 3)
        let empty = try batch(at: 7, deltas: [], lastDelta: 0)
        let last = try batch(at: 8, deltas: [0, 1], lastDelta: 1)
        try log.withOwner { log, _ in
            try log.alterTopic("t", [(name: "cleanup.policy", value: "compact")])
        }
        try writeFile(try log.segments[0], first + empty + last)
        // Only sealed segments are compacted.
        _ = try log.directory.file("t-0/00000000000000000010.log", [])
        try log.directory.remove("clean-shutdown")
        try log.withPartition { partition in
            for (start, offsets) in [(0, [0, 3, 8, 9]), (1, [3, 8, 9]), (5, [8, 9]), (9, [9])] {
                let read = try partition.entries(from: Int64(start)).map(\.offset)
                #expect(read == offsets.map { Int64($0) })
            }
        }
    }

    /// A batch as compaction leaves it: records at some offset deltas only.
    private func batch(at base: Int64, deltas: [UInt8], lastDelta: UInt8) throws -> [UInt8] {
        let builder = BatchBuilder()
        for _ in 0...max(0, deltas.count - 1) { try builder.append("v") }
        var bytes = Array(builder.seal())
        if deltas.isEmpty { bytes.removeSubrange(61...) }
        // A record of one byte takes eight; its offset delta is the fourth.
        for (index, delta) in deltas.enumerated() { bytes[61 + index * 8 + 3] = delta * 2 }
        bytes[7] = UInt8(base)
        bytes[11] = UInt8(bytes.count - 12)
        bytes[26] = lastDelta
        bytes[60] = UInt8(deltas.count)
        mendChecksum(&bytes)
        return bytes
    }

    private func batchEnd(_ bytes: [UInt8]) -> Int { batchByteCount(bytes, at: 0) }

    @Test(arguments: [CompressionCodec.none, .zstd])
    func `a reader that waits holds no memory of a large batch`(codec: CompressionCodec) throws {
        let byteCount = 20 * 1024 * 1024
        try log.withOwner { log, partition in
            try log.alterTopic("t", [("max.message.bytes", "\(2 * byteCount)")])
            let builder = BatchBuilder(bytesMax: 2 * byteCount)
            try builder.append(
                key: nil, value: [UInt8](repeating: 7, count: byteCount),
                timestamp: Timestamp(milliseconds: 0))
            try withExtendedLifetime(builder) {
                _ = try partition().append(builder.seal(compression: codec))
            }
            let cursor = PartitionCursor(
                try partition(), from: .zero, isolation: .readCommitted)
            #expect(try cursor.hasRecord())
            #expect(cursor.heldBytes >= byteCount)
            cursor.releaseMemory()
            try cursor.withRecord { record throws in
                #expect(try Entry(record).value?.last == 7)
            }
            cursor.take()
            #expect(try !cursor.hasRecord())
            #expect(cursor.heldBytes <= Limits.fetchBytes)
            try partition().append("next")
            #expect(try value(cursor) == "next")
        }
    }
}
