// What the tests of the runner share: a temporary data directory, seeded randomness, and the oracle.

import Foundation
import StreamJobs
import StreamJobsLog
import TestSupport

/// Lines with their timestamps, and what the word job must make of them, counted independently.
struct WordInput {
    var lines: [(text: String, timestamp: Int64)] = []

    init(lines count: Int, using generator: inout SeededGenerator) {
        let words = ["ant", "bee", "cat", "dog", "eel", "fox"]
        for index in 0..<count {
            let text = (0..<3).map { _ in
                words.randomElement(using: &generator) ?? ""
            }
            lines.append((text.joined(separator: " "), Int64(index) * 37))
        }
    }

    var totals: [String: Int64] {
        lines.flatMap { $0.text.split(separator: " ") }
            .reduce(into: [:]) { $0[String($1), default: 0] += 1 }
    }

    /// In a bounded run a word's records come in the order of their timestamps.
    var chains: [String: Int64] {
        lines.reduce(into: [:]) { chains, line in
            for word in line.text.split(separator: " ") {
                chains[String(word)] = WordCounter.chain(
                    chains[String(word)] ?? 0, line.timestamp)
            }
        }
    }

    var seconds: [String: Int64] {
        lines.reduce(into: [:]) { sums, line in
            for word in line.text.split(separator: " ") {
                sums["\(word)@\(line.timestamp / 1000)", default: 0] += 1
            }
        }
    }

    func produce(to log: CommitLog, partitions: Int = 3) throws {
        if log.topics.first(where: { $0.name == "lines" }) == nil {
            try log.createTopic("lines", partitions: partitions)
        }
        let topic = try log.topic("lines")
        let producer = Producer(log)
        for (index, line) in lines.enumerated() {
            try producer.send(
                Array(line.text.utf8), key: Array("\(index)".utf8), to: topic,
                timestamp: Timestamp(milliseconds: line.timestamp))
        }
        try producer.flush()
    }
}

/// What the word job has put out, as a reader of committed records sees it.
struct WordOutput: Equatable {
    /// Every record of a key, in order.
    var counts: [String: [Int64]] = [:]
    var chains: [String: [Int64]] = [:]
    var seconds: [String: [Int64]] = [:]

    init(_ log: CommitLog) throws {
        counts = try Self.read("counts", log)
        chains = try Self.read("chains", log)
        seconds = try Self.read("seconds", log)
    }

    /// Whether every count goes up by one from 1 to the right total, and every window came once.
    func isExactly(_ input: WordInput) -> Bool {
        let totals = counts.mapValues { $0.last ?? 0 }
        let rises = counts.values.allSatisfy { $0 == Array(1...Int64($0.count)) }
        return rises && totals == input.totals && seconds == input.seconds.mapValues { [$0] }
    }

    /// Whether every word's records came in the order of a bounded run.
    func isInOrder(of input: WordInput) -> Bool {
        chains.mapValues { $0.last ?? 0 } == input.chains
    }

    static func read(_ name: String, _ log: CommitLog) throws -> [String: [Int64]] {
        var values: [String: [Int64]] = [:]
        let consumer = try Consumer(log, topic: log.topic(name), from: .earliest)
        _ = try consumer.poll(maxRecords: .max) { _, record in
            let key = record.withKey {
                String(decoding: $0 ?? .init(start: nil, count: 0), as: UTF8.self)
            }
            let value = record.withValue { bytes in
                bytes.map { $0.reduce(Int64(0)) { ($0 << 8) | Int64($1) } }
            }
            values[key, default: []].append(value ?? -1)
        }
        return values
    }
}

/// An owner's log without background work, so that it is gone with its last reference: as after a crash.
func openLog(_ directory: String) throws -> CommitLog {
    var options = LogOptions()
    options.isMaintained = false
    return try CommitLog.open(directory, as: .owner, options)
}
