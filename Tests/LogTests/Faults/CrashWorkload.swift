// Operations on a log, done on files that are recorded and to the model at once.

import StreamJobsLog
import TestSupport

enum CrashStep {
    case create(String, partitions: Int)
    case delete(String)
    case addPartitions(String, to: Int)
    /// Batches of records: plain ones, an idempotent producer's, a transaction's.
    case append(TopicPartition, count: Int, AppendKind)
    case end(TopicPartition, producer: Int64, TransactionMarker)
    case flush(TopicPartition)
    case checkpoint(TopicPartition)
    case deleteRecords(TopicPartition, before: Int)
    case retain(String, bytes: Int)
    case maintain
    case reopen(isClean: Bool)

    enum AppendKind { case plain, idempotent, transaction(Int64) }
}

/// A log on a recorded disk, and its model after each step.
final class CrashWorkload {
    let recorder: DiskRecorder
    let directory: MemoryDirectory
    private(set) var model = LogModel()
    /// After each step: how many operations it took to get there.
    private(set) var states: [(operationCount: Int, model: LogModel)] = [(0, LogModel())]
    private var log: CommitLog?
    private var sequences: [TopicPartition: Int32] = [:]
    private var epochs: [TopicPartition: [Int64: Int16]] = [:]
    private var valueNumber = 0
    static let segmentBytes = 400

    init(fault: Fault? = nil) throws {
        directory = try MemoryDirectory()
        recorder = DiskRecorder(directory.path, fault: fault)
    }

    static func open(_ path: String, _ observer: (any FileSystemObserver)? = nil) throws
        -> CommitLog
    {
        var options = LogOptions()
        options.segmentBytes = segmentBytes
        options.isMaintained = false
        options.files = FileSystem(observer: observer)
        return try CommitLog.open(path, as: .owner, options)
    }

    func run(_ steps: [CrashStep]) throws {
        _ = try openLog()
        for step in steps { try run(step) }
    }

    func open() throws {
        let log = try Self.open(directory.path, recorder)
        self.log = log
        // A step that failed may have been done all the same: now it is known.
        let names = Set(log.topics.map(\.name))
        for (name, partitions) in attempted.topics
        where model.topics[name] == nil && names.contains(name) {
            model.topics[name] = partitions
        }
        for name in model.topics.keys where !names.contains(name) && attempted.topics[name] == nil {
            model.topics[name] = nil
        }
        noteState()
    }

    func openLog() throws -> CommitLog {
        if log == nil { try open() }
        guard let log else { throw LogError(.io, "the log is not open") }
        return log
    }

    /// As after kill -9.
    func abandon() { log = nil }

    func run(_ step: CrashStep) throws {
        if case .reopen(let isClean) = step { return try reopen(isClean: isClean) }
        let log = try openLog()
        switch step {
        case .create(let name, let count):
            var settings = TopicSettings()
            try settings.set("index.interval.bytes", to: "100")
            try log.createTopic(name, partitions: count, settings: settings)
            model.topics[name] = Array(repeating: PartitionModel(), count: count)
        case .delete(let name):
            try log.deleteTopic(name)
            model.topics[name] = nil
            sequences = sequences.filter { $0.key.topic != name }
            epochs = epochs.filter { $0.key.topic != name }
        case .addPartitions(let name, let count):
            try log.setPartitions(of: name, to: count)
            while let have = model.topics[name]?.count, have < count {
                model.topics[name]?.append(PartitionModel())
            }
        case .append(let name, let count, let kind): try append(count, kind, to: name, log)
        case .end(let name, let id, let marker):
            let producer = ProducerStamp(id: id, epoch: epoch(of: id, name))
            let partition = try log.partition(name)
            guard partition.openTransactions.contains(where: { $0.producer == producer }) else {
                return
            }
            try partition.end(producer, with: marker)
            model[name].append([.marker(producer, marker)])
            epochs[name, default: [:]][id] = producer.epoch + 1
        case .flush(let name):
            try log.partition(name).flush()
            noteFlushed(name)
        case .checkpoint(let name):
            try log.partition(name).checkpoint()
            noteFlushed(name)
        case .deleteRecords(let name, let offset):
            try log.deleteRecords(of: name, before: Offset(Int64(offset)))
            model[name].start = max(model[name].start, offset)
        case .retain(let name, let byteCount):
            try log.alterTopic(name, [("retention.bytes", "\(byteCount)")])
        case .maintain:
            log.maintain(now: Timestamp(milliseconds: 0))
            try noteStarts(log)
        case .reopen: break
        }
        noteState()
    }

