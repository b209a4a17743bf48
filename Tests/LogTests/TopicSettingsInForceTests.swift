// What a topic's `max.message.bytes` and `compression.type` do to those who write to it.

import StreamJobsCompression
import StreamJobsLog
import TestSupport
import Testing

struct TopicSettingsInForceTests {
    private let log: TestLog

    init() throws { log = try TestLog() }

    private func alter(_ changes: (String, String)...) throws { try log.alter(changes) }

    private var codecs: [String] {
        get throws {
            try log.batches().filter { !$0.isControl }.map {
                CompressionCodec(rawValue: UInt8($0.attributes & 0b111))?.name ?? "unknown"
            }
        }
    }

    // MARK: max.message.bytes

    @Test func `a topic that allows more gets larger records, and they are read`() throws {
        try alter(("max.message.bytes", "9000000"))
        let large = [UInt8](repeating: 7, count: 5_000_000)
        try log.withOwner(isClean: false) { log, partition in
            let producer = Producer(log)
            let topic = try log.topic("t")
            try producer.send([1], key: nil, to: topic)
            try producer.send(large, key: nil, to: topic)
            try producer.send([2], key: nil, to: topic)
            try producer.flush()
            let unit = try TransactionalProducer(log, transactionalID: "id")
            try unit.transaction { try $0.send(large, to: "t") }
            #expect(try partition().entries().map(\.value) == [[1], large, [2], large])
        }
        try log.withOwner { log, partition in
            #expect(try partition().entries().map(\.value) == [[1], large, [2], large])
            var counts: [Int?] = []
            let consumer = try Consumer(log, topic: log.topic("t"), from: .earliest)
            while counts.count < 4 {
                _ = try consumer.poll(maxRecords: .max) { _, record in
                    counts.append(record.withValue { $0?.count })
                }
            }
            #expect(counts == [1, 5_000_000, 1, 5_000_000])
        }
    }

    /// Nothing says any more what was flushed: then a torn tail is one that nothing good follows.
    @Test func `damage in front of a large batch is not taken for a torn tail`() throws {
        try alter(("max.message.bytes", "9000000"))
        try log.withOwner(isClean: false) { log, _ in
            let producer = Producer(log)
            for value in [[UInt8]([1]), [UInt8](repeating: 7, count: 5_000_000)] {
                try producer.send(value, key: nil, to: try log.topic("t"))
                try producer.flush()
            }
        }
        try log.directory.remove("recovery-points")
        var bytes = try readFile(try log.segments[0])
        bytes[64] ^= 1
        try writeFile(try log.segments[0], bytes)
        #expect(log.refusal()?.code == .corrupted)
    }

