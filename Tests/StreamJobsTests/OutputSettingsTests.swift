// The settings of the topics that a job writes to are in force for its batches too.

import StreamJobs
import StreamJobsLog
import TestSupport
import Testing

/// Sends each line on as it is, or without its key.
private struct Copier: SingleInputTask {
    static let input = Input("lines", key: .optional(.string), value: .string)
    static let copies = Output("copies", key: .optional(.string), value: .string)
    static var outputs: [Outlet] { copies }

    init(_ setup: borrowing TaskSetup) throws {}

    mutating func process(
        _ line: borrowing Record<String?, String>, _ context: inout TaskContext
    ) throws {
        try context.send(line.value, to: Self.copies, key: line.key)
    }
}

struct OutputSettingsTests {
    private let directory: TemporaryDirectory
    private let log: CommitLog

    init() throws {
        directory = try TemporaryDirectory()
        log = try openLog(directory.path)
    }

    private func run(
        _ lines: [(key: String?, value: String)], _ changes: [(name: String, value: String?)]
    ) throws -> Partition {
        let topic = try log.createTopic("lines", partitions: 1)
        try log.createTopic("copies", partitions: 1)
        try log.alterTopic("copies", changes)
        try log.alterTopic("lines", [(name: "max.message.bytes", value: "9000000")])
        let producer = Producer(log)
        for line in lines {
            try producer.send(
                Array(line.value.utf8), key: line.key.map { Array($0.utf8) }, to: topic)
        }
        try producer.flush()
        _ = try JobRun(
            Job("copy", Copier.self), on: log, settings: RunSettings(threads: 1, untilEnd: true)
        ).run()
        return try log.partition(TopicPartition("copies", PartitionID(0)))
    }

    private func texts(of partition: Partition) throws -> [String] {
        let cursor = partition.makeCursor(from: .zero)
        var texts: [String] = []
        while try cursor.hasRecord() {
            try cursor.withRecord { record in
                texts.append(
                    record.withValue {
                        String(decoding: $0 ?? .init(start: nil, count: 0), as: UTF8.self)
                    })
            }
            cursor.take()
        }
        return texts
    }

    @Test func `batches are no larger than a small limit`() throws {
        let lines = (0..<200).map { (key: String?("k"), value: "line \($0)") }
        let partition = try run(lines, [(name: "max.message.bytes", value: "300")])
        #expect(try texts(of: partition) == lines.map(\.value))
    }

    @Test func `a record over a mebibyte goes where it may`() throws {
        let large = String(repeating: "x", count: 3_000_000)
        let partition = try run(
            [(key: "k", value: large)], [(name: "max.message.bytes", value: "4000000")])
        #expect(try texts(of: partition) == [large])
    }

    @Test func `a record over the limit fails the task at its input, with both sizes`() throws {
        let error = #expect(throws: JobError.self) {
            _ = try run(
                [(key: "k", value: String(repeating: "x", count: 600))],
                [(name: "max.message.bytes", value: "500")])
        }
        for words in ["lines-0 offset 0", "610 bytes", "439 bytes", "'copies'"] {
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        }
    }

    @Test func `a record without key for a compacted topic fails the task at its input`() throws {
        let error = #expect(throws: JobError.self) {
            _ = try run([(key: nil, value: "x")], [(name: "cleanup.policy", value: "compact")])
        }
        for words in ["lines-0 offset 0", "'copies' has no key"] {
            #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        }
    }

    @Test func `batches have the topic's codec`() throws {
        let text = String(repeating: "abc ", count: 50_000)
        let partition = try run(
            [(key: "k", value: text)], [(name: "compression.type", value: "zstd")])
        #expect(try texts(of: partition) == [text])
        #expect(partition.byteCount < 20_000)
    }
}
