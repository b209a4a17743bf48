// Everything a log does, run together by a seed on a disk that is recorded: compressed batches, an
// idempotent producer, transactions over several topics, consumer groups, retention and compaction, topics
// that are deleted and made again, clean and unclean stops.

import StreamJobsCompression
import StreamJobsLog
import TestSupport
import Testing

final class MixedWorkload {
    let recorder: DiskRecorder
    private let directory: MemoryDirectory
    private(set) var history = MixedHistory()
    private var random: SeededGenerator
    /// Nil only while it is opened again: its lock goes with the last reference.
    private var owner: CommitLog?
    /// The clock of retention and compaction, in milliseconds.
    private var now: Int64 = 1000
    private var valueNumber = 0
    private var idempotent: ProducerStamp?
    private var sequences: [TopicPartition: Int32] = [:]
    private var transactional: [String: Transactional] = [:]

    private struct Transactional {
        var stamp: ProducerStamp
        /// The place of what it has open, in `history.transactions`.
        var open: Int?
    }

    static let transactionalIDs = ["x", "y"]
    static let groups = ["by-hand", "by-member"]
    static let segmentBytes = 700
    static let day: Int64 = 86_400_000
    private static let codecs: [CompressionCodec] = [.none, .gzip, .snappy, .lz4, .zstd]

    /// Runs `count` steps.
    init(seed: UInt64, steps count: Int) throws {
        random = SeededGenerator(seed: seed)
        directory = try MemoryDirectory()
        recorder = DiskRecorder(directory.path)
        owner = try Self.open(directory.path, recorder)
        try makeTopic("orders", partitions: 2, isCompacted: false)
        try makeTopic("table", partitions: 1, isCompacted: true)
        for _ in 0..<count {
            try step()
            try noteFlushed()
        }
    }

    static func open(_ path: String, _ observer: (any FileSystemObserver)? = nil) throws
        -> CommitLog
    {
        try openOwner(path) { options in
            options.segmentBytes = segmentBytes
            options.files = FileSystem(observer: observer)
        }
    }

    private var log: CommitLog {
        guard let owner else { preconditionFailure("the log is open between steps") }
        return owner
    }