    private func reopen(isClean: Bool) throws {
        if isClean { try openLog().close() }
        abandon()
        try open()
        // What an opening finds counts as flushed.
        for (topic, partitions) in model.topics {
            for number in partitions.indices {
                noteFlushed(TopicPartition(topic, PartitionID(number)))
            }
        }
        noteState()
    }

    private func noteState() { states.append((recorder.operationCount, model)) }

    private func noteFlushed(_ name: TopicPartition) {
        model[name].flushed = model[name].contents.count
    }

    private func noteStarts(_ log: CommitLog) throws {
        for (topic, partitions) in model.topics {
            for number in partitions.indices {
                let name = TopicPartition(topic, PartitionID(number))
                model[name].start = Int(try log.partition(name).startOffset.rawValue)
            }
        }
    }

    private func epoch(of id: Int64, _ name: TopicPartition) -> Int16 { epochs[name]?[id] ?? 0 }

    private func append(
        _ count: Int, _ kind: CrashStep.AppendKind, to name: TopicPartition, _ log: CommitLog
    ) throws {
        let values = (0..<count).map { _ in
            valueNumber += 1
            return "\(valueNumber)" + String(repeating: "x", count: valueNumber * 7 % 60)
        }
        let partition = try log.partition(name)
        var transaction: ProducerStamp?
        switch kind {
        case .plain:
            try partition.append(values, producer: nil, isTransactional: false)
        case .idempotent:
            let sequence = sequences[name] ?? 0
            try partition.append(
                values, producer: ProducerStamp(id: 100, epoch: 0), sequence: sequence)
            sequences[name] = sequence + Int32(count)
        case .transaction(let id):
            let producer = ProducerStamp(id: id, epoch: epoch(of: id, name))
            try partition.append(values, producer: producer, isTransactional: true)
            transaction = producer
        }
        model[name].append(values.map { .record($0, transaction: transaction) })
    }

    // MARK: Faults

    /// The model if the steps that failed had done what they were to do.
    private(set) var attempted = LogModel()

    /// Does what can be done; gives the errors.
    func runThroughFaults(_ steps: [CrashStep]) -> [String] {
        var errors: [String] = []
        for step in steps {
            do {
                try run(step)
                noteAttempt(step, isDone: true)
            } catch {
                errors.append("\(step): \(error)")
                // Not what was refused because an earlier step had failed.
                if "\(error)".contains("injected") { noteAttempt(step, isDone: false) }
                if case .reopen = step { abandon() }
            }
        }
        return errors
    }

    private func noteAttempt(_ step: CrashStep, isDone: Bool) {
        switch step {
        case .create(let name, let count):
            if isDone || attempted.topics[name] == nil {
                attempted.topics[name] = Array(repeating: PartitionModel(), count: count)
            }
        case .delete(let name): attempted.topics[name] = nil
        case .addPartitions(let name, let count):
            while let have = attempted.topics[name]?.count, have < count {
                attempted.topics[name]?.append(PartitionModel())
            }
        case .maintain where recorder.hasFailed:
            // It tells nobody of what has failed: a start may have been noted.
            for (topic, partitions) in attempted.topics {
                for number in partitions.indices {
                    let name = TopicPartition(topic, PartitionID(number))
                    attempted[name].start = model[name].contents.count
                }
            }
        case .deleteRecords(let name, let offset):
            attempted[name].start = max(attempted[name].start, offset)
        default: break
        }
        for (topic, partitions) in model.topics where attempted.topics[topic] != nil {
            for number in partitions.indices {
                let name = TopicPartition(topic, PartitionID(number))
                let start = max(attempted[name].start, model[name].start)
                attempted[name] = model[name]
                attempted[name].start = start
            }
        }
    }

    /// What a reader of the running log sees must be what was acknowledged, and no more.
    func checkReads(_ what: String) throws -> [String] {
        guard let log else { return [] }
        var faults: [String] = []
        for (topic, partitions) in model.topics {
            for number in partitions.indices {
                let name = TopicPartition(topic, PartitionID(number))
                guard let partition = try? log.partition(name) else { continue }
                let start = Int(partition.startOffset.rawValue)
                let expected = model[name].read(
                    from: start, to: model[name].contents.count, .readUncommitted)
                let seen = try partition.entries(from: Int64(start), .readUncommitted).map {
                    "\($0.offset) \(String(decoding: $0.value ?? [], as: UTF8.self))"
                }
                if seen != expected { faults.append("\(what): \(name): \(seen), not \(expected)") }
            }
        }
        return faults
    }

    // MARK: Crashes

