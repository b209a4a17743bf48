// Producers whose topics are changed under them: deleted, made again, given partitions, with small batches.

import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct ProducerTopicTests {
    private let log: TestLog

    init() throws { log = try TestLog() }

    private func topic(_ log: CommitLog, batchBytesMax: Int) throws -> Topic {
        try log.createTopic("small", partitions: 1)
        return try log.alterTopic("small", [(name: "max.message.bytes", value: "\(batchBytesMax)")])
    }

    @Test func `batches are no larger than their topic allows`() throws {
        try log.withOwner { log, _ in
            let topic = try topic(log, batchBytesMax: 500)
            let producer = Producer(log)
            for number in 0..<100 {
                try producer.send([UInt8](repeating: UInt8(number), count: 50), key: nil, to: topic)
            }
            try producer.send([UInt8](repeating: 0, count: 400), key: nil, to: topic)
            let error = #expect(throws: LogError.self) {
                try producer.send([UInt8](repeating: 0, count: 500), key: nil, to: topic)
            }
            #expect(error?.code == .recordTooLarge)
            try producer.flush()
            #expect(try log.partition(topic.partitions[0]).entries().count == 101)
        }
    }

    @Test func `a transaction's batches are no larger than their topic allows`() throws {
        try log.withOwner { log, _ in
            let topic = try topic(log, batchBytesMax: 500)
            let producer = try TransactionalProducer(log, transactionalID: "id")
            try producer.transaction { unit in
                for _ in 0..<100 { try unit.send([UInt8](repeating: 1, count: 50), to: topic.name) }
            }
            #expect(try log.partition(topic.partitions[0]).entries().count == 100)
        }
    }

    @Test func `a limit below a marker's size keeps no transaction open and the log from opening`()
        throws
    {
        try log.withOwner(isClean: false) { log, partition in
            let producer = try TransactionalProducer(log, transactionalID: "id")
            try producer.begin()
            // So much is written before the commit.
            for _ in 0..<2 { try producer.send([UInt8](repeating: 1, count: 600_000), to: "t") }
            #expect(try !partition().openTransactions.isEmpty)
            try log.alterTopic("t", [(name: "max.message.bytes", value: "1")])
            try producer.abort()
            #expect(try partition().openTransactions.isEmpty)
        }
        try log.withPartition { #expect($0.openTransactions.isEmpty) }
    }

    @Test(arguments: [false, true])
    func `a topic that is deleted is not in the way of others`(isWritten: Bool) throws {
        try log.withOwner { log, partition in
            let producer = Producer(log)
            for number in 0..<8 {
                let gone = try log.createTopic("gone-\(number)", partitions: 1)
                try producer.send([1], key: nil, to: gone)
            }
            if isWritten { try producer.flush() }
            for number in 0..<8 { try log.deleteTopic("gone-\(number)") }
            try producer.send([2], key: nil, to: try log.topic("t"))
            if isWritten {
                try producer.flush()
            } else {
                let error = #expect(throws: LogError.self) { try producer.flush() }
                #expect(error?.code == .noSuchTopic)
                try producer.flush()
                #expect(producer.droppedCount == 8)
            }
            #expect(try partition().entries().map(\.value) == [[2]])
            #expect(try partition().flushedOffset == Offset(1))
        }
    }

    @Test func `what was written to a topic that is deleted keeps nothing else from being flushed`()
        throws
    {
        try log.withOwner { log, partition in
            let producer = Producer(log)
            let value = [UInt8](repeating: 1, count: 200_000)
            let gone = try log.createTopic("gone", partitions: 1)
            for topic in [try log.topic("t"), gone] {
                // The second one's batch begins when the first one's has been written.
                for _ in 0..<2 { try producer.send(value, key: nil, to: topic) }
            }
            try log.deleteTopic("gone")
            #expect(throws: LogError.self) { try producer.flush() }
            #expect(try partition().flushedOffset == Offset(2))
            try producer.flush()
        }
    }

    @Test func `a producer writes to partitions that its topic was given`() throws {
        try log.withOwner { log, _ in
            let old = try log.topic("t")
            let producer = Producer(log)
            try producer.send([0], key: nil, to: old)
            let new = try log.setPartitions(of: "t", to: 3)
            for number in 0..<3 {
                try producer.send([1], key: nil, to: new, partition: PartitionID(number))
            }
            try producer.send([2], key: nil, to: old, partition: PartitionID(0))
            try producer.flush()
            let counts = try new.partitions.map { try log.partition($0).entries().count }
            #expect(counts == [3, 1, 1])
        }
    }

    @Test func `a transactional producer finds a topic that was made again`() throws {
        try log.withOwner { log, _ in
            try log.createTopic("again", partitions: 64)
            let producer = try TransactionalProducer(log, transactionalID: "id")
            for count in [64, 1] {
                try producer.begin()
                for key in 0..<20 { try producer.send([1], key: [UInt8(key)], to: "again") }
                try producer.commit()
                guard count == 64 else { break }
                try log.deleteTopic("again")
                try log.createTopic("again", partitions: 1)
            }
            let name = TopicPartition("again", PartitionID(0))
            #expect(try log.partition(name).entries().count == 20)
        }
    }

    // MARK: Large numbers

    @Test func `a producer id near the largest number is an error for the next one, no trap`()
        throws
    {
        try log.withOwner { _, partition in
            try partition().append("x", producer: ProducerStamp(id: .max - 1, epoch: 0))
        }
        try log.withOwner { log, _ in
            #expect(throws: LogError.self) { try log.takeProducerIDs(1) }
        }
    }

    @Test func `the longest durations are no trap`() {
        let signal = AppendSignal()
        let seen = signal.count
        signal.notify()
        signal.wait(after: seen, timeout: .seconds(Int64.max))
        #expect(Timestamp.now().advanced(by: .seconds(Int64.max)) == .distantFuture)
        #expect(Timestamp(milliseconds: 0).advanced(by: .seconds(Int64.min)) == .distantPast)
    }

    // MARK: Rolling

    /// Lets truncating fail as long as it is told to.
    private final class NoTruncation: FileSystemObserver {
        let isOn = Atomic<Bool>(false)

        func willPerform(_ operation: FileOperation) throws {
            guard isOn.load(ordering: .relaxed), case .truncate(let path, _) = operation else {
                return
            }
            throw LogError(.noSpace, "\(path) was not cut: a test")
        }
    }

    @Test func `a segment that could not be ended goes on, and the log opens`() throws {
        let log = try TestLog(segmentBytes: 2_200_000)
        let observer = NoTruncation()
        // Of a size that leaves room unused in front of the roll.
        let large = [String(repeating: "x", count: 300_000)]
        do {
            let owner = try log.open(FileSystem(observer: observer))
            let partition = try owner.partition(TestLog.name)
            for _ in 0..<7 { try partition.append(large, producer: nil, isTransactional: false) }
            observer.isOn.store(true, ordering: .relaxed)
            #expect(throws: LogError.self) {
                try partition.append(large, producer: nil, isTransactional: false)
            }
            observer.isOn.store(false, ordering: .relaxed)
            try partition.append("small")
            try partition.flush()
        }
        try log.withPartition { #expect($0.logEndOffset == Offset(8)) }
    }

    /// Against an array for each partition: the short way and the long one, of topics in turn.
    @Test(arguments: seeds(6))
    func `whatever is sent to whichever topic is read as it was sent`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let directory = try TemporaryDirectory()
        let log = try openOwner(directory.path)
        var topics = [
            try log.createTopic("a", partitions: 1), try log.createTopic("b", partitions: 1),
            try log.createTopic("c", partitions: 3),
        ]
        var settings = ProducerSettings(acks: .written)
        settings.batchBytes = [2000, 200_000][Int(seed % 2)]
        settings.linger = seed % 3 == 0 ? .milliseconds(1) : nil
        let producer = try Producer(log, settings)
        var sent: [TopicPartition: [Entry]] = [:]
        let times: [Int64] = [0, 1, -1, 1_700_000_000_000, .max, .min, -63, 64, 8191, 8192]
        var chosen = 0
        var time: Int64 = 5
        for step in 0..<20_000 {
            if .random(in: 0..<40, using: &random) == 0 {
                chosen = .random(in: 0..<3, using: &random)
            }
            if .random(in: 0..<300, using: &random) == 0 {
                time = times.randomElement(using: &random) ?? 0
            }
            if step == 12_000 { topics[1] = try log.setPartitions(of: "b", to: 2) }
            if .random(in: 0..<3000, using: &random) == 0 { try producer.flush() }
            let topic = topics[chosen]
            let keyBytes = Int.random(in: -1...21, using: &random)
            let valueBytes = [-1, 0, 1, 62, 63, 64, 65, 130].randomElement(using: &random) ?? 0
            func bytes(_ count: Int) -> [UInt8]? {
                count < 0 ? nil : (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ step) }
            }
            var entry = Entry(offset: 0, key: bytes(keyBytes), value: bytes(valueBytes))
            entry.timestamp = time
            if .random(in: 0..<50, using: &random) == 0 { entry.headers = [Header("h", [1])] }
            let number =
                entry.key.map { key in
                    key.withUnsafeBytes {
                        Partitioner.partition(
                            forKey: $0, of: log.topics[chosen].partitionCount)
                    }
                } ?? PartitionID(0)
            let isGiven = entry.key == nil && topic.partitionCount > 1
            try producer.send(
                entry.value, key: entry.key, to: topic, partition: isGiven ? number : nil,
                timestamp: Timestamp(milliseconds: time), headers: entry.headers)
            let name = TopicPartition(topic.name, number)
            entry.offset = Int64(sent[name]?.count ?? 0)
            sent[name, default: []].append(entry)
        }
        try producer.flush()
        for (name, entries) in sent {
            #expect(try log.partition(name).entries() == entries, "\(name), seed \(seed)")
        }
        withExtendedLifetime(producer) {}
        try log.close()
    }
}
