// A whole data directory as this version of the format has it, kept in `Golden/data-1`: later versions read
// it, make the same derived files of its segments, and as long as the version is this one, write the same
// bytes. STREAMJOBS_WRITE_GOLDEN=1 writes it anew.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

@Suite(.serialized)
struct GoldenDirectoryTests {
    private static let golden = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Golden/data-1").path
    private let name = TopicPartition("golden", PartitionID(0))

    private func open(_ path: String) throws -> CommitLog {
        var options = LogOptions()
        options.segmentBytes = 600
        options.isMaintained = false
        return try CommitLog.open(path, as: .owner, options)
    }

    /// The same bytes each time, but for the topic's id.
    private func write(_ path: String) throws {
        var log = try open(path)
        var settings = TopicSettings()
        try settings.set("index.interval.bytes", to: "100")
        try settings.set("retention.bytes", to: "123456")
        try log.createTopic("golden", partitions: 2, settings: settings)
        let partition = try log.partition(name)
        for number in 0..<5 { try append(number, to: partition) }
        try partition.append(
            ["aborted", "too"], producer: ProducerStamp(id: 3, epoch: 0), isTransactional: true)
        try end(ProducerStamp(id: 3, epoch: 1), .abort, partition)
        try partition.append(
            ["committed"], producer: ProducerStamp(id: 3, epoch: 1), isTransactional: true)
        try end(ProducerStamp(id: 3, epoch: 2), .commit, partition)
        try partition.append(["once"], producer: ProducerStamp(id: 4, epoch: 0), sequence: 0)
        try partition.flush()
        // As after a kill: the next epoch.
        log = try reopen(&log, path)
        let again = try log.partition(name)
        for number in 5..<9 { try append(number, to: again) }
        try again.append(
            ["open"], producer: ProducerStamp(id: 5, epoch: 0), isTransactional: true)
        try log.deleteRecords(of: name, before: Offset(2))
        try log.close()
    }

    private func reopen(_ log: inout CommitLog, _ path: String) throws -> CommitLog {
        let directory = log.directory
        let none = try MemoryDirectory()
        log = try open(none.path)
        return try open(directory)
    }

    private func append(_ number: Int, to partition: Partition) throws {
        let batch = BatchBuilder()
        try batch.append(
            key: Array("key \(number)".utf8),
            value: number % 3 == 2 ? nil : [UInt8(number), 0, 255],
            timestamp: Timestamp(milliseconds: 1_700_000_000_000 + Int64(number)),
            headers: [Header("name", [1, 2, 3])])
        try batch.append(
            key: nil, value: [], timestamp: Timestamp(milliseconds: 1_700_000_000_000))
        try withExtendedLifetime(batch) { _ = try partition.append(batch.seal()) }
    }

    /// A marker with a time that is always the same.
    private func end(
        _ producer: ProducerStamp, _ marker: TransactionMarker, _ partition: Partition
    ) throws {
        let builder = BatchBuilder.sealMarker(marker, of: producer)
        var bytes = withExtendedLifetime(builder) { Array(builder.sealed) }
        let time = withUnsafeBytes(of: Int64(1_700_000_000_100).bigEndian) { Array($0) }
        bytes.replaceSubrange(27..<35, with: time)
        bytes.replaceSubrange(35..<43, with: time)
        mendChecksum(&bytes)
        _ = try bytes.withUnsafeMutableBytes { try partition.append($0) }
    }

    private func copy() throws -> MemoryDirectory {
        let copy = try MemoryDirectory()
        try FileManager.default.removeItem(atPath: copy.path)
        try FileManager.default.copyItem(atPath: Self.golden, toPath: copy.path)
        return copy
    }

    private func files(_ path: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path).sorted().filter {
            $0 != ".lock" && ($0.contains("/") || !$0.hasPrefix("golden"))
        }
    }

    private func check(_ log: CommitLog) throws {
        let topic = try log.topic("golden")
        #expect(topic.partitionCount == 2)
        #expect(topic.settings.retentionBytes == 123_456)
        let partition = try log.partition(name)
        #expect(partition.startOffset == Offset(2))
        #expect(partition.logEndOffset == Offset(25))
        #expect(partition.lastStableOffset == Offset(24))
        #expect(partition.leaderEpoch(at: Offset(15)) == 0)
        #expect(partition.leaderEpoch(at: Offset(16)) == 1)
        #expect(partition.openTransactions.map(\.producer) == [ProducerStamp(id: 5, epoch: 0)])
        #expect(partition.epoch(of: 3) == 2)
        let entries = try partition.entries(from: 2)
        #expect(
            entries.map(\.offset) == [
                2, 3, 4, 5, 6, 7, 8, 9, 13, 15, 16, 17, 18, 19, 20, 21, 22, 23,
            ])
        #expect(entries.first?.key == Array("key 1".utf8))
        #expect(entries.first?.value == [1, 0, 255])
        #expect(entries.first?.timestamp == 1_700_000_000_001)
        #expect(entries.first?.headers == [Header("name", [1, 2, 3])])
        #expect(entries[1].key == nil && entries[1].value == [])
        #expect(entries[2].value == nil)
        // A retry from before.
        let offset = try partition.append(
            ["once"], producer: ProducerStamp(id: 4, epoch: 0), sequence: 0)
        #expect(offset == Offset(15))
        #expect(try log.takeProducerIDs(1) == 6, "behind those that are known")
    }

    @Test func `a directory of version 1 is read`() throws {
        if ProcessInfo.processInfo.environment["STREAMJOBS_WRITE_GOLDEN"] != nil {
            _ = try? FileManager.default.removeItem(atPath: Self.golden)
            try write(Self.golden)
            try FileManager.default.removeItem(atPath: Self.golden + "/.lock")
        }
        let directory = try copy()
        try check(try open(directory.path))
    }

    @Test func `the files beside the segments of version 1 are made again as they were`() throws {
        let directory = try copy()
        for file in try files(directory.path)
        where ["index", ".snapshot", "segments"].contains(where: { file.hasSuffix($0) }) {
            try FileManager.default.removeItem(atPath: directory.path + "/" + file)
        }
        try open(directory.path).close()
        #expect(try files(directory.path) == files(Self.golden))
        for file in try files(Self.golden) where file != "recovery-points" {
            let (new, old) = (directory.path + "/" + file, Self.golden + "/" + file)
            #expect(try readFile(new) == readFile(old), "\(file)")
        }
    }

    @Test func `the same operations write version 1 byte for byte`() throws {
        let directory = try MemoryDirectory()
        try write(directory.path)
        #expect(try files(directory.path) == files(Self.golden))
        for file in try files(Self.golden) where file != "recovery-points" {
            var (new, old) = try (
                readFile(directory.path + "/" + file), readFile(Self.golden + "/" + file)
            )
            if file == "topics" { (new, old) = (withoutID(new), withoutID(old)) }
            #expect(new == old, "\(file)")
        }
    }

    /// The id is random, and so is the checksum over it.
    private func withoutID(_ bytes: [UInt8]) -> [UInt8] {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropLast()
        let words = lines.map { $0.split(separator: " ") }
        return words.flatMap { words in
            words.enumerated().filter { words[0] != "topic" || $0.offset != 2 }.map {
                Array($0.element.utf8)
            }.joined()
        }
    }
}
