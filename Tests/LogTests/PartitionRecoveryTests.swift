// What an owner makes of files that a crash or a disk has damaged: a torn tail is cut, everything else
// is refused and left as it is.

import Foundation
import StreamJobsChecksum
import StreamJobsLog
import TestSupport
import Testing

struct PartitionRecoveryTests {
    /// A log with batches "a", "b", "c", stopped as by kill -9, and its file.
    private func crashedLog(segmentBytes: Int = 1 << 30, isFlushed: Bool = false) throws -> (
        TestLog, path: String, [UInt8]
    ) {
        let log = try TestLog(segmentBytes: segmentBytes)
        try log.withPartition(isClean: false) { partition in
            for value in ["a", "b", "c"] { try partition.append(value) }
            if isFlushed { try partition.flush() }
        }
        let path = try #require(try log.segments.first)
        return (log, path, try readFile(path))
    }

    private func starts(_ bytes: [UInt8]) -> [Int] {
        var starts = [0]
        while let last = starts.last, last < bytes.count {
            starts.append(last + batchByteCount(bytes, at: last))
        }
        return starts
    }

    // MARK: Torn tails

    @Test func `every prefix of the last batch is cut, and the leader epoch rises`() throws {
        let (log, path, whole) = try crashedLog()
        let lastStart = starts(whole)[2]
        var epoch: Int32 = 0
        for count in lastStart + 1..<whole.count {
            try writeFile(path, Array(whole.prefix(count)))
            try log.withPartition(isClean: false) { partition throws in
                #expect(try partition.values() == ["a", "b"])
                #expect(partition.flushedOffset == Offset(2))
                #expect(partition.leaderEpoch(at: Offset(2)) == epoch + 1)
                #expect(partition.leaderEpoch(at: Offset(1)) == 0)
                epoch += 1
            }
            #expect(try readFile(path) == Array(whole.prefix(lastStart)))
        }
    }

    @Test(arguments: [1, 60, 61, 5000, 3_000_000])
    func `zeros or garbage behind the last batch are cut`(count: Int) throws {
        let (log, path, whole) = try crashedLog()
        var random = SeededGenerator(seed: UInt64(count))
        let zeros = [UInt8](repeating: 0, count: count)
        let twos = [UInt8](repeating: 2, count: count)
        for tail in [zeros, twos, random.bytes(count), Array(whole.prefix(count))] {
            try writeFile(path, whole + tail)
            try log.withPartition(isClean: false) { partition throws in
                #expect(try partition.values() == ["a", "b", "c"])
            }
            #expect(try readFile(path) == whole)
        }
    }

    @Test func `a tail that is cut leaves room for the next batch`() throws {
        let (log, path, whole) = try crashedLog()
        try writeFile(path, Array(whole.dropLast()))
        try log.withPartition(isClean: false) { partition throws in
            #expect(try partition.append("d") == Offset(2))
        }
        try log.withPartition { partition throws in
            #expect(try partition.values() == ["a", "b", "d"])
            #expect(partition.leaderEpoch(at: Offset(2)) == 1, "another record than the lost one")
        }
    }

    @Test func `the leader epoch rises even if all was lost`() throws {
        let (log, path, _) = try crashedLog()
        try writeFile(path, [])
        try log.withPartition { partition in
            #expect(partition.logEndOffset == .zero)
            try partition.append("other")
            #expect(partition.leaderEpoch(at: .zero) == 1)
        }
    }

    @Test func `a clean stop leaves the leader epoch as it is`() throws {
        let log = try TestLog()
        for _ in 0..<3 { try log.withPartition { try $0.append("a") } }
        try log.withPartition { #expect($0.leaderEpoch(at: Offset(3)) == 0) }
    }

    @Test func `recovery of what is recovered changes no segment`() throws {
        let (log, path, whole) = try crashedLog()
        try writeFile(path, Array(whole.dropLast(3)))
        try log.withPartition(isClean: false) { _ in }
        let once = try readFile(path)
        for _ in 0..<5 { try log.withPartition(isClean: false) { _ in } }
        #expect(try readFile(path) == once)
    }

    // MARK: Damage

    /// Every byte, also those that the checksum leaves out: offset, length, leader epoch.
    @Test func `a bit that flipped before good batches is refused, and nothing is changed`() throws
    {
        let (log, path, _) = try crashedLog()
        // Now there is a file of leader epochs for the batches to agree with.
        try log.withPartition(isClean: false) { try $0.append("d") }
        let whole = try readFile(path)
        let start = starts(whole)[1]
        for position in start..<starts(whole)[2] {
            for bit in [0, 4, 7] {
                var bad = whole
                bad[position] ^= 1 << bit
                try writeFile(path, bad)
                let before = try log.contents()
                let error = log.refusal()
                #expect(error?.code == .corrupted)
                #expect(error?.message.contains(path) == true)
                #expect(
                    error?.message.contains("at byte \(start) (offset 1)") == true,
                    "byte \(position) bit \(bit): \(String(describing: error))")
                #expect(try log.contents() == before)
            }
        }
        try writeFile(path, whole)
        #expect(try log.withPartition { try $0.values() } == ["a", "b", "c", "d"])
    }

