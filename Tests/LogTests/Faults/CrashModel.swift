// What a log must hold: arrays that say what was acknowledged, and the comparison with a log that was
// opened after a crash.

import StreamJobsLog
import Testing

struct PartitionModel {
    enum Content {
        case record(String, transaction: ProducerStamp?)
        case marker(ProducerStamp, TransactionMarker)
    }
    var contents: [Content] = []
    /// Behind the last offset of each batch.
    var batchEnds: Set<Int> = [0]
    /// What was acknowledged as flushed lies below.
    var flushed = 0
    var start = 0

    mutating func append(_ batch: [Content]) {
        contents += batch
        batchEnds.insert(contents.count)
    }

    /// The offsets and values that readers see if the log ends at `end`.
    func read(from start: Int, to end: Int, _ isolation: Isolation) -> [String] {
        var open: [Int64: Int] = [:]
        var hidden: Set<Int> = []
        var offsets: [Int64: [Int]] = [:]
        for offset in 0..<end {
            switch contents[offset] {
            case .record(_, let producer?):
                open[producer.id] = open[producer.id] ?? offset
                offsets[producer.id, default: []].append(offset)
            case .marker(let producer, let marker):
                open[producer.id] = nil
                if marker == .abort { hidden.formUnion(offsets[producer.id] ?? []) }
                offsets[producer.id] = nil
            case .record: break
            }
        }
        let isCommitted = isolation == .readCommitted
        let end = isCommitted ? min(end, open.values.min() ?? end) : end
        return (start..<max(start, end)).compactMap { offset in
            guard case .record(let value, _) = contents[offset] else { return nil }
            return isCommitted && hidden.contains(offset) ? nil : "\(offset) \(value)"
        }
    }
}

struct LogModel {
    var topics: [String: [PartitionModel]] = [:]

    subscript(name: TopicPartition) -> PartitionModel {
        get {
            let partitions = topics[name.topic] ?? []
            let number = Int(name.partition.rawValue)
            return number < partitions.count ? partitions[number] : PartitionModel()
        }
        set { topics[name.topic]?[Int(name.partition.rawValue)] = newValue }
    }
}

/// What was acknowledged before the crash, and what the interrupted step would have come to.
struct CrashOracle {
    let before: LogModel
    let after: LogModel
    /// Then only what was flushed must be there.
    let isPowerLoss: Bool

    /// What is wrong with `log`, and what it holds.
    func check(_ log: CommitLog) throws -> (faults: [String], found: LogModel) {
        var faults: [String] = []
        var found = LogModel()
        let names = Set(log.topics.map(\.name))
        let known = Set(before.topics.keys).union(after.topics.keys)
        faults += names.subtracting(known).map { "a topic '\($0)' that nobody made" }
        for name in known.sorted() {
            guard names.contains(name) else {
                if before.topics[name] != nil, after.topics[name] != nil {
                    faults.append("the topic '\(name)' is lost")
                }
                continue
            }
            let atMost = after.topics[name] ?? before.topics[name] ?? []
            let atLeast = before.topics[name] ?? []
            let count = try log.topic(name).partitionCount
            guard count == atMost.count || count == atLeast.count else {
                faults.append("the topic '\(name)' has \(count) partitions")
                continue
            }
            found.topics[name] = try (0..<count).map { number in
                let partition = try log.partition(TopicPartition(name, PartitionID(number)))
                let least = number < atLeast.count ? atLeast[number] : PartitionModel()
                return try check(partition, least, atMost[number], &faults)
            }
        }
        return (faults, found)
    }

    private func check(
        _ partition: Partition, _ least: PartitionModel, _ most: PartitionModel,
        _ faults: inout [String]
    ) throws -> PartitionModel {
        let end = Int(partition.logEndOffset.rawValue)
        let start = Int(partition.startOffset.rawValue)
        let needed = isPowerLoss ? least.flushed : least.contents.count
        let name = partition.name
        guard most.batchEnds.contains(end), end >= needed, end <= most.contents.count else {
            faults.append("\(name) ends at \(end), not at \(needed) to \(most.contents.count)")
            return most
        }
        if !(least.start...max(least.start, most.start)).contains(start) {
            faults.append("\(name) begins at \(start), not at \(least.start) to \(most.start)")
        }
        for isolation in [Isolation.readUncommitted, .readCommitted] {
            let expected = most.read(from: start, to: end, isolation)
            let seen = try partition.entries(from: Int64(start), isolation).map {
                "\($0.offset) \(String(decoding: $0.value ?? [], as: UTF8.self))"
            }
            if seen != expected {
                faults.append("\(name) \(isolation): \(seen), not \(expected)")
            }
        }
        var found = most
        found.contents.removeLast(most.contents.count - end)
        found.batchEnds = found.batchEnds.filter { $0 <= end }
        found.flushed = end
        found.start = start
        return found
    }
}