    private func step() throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<26: try append()
        case 26..<33: try appendInSequence()
        case 33..<51: try appendInTransaction()
        case 51..<60: try endTransaction()
        case 60..<62: try handOver()
        case 62..<67: try log.partition(anyPartition()).flush()
        case 67..<71: try log.partition(anyPartition()).checkpoint()
        case 71..<78: try maintain()
        case 78..<80: try deleteRecords()
        case 80..<82: try alterRetention()
        case 82..<87: try commitPosition()
        case 87..<91: try consume()
        case 91..<95: try remakeTopic()
        case 95..<96: try addPartition()
        case 96..<97: try reopen(isClean: true)
        default: try reopen(isClean: false)
        }
    }

    /// Does something and gives the operations between which it was done.
    private func moment(isFlushed: Bool = false, _ body: () throws -> Void) rethrows -> Moment {
        let begun = recorder.operationCount
        try body()
        let done = recorder.operationCount
        return isFlushed ? .flushed(from: begun, to: done) : Moment(begun: begun, written: done)
    }

    private func anyPartition() -> TopicPartition {
        let names = log.topics.filter { !$0.isInternal }.flatMap(\.partitions)
        guard let name = names.randomElement(using: &random) else {
            preconditionFailure("'orders' is never deleted")
        }
        return name
    }

    // MARK: Records

    private func records() -> [Keyed] {
        (0..<Int.random(in: 1...4, using: &random)).map { _ in
            valueNumber += 1
            let key = "k\(Int.random(in: 0..<8, using: &random))"
            let padding = String(repeating: "x", count: valueNumber * 7 % 60)
            return Keyed(key, random.chance(15) ? nil : "\(valueNumber) \(padding)")
        }
    }

    private func put(_ kind: BatchKind, in name: TopicPartition, transaction: Int? = nil) throws {
        let records = records()
        var kind = kind
        kind.timestamp = 500
        kind.codec = Self.codecs.randomElement(using: &random) ?? .none
        var offset: Int64 = 0
        let partition = try log.partition(name)
        let moment = try moment { offset = try partition.put(records, kind).rawValue }
        guard let index = history.living(name.topic) else { return }
        let number = Int(name.partition.rawValue)
        history.topics[index].partitions[number].records += records.enumerated().map {
            MixedHistory.Record(
                offset: offset + Int64($0.offset), key: $0.element.key, value: $0.element.value,
                transaction: transaction, moment: moment)
        }
        if kind.sequence >= 0 { sequences[name] = kind.sequence + Int32(records.count) }
    }

    private func append() throws { try put(BatchKind(), in: anyPartition()) }

    private func appendInSequence() throws {
        let stamp = try idempotent ?? ProducerStamp(id: log.takeProducerIDs(1), epoch: 0)
        idempotent = stamp
        let name = anyPartition()
        try put(BatchKind(producer: stamp, sequence: sequences[name] ?? 0), in: name)
    }

    /// What was flushed in passing: the log says so, and a power loss holds it to that.
    private func noteFlushed() throws {
        let count = recorder.operationCount
        for topic in history.topics.indices where history.topics[topic].deleted == nil {
            for number in history.topics[topic].partitions.indices {
                let name = TopicPartition(history.topics[topic].name, PartitionID(number))
                let flushed = try log.partition(name).flushedOffset.rawValue
                let records = history.topics[topic].partitions[number].records
                for (index, record) in records.enumerated().reversed()
                where record.offset < flushed {
                    guard record.moment.flushed == .max else { break }
                    history.topics[topic].partitions[number].records[index].moment.flushed = count
                }
            }
        }
        for group in history.commits.keys where try isFlushed(group.group) {
            for index in history.commits[group]?.indices.reversed() ?? [].indices.reversed() {
                guard history.commits[group]?[index].moment.flushed == .max else { break }
                history.commits[group]?[index].moment.flushed = count
            }
        }
    }

    private func isFlushed(_ group: String) throws -> Bool {
        guard let topic = log.topics.first(where: { $0.name == OffsetsTopic.name }) else {
            return false
        }
        let number = OffsetsTopic.partition(of: group, partitionCount: topic.partitionCount)
        let partition = try log.partition(TopicPartition(topic.name, number))
        return partition.flushedOffset == partition.logEndOffset
    }

    // MARK: Transactions

    private func producer(_ id: String) throws -> Transactional {
        if let known = transactional[id] { return known }
        let stamp = try log.transactionCoordinator().initProducer(
            id, timeout: Limits.transactionTimeoutMax)
        transactional[id] = Transactional(stamp: stamp)
        return Transactional(stamp: stamp)
    }

    private func anyID() -> String { Self.transactionalIDs.randomElement(using: &random) ?? "x" }

    private func appendInTransaction() throws {
        let id = anyID()
        var producer = try producer(id)
        let names = Set((0..<Int.random(in: 1...3, using: &random)).map { _ in anyPartition() })
        producer.stamp = try log.transactionCoordinator().addPartitions(
            names, to: id, producer.stamp)
        if producer.open == nil {
            history.transactions.append(MixedHistory.Transaction())
            producer.open = history.transactions.count - 1
        }
        transactional[id] = producer
        for name in names.sorted(by: { $0.description < $1.description }) {
            let kind = BatchKind(producer: producer.stamp, isTransactional: true)
            try put(kind, in: name, transaction: producer.open)
        }
    }

    private func endTransaction() throws {
        let id = anyID()
        guard var producer = transactional[id], let open = producer.open else { return }
        let marker: TransactionMarker = random.chance(70) ? .commit : .abort
        let moment = try moment(isFlushed: true) {
            producer.stamp = try log.transactionCoordinator().end(id, producer.stamp, with: marker)
        }
        if marker == .commit { history.transactions[open].commit = moment }
        producer.open = nil
        transactional[id] = producer
    }

    /// Another producer takes the id; what is open is aborted.
    private func handOver() throws {
        let id = anyID()
        transactional[id] = nil
        _ = try producer(id)
    }

    // MARK: Groups

    private func commitPosition() throws {
        let name = anyPartition()
        let group = MixedHistory.GroupPartition(group: Self.groups[0], partition: name)
        let partition = try log.partition(name)
        let coordinator = try log.groupCoordinator()
        let before = try coordinator.committed(in: group.group)[name]?.offset.rawValue ?? 0
        let end = partition.lastStableOffset.rawValue
        guard before < end else { return }
        let offset = Int64.random(in: before + 1...end, using: &random)
        let acks: Acks = random.chance(60) ? .flushed : .written
        try notePositions(group.group, acks) {
            try coordinator.commit(
                [name: CommittedOffset(Offset(offset))], in: group.group, by: nil, acks: acks)
        }
    }

    /// A member joins, reads on from where the group is, commits and leaves.
    private func consume() throws {
        let group = Self.groups[1]
        let topics = log.topics.filter { !$0.isInternal }.map(\.name)
        let before = try log.groupCoordinator().committed(in: group).mapValues(\.offset)
        var settings = GroupConsumerSettings()
        settings.offsetReset = .earliest
        settings.lostOffsetReset = .earliest
        settings.autoCommitInterval = nil
        settings.acks = random.chance(60) ? .flushed : .written
        settings.maxPollRecords = Int.random(in: 1...20, using: &random)
        let member = try GroupConsumer(log, group: group, topics: topics, settings: settings)
        try notePositions(group, settings.acks) {
            for _ in 0..<3 {
                let count = try member.poll(timeout: .zero) { name, record in
                    if let position = before[name] { #expect(record.offset >= position) }
                }
                if count > 0 { break }
            }
            try member.commit()
            try member.close()
        }
    }

    private func notePositions(_ group: String, _ acks: Acks, _ body: () throws -> Void) throws {
        let coordinator = try log.groupCoordinator()
        let before = try coordinator.committed(in: group)
        let moment = try moment(isFlushed: acks == .flushed, body)
        for (name, committed) in try coordinator.committed(in: group)
        where committed.offset != before[name]?.offset {
            if let position = before[name]?.offset {
                #expect(committed.offset > position, "\(group) has gone back")
            }
            let key = MixedHistory.GroupPartition(group: group, partition: name)
            let commit = MixedHistory.Commit(
                offset: committed.offset.rawValue, topic: try log.topic(name.topic).id,
                isFlushed: acks == .flushed)
            history.commits[key, default: []].append(.init(value: commit, moment: moment))
        }
    }

    // MARK: Topics

    private func makeTopic(_ name: String, partitions count: Int, isCompacted: Bool) throws {
        var settings = TopicSettings()
        try settings.set("index.interval.bytes", to: "100")
        if isCompacted {
            settings.cleanupPolicy = .compact
            settings.cleanableRatioMin = 0
        }
        var id: TopicID?
        let moment = try moment(isFlushed: true) {
            id = try log.createTopic(name, partitions: count, settings: settings).id
        }
        guard let id else { return }
        history.topics.append(
            MixedHistory.TopicHistory(
                name: name, id: id, isCompacted: isCompacted, made: moment,
                partitions: Array(repeating: .init(), count: count),
                counts: [.init(value: count, moment: moment)]))
    }

    /// The topic `again` is deleted where it is there, and made where it is not.
    private func remakeTopic() throws {
        guard let index = history.living("again") else {
            return try makeTopic("again", partitions: 1, isCompacted: random.chance(50))
        }
        let id = history.topics[index].id
        let moment = try moment(isFlushed: true) { try log.deleteTopic("again") }
        history.topics[index].deleted = moment
        sequences = sequences.filter { $0.key.topic != "again" }
        for name in history.commits.keys where name.partition.topic == "again" {
            let commit = MixedHistory.Commit(offset: nil, topic: id, isFlushed: true)
            history.commits[name]?.append(.init(value: commit, moment: moment))
        }
        if random.chance(50) { try remakeTopic() }
    }

    private func addPartition() throws {
        guard let index = history.living("orders"), history.topics[index].partitions.count < 4
        else { return }
        let count = history.topics[index].partitions.count + 1
        let moment = try moment(isFlushed: true) { try log.setPartitions(of: "orders", to: count) }
        history.topics[index].partitions.append(.init())
        history.topics[index].counts.append(.init(value: count, moment: moment))
    }

    private func deleteRecords() throws {
        let name = anyPartition()
        let partition = try log.partition(name)
        let start = partition.startOffset.rawValue
        let end = partition.lastStableOffset.rawValue
        let offset = Int64.random(in: start...end, using: &random)
        try noteStarts { try log.deleteRecords(of: name, before: Offset(offset)) }
    }

    private func alterRetention() throws {
        let byteCount = Int.random(in: 1500...6000, using: &random)
        try log.alterTopic("orders", [("retention.bytes", "\(byteCount)")])
    }

    private func maintain() throws {
        now += Int64.random(in: 0...2 * Self.day, using: &random)
        try noteStarts { log.maintain(now: Timestamp(milliseconds: now)) }
    }

    private func noteStarts(_ body: () throws -> Void) throws {
        let moment = try moment(isFlushed: true, body)
        for topic in history.topics.indices where history.topics[topic].deleted == nil {
            for number in history.topics[topic].partitions.indices {
                let name = TopicPartition(history.topics[topic].name, PartitionID(number))
                let start = try log.partition(name).startOffset.rawValue
                let known = history.topics[topic].partitions[number].starts.last?.value ?? 0
                guard start > known else { continue }
                history.topics[topic].partitions[number].starts.append(
                    .init(value: start, moment: moment))
            }
        }
    }

    // MARK: Stops

    private func reopen(isClean: Bool) throws {
        if isClean { try log.close() }
        owner = nil
        owner = try Self.open(directory.path, recorder)
        // A producer may come back for what it has open, or begin anew.
        for id in Self.transactionalIDs where random.chance(50) { transactional[id] = nil }
    }
}
