// A partition that Apache Kafka's UnifiedLog (trunk of October 2024, 4.0 to be) has appended, rolled and
// closed: batches of every codec, three transactional producers of which one keeps its epoch, two idempotent
// ones, leader epochs, an index entry every 300 bytes. Beside it what Kafka reads from it: every record that
// is no marker with its bytes in hexadecimal, and the offsets that a reader of committed data sees.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

struct KafkaGoldenTests {
    private static let golden = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Golden/kafka-1").path

    /// A log whose partition has Kafka's files; without recovery points: everything is scanned.
    private func withFiles(_ isTaken: (String) -> Bool) throws -> TestLog {
        let log = try TestLog()
        try log.withOwner { owner, _ in
            try owner.alterTopic("t", [(name: "index.interval.bytes", value: "300")])
        }
        let manager = FileManager.default
        let folder = log.directory.path + "/t-0"
        for path in ["recovery-points", "clean-shutdown", "t-0"] {
            try manager.removeItem(atPath: log.directory.path + "/" + path)
        }
        try manager.createDirectory(atPath: folder, withIntermediateDirectories: false)
        for name in try files(Self.golden + "/t-0") where isTaken(name) {
            try manager.copyItem(
                atPath: "\(Self.golden)/t-0/\(name)", toPath: "\(folder)/\(name)")
        }
        return log
    }

    private func files(_ path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    }

    private struct Line: Decodable {
        let offset: Int64
        let timestamp: Int64
        let key: String?
        let value: String?
        let headers: [[String?]]

        var entry: Entry {
            Entry(
                offset: offset, key: key.map(bytes), value: value.map(bytes), timestamp: timestamp,
                headers: headers.map { pair in
                    let name = String(decoding: bytes((pair.first ?? nil) ?? ""), as: UTF8.self)
                    return Header(name, (pair.last ?? nil).map(bytes))
                })
        }
    }

    private func expected() throws -> (all: [Entry], committed: [Entry]) {
        let text = String(decoding: try readFile(Self.golden + "/records.jsonl"), as: UTF8.self)
        let all = try text.split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8)).entry
        }
        let offsets = try JSONDecoder().decode(
            Set<Int64>.self, from: Data(try readFile(Self.golden + "/committed.json")))
        return (all, all.filter { offsets.contains($0.offset) })
    }

    @Test(arguments: [false, true])
    func `records that Kafka has written are read as Kafka reads them`(withIndexes: Bool) throws {
        let log = try withFiles { withIndexes || $0.hasSuffix(".log") }
        let (all, committed) = try expected()
        #expect(all.count > committed.count)
        try log.withPartition { partition throws in
            #expect(try partition.entries(from: 0, .readUncommitted) == all)
            #expect(try partition.entries() == committed)
        }
        try log.withPartition { partition throws in
            #expect(try partition.entries() == committed)
        }
    }

    @Test func `the files beside Kafka's segments are made as Kafka made them`() throws {
        let log = try withFiles { $0.hasSuffix(".log") }
        try log.withPartition { _ in }
        let folder = log.directory.path + "/t-0"
        let segments = try files(Self.golden + "/t-0").filter { $0.hasSuffix(".log") }
        for segment in segments {
            for suffix in [".index", ".timeindex", ".txnindex"] {
                let name = segment.replacing(".log", with: suffix)
                let theirs = (try? readFile("\(Self.golden)/t-0/\(name)")) ?? []
                let ours = (try? readFile("\(folder)/\(name)")) ?? []
                // At its stop Kafka also ends the active segment's time index with an entry of 12 bytes.
                let isOpenEnd = segment == segments.last && suffix == ".timeindex"
                #expect(ours == Array(isOpenEnd ? theirs.dropLast(12) : theirs[...]), "\(name)")
            }
        }
        let snapshot = try #require(
            try files(Self.golden + "/t-0").last { $0.hasSuffix(".snapshot") })
        // Kafka's are in the order of a hash table.
        let theirs = try readFile("\(Self.golden)/t-0/\(snapshot)").withUnsafeBytes {
            try ProducerStates(snapshot: $0).snapshot()
        }
        #expect(try readFile("\(folder)/\(snapshot)") == theirs)
        let epochs = String(
            decoding: try readFile(Self.golden + "/t-0/leader-epoch-checkpoint"), as: UTF8.self)
        try log.withPartition { partition in
            for line in epochs.split(separator: "\n").dropFirst(2) {
                let fields = line.split(separator: " ").compactMap { Int64($0) }
                let start = Offset(try #require(fields.last))
                #expect(partition.leaderEpoch(at: start) == Int32(try #require(fields.first)))
            }
        }
    }
}