    @Test func `a producer goes by what the limit is now, and tells both sizes`() throws {
        try log.withOwner { log, partition in
            let producer = Producer(log)
            let topic = try log.topic("t")
            func set(_ limit: Int) throws {
                try log.alterTopic("t", [(name: "max.message.bytes", value: "\(limit)")])
            }
            try producer.send([0], key: nil, to: topic)
            try producer.flush()
            try set(500)
            let error = #expect(throws: LogError.self) {
                try producer.send([UInt8](repeating: 1, count: 600), key: nil, to: topic)
            }
            #expect(error?.code == .recordTooLarge)
            for words in ["609 bytes", "439 bytes", "'t'", "max.message.bytes"] {
                #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
            }
            try set(2_000_000)
            try producer.send([UInt8](repeating: 1, count: 1_500_000), key: nil, to: topic)
            try producer.flush()
            #expect(try partition().entries().map { $0.value?.count } == [1, 1_500_000])
        }
    }

    @Test func `a record larger than all of the producer's memory goes alone`() throws {
        try alter(("max.message.bytes", "9000000"))
        var settings = ProducerSettings(acks: .written)
        settings.batchBytes = 1000
        settings.bufferBytes = 2000
        try log.withOwner { log, partition in
            let producer = try Producer(log, settings)
            let topic = try log.topic("t")
            for count in [1, 5_000_000, 1, 1, 3_000_000, 1] {
                try producer.send([UInt8](repeating: 1, count: count), key: nil, to: topic)
            }
            try producer.flush()
            let counts = try partition().entries().map { $0.value?.count }
            #expect(counts == [1, 5_000_000, 1, 1, 3_000_000, 1])
        }
    }

    // MARK: compression.type

    @Test(arguments: TopicSettings.Compression.allCases)
    func `what is stored has the topic's codec, whoever writes it`(
        type: TopicSettings.Compression
    ) throws {
        try alter(("compression.type", type.rawValue))
        let text = String(repeating: "abc ", count: 100)
        try log.withOwner { log, partition in
            let topic = try log.topic("t")
            for compression in CompressionType.allCases {
                var settings = ProducerSettings()
                settings.compression = compression
                let producer = try Producer(log, settings)
                // One that no codec makes smaller as well.
                for value in ["x", text] {
                    try producer.send(Array(value.utf8), key: nil, to: topic)
                    try producer.flush()
                }
            }
            let unit = try TransactionalProducer(log, transactionalID: "id")
            try unit.transaction { try $0.send(Array(text.utf8), to: "t") }
            for codec in CompressionCodec.allCases {
                try partition().put([Keyed("k", text)], BatchKind(timestamp: 5, codec: codec))
            }
        }
        if let codec = type.codec {
            #expect(try codecs == Array(repeating: codec.name, count: 16))
        } else {
            #expect(
                try codecs.joined(separator: " ")
                    == "none none none gzip none snappy none lz4 none zstd none "
                    + "none gzip snappy lz4 zstd")
        }
        let (entries, values) = try log.withPartition { (try $0.entries(), try $0.values()) }
        #expect(
            values == Array(repeating: ["x", text], count: 5).flatMap { $0 }
                + Array(repeating: text, count: 6))
        for entry in entries.suffix(5) {
            #expect(entry.key == Array("k".utf8) && entry.timestamp == 5)
            #expect(entry.headers == [Header("of", Array("k".utf8))])
        }
    }

    @Test func `a batch that was stored with another codec is known when it is sent again`() throws
    {
        try alter(("compression.type", "zstd"))
        let kind = BatchKind(
            timestamp: 1, producer: ProducerStamp(id: 7, epoch: 0), sequence: 0, codec: .gzip)
        try log.withPartition { partition throws in
            #expect(try partition.put([Keyed("a", "1"), Keyed("b", "2")], kind) == .zero)
            #expect(try partition.put([Keyed("a", "1"), Keyed("b", "2")], kind) == .zero)
            #expect(partition.logEndOffset == Offset(2))
        }
        #expect(try codecs == ["zstd"])
    }

    @Test func `records that the topic's codec makes larger than its limit stay as they are`()
        throws
    {
        try alter(("compression.type", "gzip"), ("max.message.bytes", "200"))
        var generator = SeededGenerator(seed: 1)
        let value = (0..<130).map { _ in UInt8.random(in: 0...255, using: &generator) }
        try log.withOwner { log, partition in
            let producer = Producer(log)
            try producer.send(value, key: nil, to: try log.topic("t"))
            try producer.flush()
            #expect(try partition().entries().map(\.value) == [value])
        }
        #expect(try codecs == ["none"])
    }

    @Test func `a batch that cannot be read is refused, and nothing is changed`() throws {
        try alter(("compression.type", "zstd"))
        try log.withPartition { partition in
            let builder = BatchBuilder()
            for _ in 0..<50 { try builder.append("the same again") }
            var batch = withExtendedLifetime(builder) { Array(builder.seal(compression: .gzip)) }
            batch[batch.count - 1] ^= 0xff
            mendChecksum(&batch)
            let error = #expect(throws: LogError.self) {
                _ = try batch.withUnsafeMutableBytes { try partition.append($0) }
            }
            #expect(error?.code == .invalidRecord)
            #expect(partition.logEndOffset == .zero)
        }
    }

    @Test func `compaction writes with the topic's codec what it writes anew`() throws {
        let log = try TestLog.compacted()
        let text = String(repeating: "abc ", count: 100)
        try log.withPartition { partition in
            try partition.put([Keyed("a", text), Keyed("b", text)], BatchKind(codec: .gzip))
            try partition.put([Keyed("c", text)], BatchKind(codec: .gzip))
            try partition.fill()
            try partition.put("a", "2")
            try partition.fill()
            try partition.fill()
        }
        try log.alter([("compression.type", "zstd")])
        try log.withPartition { partition throws in
            try partition.clean()
            #expect(try partition.pairs() == ["b=" + text, "c=" + text, "a=2"])
        }
        let attributes = try log.batches().map { $0.attributes & 0b111 }
        #expect(attributes.prefix(2) == [4, 1], "the second was not written anew")
    }

    // MARK: What readers would not decompress

    private static let tooLarge = [UInt8](
        repeating: 7, count: Limits.decompressedBatchBytesMax)

    @Test func `a batch that readers would not decompress is stored as it came`() throws {
        try alter(("max.message.bytes", "200000000"), ("compression.type", "lz4"))
        try log.withOwner { log, partition in
            let producer = Producer(log)
            try producer.send(Self.tooLarge, key: nil, to: try log.topic("t"))
            try producer.flush()
            #expect(try partition().entries().map { $0.value?.count } == [Self.tooLarge.count])
        }
    }

    @Test func `a batch that readers would not decompress is compacted like others`() throws {
        let log = try TestLog.compacted()
        try log.alter([("max.message.bytes", "200000000")])
        try log.withPartition { partition throws in
            let builder = BatchBuilder(bytesMax: 200_000_000)
            for (key, value) in [("a", [1]), ("large", Self.tooLarge)] {
                try builder.append(
                    key: Array(key.utf8), value: value, timestamp: Timestamp(milliseconds: 0))
            }
            try withExtendedLifetime(builder) { _ = try partition.append(builder.seal()) }
            try partition.put("a", "2")
            try partition.fill()
        }
        try log.alter([("compression.type", "lz4")])
        try log.withPartition { partition throws in
            try partition.clean()
            let entries = try partition.entries()
            #expect(entries.map(\.offset) == [1, 2, 3])
            #expect(entries.first?.value?.count == Self.tooLarge.count)
        }
    }
}
