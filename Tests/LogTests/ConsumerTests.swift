import StreamJobsLog
import Testing

struct ConsumerTests {
    private let log: TestLog

    init() throws { log = try TestLog() }

    private func values(_ consumer: Consumer, maxRecords: Int = .max) throws -> [String] {
        var values: [String] = []
        let count = try consumer.poll(maxRecords: maxRecords) { _, record in
            values.append(String(decoding: try Entry(record).value ?? [], as: UTF8.self))
        }
        #expect(count == values.count)
        return values
    }

    @Test func `all partitions are read, each in its order`() throws {
        try log.withOwner { log, _ in
            let topic = try log.createTopic("many", partitions: 3)
            for (number, name) in topic.partitions.enumerated() {
                try log.partition(name).append("\(number) a", "\(number) b")
            }
            let consumer = try Consumer(log, topic: topic, from: .earliest)
            #expect(try consumer.remaining() == 6)
            var read: [String] = []
            while case let some = try values(consumer, maxRecords: 2), !some.isEmpty {
                read += some
            }
            #expect(read.sorted() == ["0 a", "0 b", "1 a", "1 b", "2 a", "2 b"])
            for number in 0..<3 {
                #expect(
                    read.filter { $0.hasPrefix("\(number)") } == ["\(number) a", "\(number) b"])
            }
            #expect(try consumer.remaining() == 0)
        }
    }

    @Test func `latest begins behind what is there`() throws {
        try log.withOwner { log, partition in
            try partition().append("old")
            let consumer = try Consumer(log, topic: try log.topic("t"), from: .latest)
            try partition().append("new")
            #expect(try values(consumer) == ["new"])
        }
    }

    @Test func `a consumer that stops at the end gives nothing that came later`() throws {
        try log.withOwner { log, partition in
            try partition().append("a")
            let consumer = try Consumer(log, topic: try log.topic("t"), from: .earliest)
            try consumer.stopAtEnd()
            try partition().append("later")
            #expect(try values(consumer) == ["a"])
            #expect(try values(consumer) == [])
            #expect(try consumer.remaining() == 0)
        }
    }

    @Test func `a record whose call throws is not given again`() throws {
        struct Refused: Error {}
        try log.withOwner { log, partition in
            try partition().append("a", "b")
            let consumer = try Consumer(log, topic: try log.topic("t"), from: .earliest)
            #expect(throws: Refused.self) {
                try consumer.poll(maxRecords: 9) { _, _ in throw Refused() }
            }
            #expect(try values(consumer) == ["b"])
        }
    }
}
