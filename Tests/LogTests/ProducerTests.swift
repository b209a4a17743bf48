import StreamJobsLog
import TestSupport
import Testing

struct ProducerTests {
    private let log: TestLog

    init() throws { log = try TestLog() }

    @Test func `records of a key stay in order on the key's partition`() throws {
        try log.withOwner { log, _ in
            let topic = try log.createTopic("many", partitions: 4)
            let producer = Producer(log)
            for number in 0..<100 {
                try producer.send([UInt8(number)], key: Array("key \(number % 7)".utf8), to: topic)
            }
            try producer.flush()
            var count = 0
            for name in topic.partitions {
                let partition = try log.partition(name)
                #expect(partition.flushedOffset == partition.logEndOffset)
                var last: [[UInt8]: UInt8] = [:]
                for entry in try partition.entries() {
                    let key = try #require(entry.key)
                    let expected = key.withUnsafeBytes { Partitioner.partition(forKey: $0, of: 4) }
                    #expect(name.partition == expected)
                    let value = try #require(entry.value?.first)
                    #expect(last.updateValue(value, forKey: key) ?? 0 <= value)
                    count += 1
                }
            }
            #expect(count == 100)
        }
    }

    @Test func `written is not flushed`() throws {
        try log.withOwner { log, partition in
            let producer = Producer(log, acks: .written)
            try producer.send([1], key: nil, to: try log.topic("t"))
            #expect(try partition().logEndOffset == .zero, "held back in its batch")
            try producer.flush()
            #expect(try partition().logEndOffset == Offset(1))
            #expect(try partition().flushedOffset == .zero)
        }
    }

    /// A batch over the limit would be taken for damage at the next open.
    @Test func `large headers do not swell a batch over the limit`() throws {
        let headers = [Header("h", [UInt8](repeating: 1, count: 900_000))]
        try log.withOwner { log, _ in
            let producer = Producer(log)
            let topic = try log.topic("t")
            for _ in 0..<3 {
                try producer.send([UInt8](repeating: 2, count: 200_000), key: nil, to: topic)
                try producer.send([3], key: nil, to: topic, headers: headers)
            }
            try producer.flush()
        }
        let counts = try log.withPartition { try $0.entries().map { $0.value?.count } }
        #expect(counts == [200_000, 1, 200_000, 1, 200_000, 1])
    }

