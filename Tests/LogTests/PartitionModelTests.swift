// Random operations on a partition, and an array that says what must be there.

import StreamJobsLog
import TestSupport
import Testing

/// The array: what lies at each offset, and what became of it.
private struct Model {
    enum Content: Equatable {
        case record(String, transaction: ProducerStamp?)
        case marker
    }
    var contents: [Content] = []
    /// The leader epoch at each offset.
    var epochs: [Int32] = []
    var currentEpoch: Int32 = 0
    var open: [Int64: ProducerStamp] = [:]
    var nextEpoch: [Int64: Int16] = [:]
    var aborted: Set<ProducerStamp> = []

    mutating func append(_ content: Content) {
        contents.append(content)
        epochs.append(currentEpoch)
    }

    /// The first offset of an open transaction, or the end.
    var lastStable: Int {
        contents.firstIndex { content in
            guard case .record(_, let producer?) = content else { return false }
            return open[producer.id] == producer
        } ?? contents.count
    }

    func read(from start: Int, _ isolation: Isolation) -> [Entry] {
        let end = isolation == .readCommitted ? lastStable : contents.count
        guard start < end else { return [] }
        return (start..<end).compactMap { offset in
            guard case .record(let value, let producer) = contents[offset] else { return nil }
            if isolation == .readCommitted, let producer, aborted.contains(producer) { return nil }
            return Entry(offset: Int64(offset), value: Array(value.utf8))
        }
    }
}

/// Does the same to the log and to the model, and compares.
private struct ModelRun {
    let log: TestLog
    var model = Model()
    var random: SeededGenerator
    private var number = 0
    private var owner: CommitLog?
    private var partition: Partition
    private let observer: Partition

    init(seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        log = try TestLog(segmentBytes: .random(in: 100...3000, using: &random))
        observer = try log.observer()
        let owner = try log.open()
        partition = try owner.partition(TestLog.name)
        self.owner = owner
    }

    private mutating func values() -> [String] {
        (0..<Int.random(in: 1...5, using: &random)).map { _ in
            number += 1
            let padding = String(repeating: "x", count: .random(in: 0...200, using: &random))
            return "\(number)\(padding)"
        }
    }

    mutating func step() throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<25: try append(nil)
        case 25..<55: try append(Int64.random(in: 0..<4, using: &random))
        case 55..<75: try end(Int64.random(in: 0..<4, using: &random))
        case 75..<80: try partition.flush()
        case 80..<85: try appendLate(Int64.random(in: 0..<4, using: &random))
        case 85..<88: try reopen(isClean: true)
        case 88..<92: try reopen(isClean: false)
        default: try compareRead()
        }
        #expect(partition.logEndOffset.rawValue == model.contents.count)
        #expect(partition.lastStableOffset.rawValue == model.lastStable)
    }

    private mutating func append(_ producerID: Int64?) throws {
        let values = values()
        var producer: ProducerStamp?
        if let id = producerID {
            let stamp =
                model.open[id] ?? ProducerStamp(id: id, epoch: model.nextEpoch[id, default: 0])
            model.open[id] = stamp
            producer = stamp
        }
        let offset = try partition.append(
            values, producer: producer, isTransactional: producer != nil)
        #expect(offset.rawValue == model.contents.count)
        for value in values { model.append(.record(value, transaction: producer)) }
    }

    private mutating func end(_ id: Int64) throws {
        guard let producer = model.open.removeValue(forKey: id) else {
            // Nothing is open: nothing may happen.
            return try partition.end(ProducerStamp(id: id, epoch: 0), with: .commit)
        }
        let marker: TransactionMarker = Bool.random(using: &random) ? .commit : .abort
        if marker == .abort { model.aborted.insert(producer) }
        try partition.end(producer, with: marker)
        model.append(.marker)
        model.nextEpoch[id] = producer.epoch + 1
    }

    /// A write of the epoch before is refused whatever is open.
    private mutating func appendLate(_ id: Int64) throws {
        guard let next = model.nextEpoch[id] else { return }
        let late = ProducerStamp(id: id, epoch: next - 1)
        let error = #expect(throws: LogError.self) { try partition.append("late", producer: late) }
        #expect(error?.code == .producerFenced)
    }

    private mutating func reopen(isClean: Bool) throws {
        if isClean { try owner?.close() }
        owner = nil
        if !isClean {
            model.currentEpoch += 1
            if Bool.random(using: &random), let path = try log.segments.last {
                let torn = random.bytes(.random(in: 1...100, using: &random))
                try writeFile(path, try readFile(path) + torn)
            }
        }
        let owner = try log.open()
        partition = try owner.partition(TestLog.name)
        self.owner = owner
        let open = partition.openTransactions.map(\.producer).sorted { $0.id < $1.id }
        #expect(open == model.open.values.sorted { $0.id < $1.id })
        for (offset, epoch) in model.epochs.enumerated() {
            #expect(partition.leaderEpoch(at: Offset(Int64(offset))) == epoch)
        }
    }

    mutating func compareRead() throws {
        let start = Int.random(in: 0...model.contents.count, using: &random)
        for isolation in [Isolation.readCommitted, .readUncommitted] {
            let expected = model.read(from: start, isolation)
            #expect(try partition.entries(from: Int64(start), isolation) == expected)
            // The observer may not have looked since: its first look makes it know the end.
            try observer.refresh()
            #expect(try observer.entries(from: Int64(start), isolation) == expected)
        }
    }
}

struct PartitionModelTests {
    @Test(arguments: seeds(12))
    func `a partition and its observer hold what an array model says`(seed: UInt64) throws {
        var run = try ModelRun(seed: seed)
        for _ in 0..<250 { try run.step() }
        try run.compareRead()
    }
}
