import StreamJobsLog
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
}