    /// The checksum leaves it out; believed, it would make the good batches behind it look stale.
    @Test func `a base offset that flipped is refused, without a file of epochs too`() throws {
        let (log, path, whole) = try crashedLog(isFlushed: true)
        let start = starts(whole)[1]
        for position in start..<start + 8 {
            for bit in 0..<8 {
                var bad = whole
                bad[position] ^= 1 << bit
                try writeFile(path, bad)
                #expect(log.refusal()?.message.contains("at byte \(start) (offset 1)") == true)
                #expect(try readFile(path) == bad)
            }
        }
    }

    @Test func `numbers at their limits are neither believed nor a trap`() throws {
        let (log, path, whole) = try crashedLog(isFlushed: true)
        try writeFile(path, [0x7f] + [UInt8](repeating: 0xff, count: 7) + whole[8...])
        #expect(log.refusal()?.message.contains("at byte 0") == true)

        // Each batch says that it holds 2^31 offsets; a segment counts to 2^31.
        let batch = BatchBuilder()
        try batch.append(String(repeating: "x", count: 5000))
        var bytes = Array(batch.seal())
        bytes.replaceSubrange(23..<27, with: [0x7f, 0xff, 0xff, 0xff])
        mendChecksum(&bytes)
        let unflushed = try TestLog()
        try unflushed.withPartition(isClean: false) { _ in }
        try writeFile(unflushed.segments[0], bytes)
        try unflushed.withPartition { #expect($0.logEndOffset == .zero) }
    }

    @Test func `after a clean stop there is no torn tail, only damage`() throws {
        let log = try TestLog()
        try log.withPartition { partition in
            for value in ["a", "b"] { try partition.append(value) }
        }
        let path = try log.segments[0]
        let whole = try readFile(path)
        for bad in [Array(whole.dropLast()), whole + [0]] {
            try writeFile(path, bad)
            let before = try log.contents()
            #expect(log.refusal()?.code == .corrupted)
            #expect(try log.contents() == before)
        }
        // What the checkpoint vouches for is not read at opening: damage is found by who reads it.
        try writeFile(path, whole.dropLast() + [9])
        try log.withPartition { partition throws in
            let error = #expect(throws: LogError.self) { try partition.values() }
            #expect(error?.code == .corrupted)
        }
    }

    @Test func `damage in a segment that is not the last is refused, at its end too`() throws {
        let (log, path, whole) = try crashedLog(segmentBytes: 150, isFlushed: true)
        #expect(try log.segments.count == 2)
        for bad in [Array(whole.dropLast()), whole + [0], whole.dropLast() + [9]] {
            try writeFile(path, bad)
            let before = try log.contents()
            let error = log.refusal()
            #expect(error?.code == .corrupted && error?.message.contains(path) == true)
            #expect(try log.contents() == before)
        }
        try writeFile(path, whole)
        #expect(try log.withPartition { try $0.values() } == ["a", "b", "c"])
    }

    @Test func `a batch that was cut off an inner segment is missed`() throws {
        let (log, path, whole) = try crashedLog(segmentBytes: 150, isFlushed: true)
        try writeFile(path, Array(whole.prefix(starts(whole)[1])))
        #expect(log.refusal()?.message.contains("a segment from offset 1 is missing") == true)
    }

    @Test func `a segment gone from the middle is missed, and so are all of them`() throws {
        let (log, _, _) = try crashedLog(segmentBytes: 70, isFlushed: true)
        let segments = try log.segments
        #expect(segments.count == 3)
        try FileManager.default.removeItem(atPath: segments[1])
        #expect(log.refusal()?.message.contains("a segment from offset 1 is missing") == true)
        try FileManager.default.removeItem(atPath: segments[0])
        try FileManager.default.removeItem(atPath: segments[2])
        #expect(log.refusal()?.code == .corrupted)
        #expect(try log.segments.isEmpty)
    }

    @Test func `a partition's directory that is gone is named`() throws {
        let (log, _, _) = try crashedLog()
        try FileManager.default.removeItem(atPath: log.directory.path + "/t-0")
        let error = log.refusal()
        #expect(error?.code == .corrupted && error?.message.contains("/t-0") == true)
    }

    // MARK: Leader epochs

    private func epochsPath(_ log: TestLog) -> String {
        log.directory.path + "/t-0/leader-epoch-checkpoint"
    }

    @Test func `the epochs are written in Kafka's format`() throws {
        let (log, _, _) = try crashedLog()
        try log.withPartition(isClean: false) { _ = try $0.append("d") }
        try log.withPartition { _ in }
        #expect(
            String(decoding: try readFile(epochsPath(log)), as: UTF8.self)
                == "0\n3\n0 0\n1 3\n2 4\n")
    }

