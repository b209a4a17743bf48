// Random appends, transactions, tombstones, clocks and passes, and an array that says what is left.

import Foundation
import StreamJobsCompression
import StreamJobsLog
import TestSupport
import Testing

/// The array: what was ever appended, and what compaction must have left of it.
private struct Model {
    struct Record {
        let entry: Entry
        /// The batch's first offset, and the one behind it.
        let batch: Range<Int64>
        let transaction: ProducerStamp?
        var isPresent = true
    }
    /// By offset; nil for markers.
    var records: [Record?] = []
    var open: [Int64: ProducerStamp] = [:]
    var aborted: Set<ProducerStamp> = []
    /// By the batch's first offset.
    var horizons: [Int64: Int64] = [:]

    var lastStable: Int64 {
        let first = records.first { record in
            guard let producer = record?.transaction else { return false }
            return open[producer.id] == producer
        }
        return first??.entry.offset ?? Int64(records.count)
    }

    func isAborted(_ record: Record) -> Bool {
        record.transaction.map { aborted.contains($0) } ?? false
    }

    /// What readers of committed data see.
    var committed: [Entry] {
        records.prefix(Int(lastStable)).compactMap { record in
            guard let record, record.isPresent, !isAborted(record) else { return nil }
            return record.entry
        }
    }

    /// A pass at `now` that has compared everything below `end`.
    mutating func clean(below end: Int64, now: Int64, deleteRetention: Int64) {
        var last: [[UInt8]: Int64] = [:]
        for case let record? in records.prefix(Int(end)) where !isAborted(record) {
            last[record.entry.key ?? []] = record.entry.offset
        }
        var newHorizons: Set<Int64> = []
        for index in 0..<Int(end) {
            guard let record = records[index], record.isPresent, !isAborted(record) else {
                continue
            }
            let horizon = horizons[record.batch.lowerBound]
            let isOver = record.entry.value == nil && horizon.map { $0 <= now } ?? false
            if last[record.entry.key ?? []] != record.entry.offset || isOver {
                records[index]?.isPresent = false
            } else if record.entry.value == nil, horizon == nil, record.batch.upperBound <= end {
                newHorizons.insert(record.batch.lowerBound)
            }
        }
        for batch in newHorizons { horizons[batch] = now + deleteRetention }
    }
}

/// Does the same to the log and to the model, and compares.
private struct ModelRun {
    let log: TestLog
    var model = Model()
    var random: SeededGenerator
    private var owner: CommitLog?
    private var partition: Partition
    private let observer: Partition
    /// Markers have the time of the wall clock, which is behind this one.
    private var now = Timestamp.now().milliseconds
    private var firstDirty: Offset?
    private var epochs: [Int64: Int16] = [:]
    /// Of an idempotent producer: its next sequence, and its last batch with its offset.
    private var sequence: Int32 = 0
    private var lastBatch: (records: [Keyed], kind: BatchKind, offset: Offset)?
    private let deleteRetention: Int64
    private let keyCount: Int
    private(set) var passes = 0

    init(seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        deleteRetention = [0, 500, 5000].randomElement(using: &random) ?? 0
        keyCount = .random(in: 1...30, using: &random)
        let lag = Bool.random(using: &random) ? 0 : 300
        log = try TestLog.compacted(
            segmentBytes: .random(in: 300...4000, using: &random),
            [
                ("delete.retention.ms", "\(deleteRetention)"), ("min.compaction.lag.ms", "\(lag)"),
                ("min.cleanable.dirty.ratio", Bool.random(using: &random) ? "0" : "0.3"),
            ])
        observer = try log.observer()
        let owner = try log.open()
        partition = try owner.partition(TestLog.name)
        self.owner = owner
    }

