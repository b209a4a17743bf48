// A data directory with all that a log can hold, in small segments, for Apache Kafka's own code to read:
// written where STREAMJOBS_KAFKA_DIRECTORY names a directory, by the seed in STREAMJOBS_SEED. Beside each
// partition `<partition>.readCommitted` and `.readUncommitted` say what we read from it, a record a line.
// Run by scripts/check-kafka-java.

import Foundation
import StreamJobsCompression
import StreamJobsLog
import TestSupport
import Testing

private let target = ProcessInfo.processInfo.environment["STREAMJOBS_KAFKA_DIRECTORY"]

@Suite(.enabled(if: target != nil))
struct KafkaDirectoryTests {
    private static let times: [Int64] = [
        -1, 0, 1, -2, -62_135_596_800_000, 253_402_300_799_999, 1_700_000_000_000,
    ]

    /// Any batch: of every codec, with or without keys, values, headers and a producer.
    private func batch(_ random: inout SeededGenerator, _ kind: BatchKind, keys: Int?) throws
        -> [UInt8]
    {
        let builder = BatchBuilder()
        for _ in 0..<Int.random(in: 1...9, using: &random) {
            let name = Array("key \(Int.random(in: 0..<(keys ?? 5), using: &random))".utf8)
            let key: [UInt8]? =
                keys != nil ? name : [nil, [], name].randomElement(using: &random) ?? nil
            let length = Int.random(in: 0...120, using: &random)
            let value: [UInt8]? = random.chance(15) ? nil : random.bytes(length)
            let headers =
                random.chance(60)
                ? [] : [Header("a", [1]), Header("a", nil), Header("ü", []), Header("", [0])]
            let time =
                random.chance(60)
                ? kind.timestamp + Int64.random(in: -40...40, using: &random)
                : Self.times.randomElement(using: &random) ?? 0
            try builder.append(
                key: key, value: value, timestamp: Timestamp(milliseconds: time), headers: headers)
        }
        return withExtendedLifetime(builder) {
            Array(
                builder.seal(
                    producer: kind.producer, baseSequence: kind.sequence,
                    isTransactional: kind.isTransactional, compression: kind.codec))
        }
    }

    private func append(
        _ partition: Partition, _ random: inout SeededGenerator, _ kind: BatchKind,
        keys: Int? = nil
    ) throws -> Int32 {
        var kind = kind
        kind.codec = CompressionCodec.allCases.randomElement(using: &random) ?? .none
        kind.timestamp = 1_700_000_000_000 + partition.logEndOffset.rawValue * 3
        var bytes = try batch(&random, kind, keys: keys)
        let count = bytes[57..<61].reduce(0) { $0 << 8 | Int32($1) }
        _ = try bytes.withUnsafeMutableBytes { try partition.append($0) }
        return count
    }

    /// Batches of three producers with transactions, of two with sequences alone, and of none.
    private func mix(
        _ partition: Partition, _ random: inout SeededGenerator, batches: Int, keys: Int?,
        producersFrom base: Int64
    ) throws {
        var sequences: [Int64: Int32] = [:]
        for _ in 0..<batches {
            let id = Int64.random(in: 1...8, using: &random)
            let stamp = ProducerStamp(
                id: base + id, epoch: partition.epoch(of: base + id) ?? 0)
            var kind = BatchKind()
            if id <= 5 {
                kind.producer = stamp
                kind.isTransactional = id <= 3
                kind.sequence = sequences[id, default: 0]
            }
            let count = try append(partition, &random, kind, keys: keys)
            if id <= 5 { sequences[id, default: 0] += count }
            if id <= 3, random.chance(40) {
                try partition.end(stamp, with: random.chance(50) ? .abort : .commit)
                sequences[id] = 0
            }
        }
    }

    /// Through the coordinator: committed, aborted, and one that stays open.
    private func transact(_ log: CommitLog, _ random: inout SeededGenerator) throws {
        let producers = try ["commits", "aborts", "stays open"].map {
            try TransactionalProducer(log, transactionalID: $0)
        }
        for number in 0..<6 {
            for (index, producer) in producers.enumerated() where number == 0 || index < 2 {
                try producer.begin()
                // Beyond a mebibyte what is gathered is written before the end.
                let count = index == 0 ? 2000 : 300_000
                for _ in 0..<5 {
                    try producer.send([UInt8](repeating: 7, count: count), to: "mixed")
                }
                if index == 0 { try producer.commit() }
                if index == 1 { try producer.abort() }
            }
        }
    }

    /// Open transactions keep a pass from what lies behind them.
    private func compact(_ partition: Partition) throws {
        for producer in partition.openTransactions.map(\.producer) {
            try partition.end(producer, with: .commit)
        }
        _ = try partition.compact(now: .now(), from: nil)
    }

    private static let topics: [(name: String, changes: [(String, String)])] = [
        ("mixed", []), ("stamped", [("message.timestamp.type", "LogAppendTime")]),
        ("trimmed", []), ("epochs", []),
        ("compacted", [("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0")]),
    ]

    private func mixAll(
        _ log: CommitLog, _ random: inout SeededGenerator, batches: Int, producersFrom base: Int64
    ) throws {
        for (name, _) in Self.topics {
            try mix(
                try log.partition(TopicPartition(name, PartitionID(0))), &random,
                batches: batches, keys: name == "compacted" ? 12 : nil, producersFrom: base)
        }
    }

    @Test func `a directory is written for Kafka to read`() throws {
        let path = try #require(target)
        var random = SeededGenerator.seeded()
        for run in 0..<3 {
            // But for the last, not a clean stop: later batches are of the next epoch.
            let log = try openOwner(path) { $0.segmentBytes = 6000 }
            if run == 0 {
                for (name, changes) in Self.topics {
                    var settings = TopicSettings()
                    for (name, value) in changes { try settings.set(name, to: value) }
                    try settings.set("index.interval.bytes", to: "700")
                    try log.createTopic(name, partitions: 1, settings: settings)
                }
            }
            try mixAll(log, &random, batches: 150 - run * 60, producersFrom: Int64(1000 + run * 10))
            if run == 0 { try transact(log, &random) }
            let trimmed = TopicPartition("trimmed", PartitionID(0))
            if run == 1 { try log.deleteRecords(of: trimmed, before: Offset(200)) }
            if run < 2 {
                try compact(try log.partition(TopicPartition("compacted", PartitionID(0))))
            }
            if run == 2 { try log.close() }
        }
        for (name, _) in Self.topics {
            let partition = try CommitLog.open(path, as: .observer)
                .partition(TopicPartition(name, PartitionID(0)))
            for isolation in [Isolation.readCommitted, .readUncommitted] {
                let lines = try partition.entries(from: partition.startOffset.rawValue, isolation)
                    .map { line($0) + "\n" }
                try Data(lines.joined().utf8)
                    .write(to: URL(fileURLWithPath: "\(path)/\(name)-0.\(isolation)"))
            }
        }
    }

    private func line(_ entry: Entry) -> String {
        func hexadecimal(_ bytes: [UInt8]?) -> String {
            guard let bytes else { return "null" }
            return "x"
                + bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
        let headers = entry.headers.map {
            hexadecimal(Array($0.key.utf8)) + "=" + hexadecimal($0.value)
        }
        return ["\(entry.offset)", "\(entry.timestamp)", hexadecimal(entry.key)]
            .joined(separator: " ") + " " + hexadecimal(entry.value) + " ["
            + headers.joined(separator: ",") + "]"
    }
}