    @Test func `epochs whose file was deleted are found again in the batches`() throws {
        let (log, _, _) = try crashedLog()
        for _ in 0..<3 { try log.withPartition(isClean: false) { try $0.append("x") } }
        try FileManager.default.removeItem(atPath: epochsPath(log))
        try log.withPartition(isClean: false) { partition in
            #expect((0..<6).map { partition.leaderEpoch(at: Offset($0)) } == [0, 0, 0, 1, 2, 3])
            #expect(partition.leaderEpoch(at: Offset(6)) == 4)
        }
    }

    @Test(arguments: [
        "", "0\n", "x\n1\n0 0\n", "0\n2\n0 0\n", "0\n1\n0\n", "0\n1\n0 -1\n", "0\n2\n1 0\n0 5\n",
        "0\n2\n0 5\n1 5\n", "0\n1\n2147483647 0\n",
    ])
    func `a damaged file of epochs is refused`(text: String) throws {
        let (log, _, _) = try crashedLog()
        try log.withPartition { _ in }
        try writeFile(epochsPath(log), Array(text.utf8))
        let error = log.refusal()
        #expect(error?.code == .corrupted && error?.message.contains("epoch-checkpoint") == true)
    }

    @Test func `a file of epochs of another version is refused as such`() throws {
        let (log, _, _) = try crashedLog()
        try log.withPartition { _ in }
        try writeFile(epochsPath(log), Array("1\n1\n0 0\n".utf8))
        #expect(log.refusal()?.code == .newerFormat)
    }

    @Test func `an index file that goes or is cut while the log is open is written as a whole`()
        throws
    {
        func index(_ spoil: (String) throws -> Void) throws -> [UInt8] {
            let log = try TestLog()
            try log.alter([("index.interval.bytes", "100")])
            let path = log.partitionDirectory + "/00000000000000000000.index"
            try log.withPartition { partition in
                for number in 0..<20 {
                    try partition.append("\(number)")
                    guard number == 9 else { continue }
                    try partition.checkpoint()
                    try spoil(path)
                }
            }
            return try readFile(path)
        }
        let whole = try index { _ in }
        #expect(whole.count > 10)
        #expect(try index { try FileManager.default.removeItem(atPath: $0) } == whole)
        #expect(try index { try writeFile($0, Array(readFile($0).prefix(8))) } == whole)
    }

    @Test(arguments: [(3, "\(Int.max)"), (7, "\(Int.max):0")])
    func `a manifest that says more than a segment can hold is not believed`(
        word: Int, value: String
    ) throws {
        let log = try TestLog(segmentBytes: 300)
        try log.withPartition { partition in
            for number in 0..<12 { try partition.append("\(number)") }
        }
        let path = log.directory.path + "/t-0/segments"
        var lines = String(decoding: try readFile(path), as: UTF8.self).split(separator: "\n")
            .dropLast().map(String.init)
        var words = lines[1].split(separator: " ").map(String.init)
        words[word] = value
        lines[1] = words.joined(separator: " ")
        let text = lines.map { $0 + "\n" }.joined()
        let checksum = Array(text.utf8).withUnsafeBytes { CRC32C.checksum($0) }
        try writeFile(path, Array("\(text)crc-32c \(String(checksum, radix: 16))\n".utf8))
        try log.withPartition { partition throws in
            #expect(try partition.values() == (0..<12).map(String.init))
        }
    }
}