    mutating func step() throws {
        now += .random(in: 0...200, using: &random)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<25: try append(nil)
        case 25..<32: try appendInSequence()
        case 32..<55: try append(.random(in: 0..<3, using: &random))
        case 55..<70: try end(.random(in: 0..<3, using: &random))
        case 70..<85: try clean()
        case 85..<88: try partition.checkpoint()
        case 88..<94: try reopen()
        default: try compare()
        }
        #expect(partition.logEndOffset.rawValue == model.records.count)
        #expect(partition.lastStableOffset.rawValue == model.lastStable)
    }

    private mutating func records() -> [Keyed] {
        (0..<Int.random(in: 1...6, using: &random)).map { _ in
            let key = "key \(Int.random(in: 0..<keyCount, using: &random))"
            let padding = String(repeating: "x", count: .random(in: 0...100, using: &random))
            return Keyed(key, random.chance(25) ? nil : "\(model.records.count)\(padding)")
        }
    }

    private mutating func put(_ records: [Keyed], _ kind: BatchKind) throws {
        let offset = try partition.put(records, kind)
        #expect(offset.rawValue == model.records.count)
        let batch = offset.rawValue..<offset.rawValue + Int64(records.count)
        for (index, record) in records.enumerated() {
            let key = Array(record.key.utf8)
            let entry = Entry(
                offset: offset.rawValue + Int64(index), key: key,
                value: record.value.map { Array($0.utf8) }, timestamp: kind.timestamp,
                headers: [Header("of", key)])
            model.records.append(
                Model.Record(
                    entry: entry, batch: batch,
                    transaction: kind.isTransactional ? kind.producer : nil))
        }
    }

    private mutating func append(_ id: Int64?) throws {
        var kind = BatchKind(timestamp: now)
        if let id {
            let producer = model.open[id] ?? ProducerStamp(id: id, epoch: epochs[id, default: 0])
            model.open[id] = producer
            kind.producer = producer
            kind.isTransactional = true
        }
        try put(records(), kind)
    }

    private mutating func appendInSequence() throws {
        let records = records()
        let kind = BatchKind(
            timestamp: now, producer: ProducerStamp(id: 9, epoch: 0), sequence: sequence)
        let offset = Offset(Int64(model.records.count))
        try put(records, kind)
        sequence += Int32(records.count)
        lastBatch = (records, kind, offset)
    }

    private mutating func end(_ id: Int64) throws {
        guard let producer = model.open.removeValue(forKey: id) else { return }
        let marker: TransactionMarker = Bool.random(using: &random) ? .commit : .abort
        if marker == .abort { model.aborted.insert(producer) }
        try partition.end(producer, with: marker)
        model.records.append(nil)
        epochs[id] = producer.epoch + 1
    }

    private mutating func clean() throws {
        // What was noted may be lost.
        let from = random.chance(10) ? nil : firstDirty
        let end = try partition.compact(
            now: Timestamp(milliseconds: now), from: from,
            keyBytesMax: random.chance(20) ? 17_000 : 1 << 20)
        guard let end else { return }
        passes += 1
        #expect(end.rawValue <= model.lastStable)
        firstDirty = end
        model.clean(below: end.rawValue, now: now, deleteRetention: deleteRetention)
    }

    private mutating func reopen() throws {
        if Bool.random(using: &random) { try owner?.close() }
        owner = nil
        // Without the manifest the index files are made again at once.
        var lost = random.chance(10) ? [".snapshot"] : []
        if random.chance(40) { lost += ["segments", ".index", ".timeindex", ".txnindex"] }
        for name in try FileManager.default.contentsOfDirectory(atPath: log.partitionDirectory)
        where lost.contains(where: { name.hasSuffix($0) }) {
            try log.directory.remove("t-0/" + name)
        }
        let owner = try log.open()
        partition = try owner.partition(TestLog.name)
        self.owner = owner
        let open = partition.openTransactions.map(\.producer).sorted { $0.id < $1.id }
        #expect(open == model.open.values.sorted { $0.id < $1.id })
        for (id, epoch) in epochs { #expect(partition.epoch(of: id) == epoch) }
        guard let lastBatch else { return }
        #expect(try partition.put(lastBatch.records, lastBatch.kind) == lastBatch.offset)
    }

    func compare() throws {
        let committed = model.committed
        #expect(try partition.entries() == committed)
        let uncommitted = try partition.entries(.readUncommitted)
        let expected = model.records.compactMap { $0 }
        for entry in uncommitted {
            #expect(
                expected.contains { $0.entry == entry && ($0.isPresent || model.isAborted($0)) })
        }
        #expect(Set(committed.map(\.offset)).isSubset(of: uncommitted.map(\.offset)))
        // An observer may still read what was there when it looked, but each key ends the same.
        var last: [[UInt8]: Entry] = [:]
        var observed: [[UInt8]: Entry] = [:]
        for entry in committed { last[entry.key ?? []] = entry }
        for entry in try observer.entries() { observed[entry.key ?? []] = entry }
        for (key, entry) in observed where last[key] == nil { #expect(entry.value == nil) }
        for (key, entry) in last { #expect(observed[key] == entry) }
    }

    /// The indexes are what a fresh build from the segments gives, byte for byte.
    mutating func compareIndexes() throws {
        func indexes() throws -> [String: Data] {
            try log.contents().filter { $0.key.hasSuffix("index") }
        }
        try owner?.close()
        owner = nil
        let before = try indexes()
        for name in before.keys.map({ $0 }) + ["t-0/segments"] { try log.directory.remove(name) }
        try log.withPartition { try $0.checkpoint() }
        let after = try indexes()
        #expect(after == before && !before.isEmpty)
        for (name, bytes) in before where after[name] != bytes {
            Issue.record("\(name): \(Array(bytes)) and then \(after[name].map { Array($0) } ?? [])")
        }
    }
}

struct CompactionModelTests {
    @Test(arguments: seeds(16))
    func `a partition that is compacted holds what an array model says`(seed: UInt64) throws {
        var run = try ModelRun(seed: seed)
        for _ in 0..<300 { try run.step() }
        try run.compare()
        #expect(run.passes > 3)
        try run.compareIndexes()
    }
}

extension Partition {
    fileprivate func entries(_ isolation: Isolation) throws -> [Entry] {
        try entries(from: 0, isolation)
    }
}