    /// What holds after a crash that interrupts operation `number`, all those before it being done.
    func oracle(at number: Int, isPowerLoss: Bool) -> CrashOracle {
        let last = states.lastIndex { $0.operationCount <= number } ?? 0
        let next = min(last + 1, states.count - 1)
        return CrashOracle(
            before: states[last].model, after: states[next].model, isPowerLoss: isPowerLoss)
    }
}

extension CrashStep {
    /// A bit of everything, few enough operations that a crash at each of them can be tried.
    static var everything: [CrashStep] {
        let first = TopicPartition("a", PartitionID(0))
        let second = TopicPartition("a", PartitionID(1))
        let other = TopicPartition("b", PartitionID(0))
        return [
            .create("a", partitions: 2),
            .append(first, count: 2, .plain), .flush(first),
            .append(first, count: 1, .plain), .append(first, count: 3, .transaction(1)),
            .append(second, count: 2, .transaction(1)), .append(first, count: 2, .idempotent),
            .flush(first), .end(first, producer: 1, .abort), .end(second, producer: 1, .abort),
            .append(first, count: 2, .idempotent), .append(first, count: 2, .transaction(1)),
            .checkpoint(first), .append(first, count: 3, .plain), .append(first, count: 1, .plain),
            .end(first, producer: 1, .commit), .append(first, count: 4, .transaction(2)),
            .create("b", partitions: 1), .append(other, count: 4, .plain), .flush(other),
            .append(other, count: 5, .plain), .append(other, count: 3, .plain),
            .deleteRecords(other, before: 5), .append(other, count: 4, .plain),
            .deleteRecords(other, before: 13), .append(other, count: 1, .idempotent),
            .maintain, .retain("b", bytes: 300), .append(other, count: 3, .plain), .maintain,
            .maintain, .addPartitions("a", to: 3),
            .append(TopicPartition("a", PartitionID(2)), count: 2, .plain),
            .flush(TopicPartition("a", PartitionID(2))),
            .delete("b"), .create("b", partitions: 1), .append(other, count: 3, .plain),
            .append(first, count: 2, .transaction(2)), .end(first, producer: 2, .abort),
            .reopen(isClean: true), .append(first, count: 3, .plain), .flush(first),
            .append(first, count: 3, .transaction(3)), .checkpoint(first),
            .append(other, count: 4, .plain), .reopen(isClean: false),
            .append(other, count: 2, .plain), .append(first, count: 1, .idempotent),
            .retain("a", bytes: 500), .end(first, producer: 3, .commit), .maintain, .maintain,
        ]
    }

    static func random(_ count: Int, _ random: inout SeededGenerator) -> [CrashStep] {
        var partitionCounts = ["a": 2]
        var ends: [TopicPartition: Int] = [:]
        var steps: [CrashStep] = [.create("a", partitions: 2)]
        for _ in 0..<count {
            let topic = partitionCounts.keys.sorted().randomElement(using: &random) ?? "a"
            let number = Int.random(in: 0..<(partitionCounts[topic] ?? 1), using: &random)
            let name = TopicPartition(topic, PartitionID(number))
            let id = Int64.random(in: 1...3, using: &random)
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<45:
                let kinds: [AppendKind] = [.plain, .idempotent, .transaction(id)]
                let count = Int.random(in: 1...6, using: &random)
                steps.append(
                    .append(name, count: count, kinds[Int.random(in: 0..<3, using: &random)]))
                ends[name, default: 0] += count
            case 45..<60:
                steps.append(
                    .end(name, producer: id, Bool.random(using: &random) ? .commit : .abort))
            case 60..<72: steps.append(.flush(name))
            case 72..<80: steps.append(.checkpoint(name))
            case 80..<85: steps.append(.maintain)
            case 85..<88:
                steps.append(.retain(topic, bytes: Int.random(in: 200...2000, using: &random)))
            case 88..<90 where partitionCounts.count < 3:
                let new = ["b", "c"].first { partitionCounts[$0] == nil } ?? "d"
                partitionCounts[new] = 1
                steps.append(.create(new, partitions: 1))
            case 90..<91 where topic != "a":
                partitionCounts[topic] = nil
                ends = ends.filter { $0.key.topic != topic }
                steps.append(.delete(topic))
            case 91..<93 where (partitionCounts[topic] ?? 1) < 4:
                partitionCounts[topic, default: 1] += 1
                steps.append(.addPartitions(topic, to: partitionCounts[topic] ?? 1))
            case 93..<95: steps.append(.reopen(isClean: true))
            case 95..<97: steps.append(.reopen(isClean: false))
            default: break
            }
        }
        return steps
    }
}