    @Test func `a record over the limit is refused, and the others go on`() throws {
        try log.withOwner { log, partition in
            let producer = Producer(log)
            let topic = try log.topic("t")
            try producer.send([1], key: nil, to: topic)
            let error = #expect(throws: LogError.self) {
                try producer.send([UInt8](repeating: 0, count: 1 << 21), key: nil, to: topic)
            }
            #expect(error?.code == .recordTooLarge)
            try producer.send([2], key: nil, to: topic)
            try producer.flush()
            #expect(try partition().entries().map(\.value) == [[1], [2]])
        }
    }

    @Test func `whether a record has room is known to the byte before it is sent`() throws {
        try log.withOwner { log, _ in
            var settings = TopicSettings()
            settings.batchBytesMax = 200
            let topic = try log.createTopic("small", partitions: 1, settings: settings)
            var sentences: Set<String> = []
            for key in [nil, [], [UInt8](repeating: 1, count: 70)] as [[UInt8]?] {
                for headers in [[], [Header("h", [1]), Header("h", nil)]] {
                    for count in 0..<150 {
                        let value = [UInt8](repeating: 2, count: count)
                        let producer = Producer(log, acks: .written)
                        let known = Result {
                            try BatchBuilder.requireRoom(
                                key: key, value: value, headers: headers, in: topic)
                        }
                        let sent = Result {
                            try producer.send(value, key: key, to: topic, headers: headers)
                        }
                        #expect("\(known)" == "\(sent)")
                        if case .failure(let error) = known { sentences.insert("\(error)") }
                    }
                }
            }
            #expect(sentences.count > 10)
        }
    }

    @Test func `null keys are spread over the partitions, a batch each`() throws {
        try log.withOwner { log, _ in
            let topic = try log.createTopic("many", partitions: 3)
            let producer = Producer(log, acks: .written)
            for _ in 0..<60 {
                try producer.send([UInt8](repeating: 0, count: 20_000), key: nil, to: topic)
            }
            try producer.flush()
            let counts = try topic.partitions.map { try log.partition($0).entries().count }
            #expect(counts.reduce(0, +) == 60 && counts.allSatisfy { $0 >= 10 })
        }
    }

    // MARK: Settings

    @Test(arguments: CompressionType.allCases)
    func `batches are compressed, numbered, and read back`(compression: CompressionType) throws {
        var settings = ProducerSettings(acks: .written)
        settings.compression = compression
        settings.batchBytes = 4000
        try log.withOwner { log, _ throws in
            let producer = try Producer(log, settings)
            let topic = try log.topic("t")
            for number in 0..<200 {
                try producer.send(
                    Array("value \(number % 3)".utf8) + Array(repeating: 7, count: 50),
                    key: Array("k".utf8), to: topic)
            }
            try producer.flush()
            #expect(producer.writtenCount == 200)
        }
        let bytes = try readFile(try log.segments[0])
        var position = 0
        var sequence: Int32 = 0
        while position < bytes.count {
            try bytes[position...].withUnsafeBytes { rest in
                let header = try BatchHeader(rest)
                #expect(header.baseSequence == sequence && header.producer?.epoch == 0)
                #expect(try header.compression == compression.codec)
                #expect(header.batchByteCount <= 4000)
                sequence += header.recordsCount
                position += header.batchByteCount
            }
        }
        #expect(sequence == 200)
        let counts = try log.withPartition { try $0.entries().count }
        #expect(counts == 200)
    }

    @Test func `a partition may be given, and chosen by the user's own rule`() throws {
        var settings = ProducerSettings(acks: .written)
        settings.partitioner = .custom { key, topic in
            key?.first.map { PartitionID(Int($0) % topic.partitionCount) }
        }
        settings.isIdempotent = false
        try log.withOwner { log, _ throws in
            let topic = try log.createTopic("many", partitions: 3)
            let producer = try Producer(log, settings)
            for number in 0..<9 {
                try producer.send([], key: [UInt8(number)], to: topic)
                try producer.send([], key: [0], to: topic, partition: PartitionID(1))
            }
            let error = #expect(throws: LogError.self) {
                try producer.send([], key: nil, to: topic, partition: PartitionID(3))
            }
            #expect(error?.code == .noSuchTopic)
            try producer.flush()
            let counts = try topic.partitions.map { try log.partition($0).entries().count }
            #expect(counts == [3, 12, 3])
        }
    }

    /// Keys decide, also where a batch is full while the sticky partition is theirs.
    @Test func `keys keep their partition among records without keys`() throws {
        var settings = ProducerSettings(acks: .written)
        settings.batchBytes = 500
        try log.withOwner { log, _ throws in
            let topic = try log.createTopic("many", partitions: 3)
            let producer = try Producer(log, settings)
            for number in 0..<600 {
                let key = number % 2 == 0 ? nil : Array("key \(number % 10)".utf8)
                try producer.send([UInt8](repeating: 1, count: 30), key: key, to: topic)
            }
            try producer.flush()
            for name in topic.partitions {
                for entry in try log.partition(name).entries() {
                    guard let key = entry.key else { continue }
                    let expected = key.withUnsafeBytes { Partitioner.partition(forKey: $0, of: 3) }
                    #expect(name.partition == expected)
                }
            }
        }
    }

    @Test func `memory is bounded: batches are written before others begin`() throws {
        var settings = ProducerSettings(acks: .written)
        settings.batchBytes = 10_000
        settings.bufferBytes = 30_000
        try log.withOwner { log, _ throws in
            let topic = try log.createTopic("many", partitions: 50)
            let producer = try Producer(log, settings)
            for round in 0..<3 {
                for number in 0..<50 {
                    try producer.send(
                        [UInt8](repeating: UInt8(round), count: 9000), key: nil, to: topic,
                        partition: PartitionID(number))
                }
            }
            #expect(producer.writtenCount >= 140)
            try producer.flush()
            for name in topic.partitions {
                #expect(try log.partition(name).entries().compactMap(\.value?.first) == [0, 1, 2])
            }
        }
    }

    @Test
    func `a record lingers no longer than its time`() async throws {
        let owner = try CommitLog.open(log.directory.path, as: .owner)
        let topic = try owner.topic("t")
        let producer = try Producer(
            owner, ProducerSettings(acks: .written, linger: .milliseconds(5)))
        try producer.send([1], key: nil, to: topic)
        let partition = try owner.partition(TestLog.name)
        while partition.logEndOffset == .zero { await Task.yield() }
        for _ in 0..<1000 { try producer.send([2], key: nil, to: topic) }
        try producer.flush()
        #expect(try partition.entries().count == 1001 && producer.writtenCount == 1001)
    }

    @Test func `with acks none a batch that cannot be written is dropped and counted`() throws {
        try log.withOwner { log, partition throws in
            let producer = Producer(log, acks: .none)
            let topic = try log.topic("t")
            try producer.send([1], key: nil, to: topic)
            try producer.flush()
            try producer.send([2], key: nil, to: topic)
            try log.close()
            try producer.flush()
            #expect(producer.writtenCount == 1 && producer.droppedCount == 1)
        }
    }

    @Test func `settings that contradict themselves are refused by name`() throws {
        try log.withOwner { log, _ in
            let changes: [(String, (inout ProducerSettings) -> Void)] = [
                ("batch.size", { $0.batchBytes = 0 }), ("batch.size", { $0.batchBytes = .max }),
                ("buffer.memory", { $0.bufferBytes = 1 }),
                ("linger.ms", { $0.linger = .milliseconds(-1) }),
                ("compression level", { $0.compressionLevel = 3 }),
                (
                    "1 to 9",
                    {
                        $0.compression = .gzip
                        $0.compressionLevel = 10
                    }
                ),
            ]
            for (words, change) in changes {
                var settings = ProducerSettings()
                change(&settings)
                let error = #expect(throws: LogError.self) { try Producer(log, settings) }
                #expect(error?.code == .invalidArgument)
                #expect(error?.message.contains(words) == true, "\(words)")
            }
        }
    }
}
