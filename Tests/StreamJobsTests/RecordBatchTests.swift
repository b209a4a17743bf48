// The runner takes records in stretches; how the log's batches cut them must not be seen by a task.

import StreamJobs
import StreamJobsLog
import TestSupport
import Testing

/// Notes all that a task is told with each call.
private struct Tracer: StreamTask {
    static let first = Input("first", key: .ignored, value: .int64, disorder: .milliseconds(20))
    static let second = Input("second", key: .ignored, value: .int64)
    static let table = Input("table", key: .ignored, value: .int64, [.bootstrap])
    static let trace = Output("trace", key: .ignored, value: .string)
    static let between = Repartition("between", key: .int64, value: .int64)

    static var inputs: some Route<Self> {
        On(first) { try $0.note($1, &$2) }
        On(second) { try $0.note($1, &$2) }
        On(table) { try $0.note($1, &$2) }
    }
    static var outputs: [Outlet] {
        trace
        between
    }

    init(_ setup: borrowing TaskSetup) throws {}

    mutating func note(_ record: borrowing Record<Void, Int64>, _ context: inout TaskContext) throws
    {
        try context.send(traced(record, context), to: Self.trace, key: nil)
        if record.value % 3 == 0 {
            let time = Timestamp(milliseconds: record.timestamp.milliseconds + record.value % 50)
            try context.setTimer(at: time, key: "\(record.topic) \(record.offset)")
        }
        if context.isLate {
            context.countLate()
        } else {
            try context.send(record.value, to: Self.between, key: record.value)
        }
    }

    mutating func timerFired(_ timer: EventTimer, _ context: inout TaskContext) throws {
        try context.send(
            "timer \(timer.key) at \(timer.time) in \(context.watermark)", to: Self.trace, key: nil)
        try context.send(
            -1, to: Self.between, key: timer.time.milliseconds,
            timestamp: timer.time.advanced(by: .milliseconds(-1)))
    }
}

private struct SecondTracer: SingleInputTask {
    static let input = Tracer.between.input
    static let trace = Output("second-trace", key: .ignored, value: .string)
    static var outputs: [Outlet] { trace }

    init(_ setup: borrowing TaskSetup) throws {}

    mutating func process(_ record: borrowing Record<Int64, Int64>, _ context: inout TaskContext)
        throws
    {
        let line = "\(record.key) \(record.value) \(record.timestamp) in \(context.watermark)"
        try context.send(line, to: Self.trace, key: nil)
        try context.setTimer(at: record.timestamp, key: line)
    }

    mutating func timerFired(_ timer: EventTimer, _ context: inout TaskContext) throws {
        try context.send(
            "timer at \(timer.time) in \(context.watermark)", to: Self.trace, key: nil)
    }
}

private func traced(_ record: borrowing Record<Void, Int64>, _ context: borrowing TaskContext)
    -> String
{
    "\(record.topic)-\(record.partition) \(record.offset) \(record.value) \(record.timestamp) "
        + "in \(context.watermark)\(context.isLate ? ", late" : "")"
}

private let tracing = Job("tracing", disorder: .milliseconds(5), Tracer.self, SecondTracer.self)

@Suite struct RecordBatchTests {
    struct Sent {
        let topic: String
        let partition: Int
        let value: Int64
        let time: Int64
    }

    /// Times go forth and back, by more than the disorder at times, and meet in all inputs.
    func records(using generator: inout SeededGenerator) -> [Sent] {
        var time: [String: Int64] = [:]
        return (0..<400).map { _ in
            let topic =
                ["first", "first", "second", "table"].randomElement(using: &generator) ?? ""
            let now = time[topic, default: 0] + Int64.random(in: 0...6, using: &generator)
            time[topic] = now
            return Sent(
                topic: topic, partition: Int.random(in: 0...1, using: &generator),
                value: Int64.random(in: 0...1000, using: &generator),
                time: max(0, now - Int64.random(in: 0...30, using: &generator)))
        }
    }

    /// What a run makes of the records, cut into batches where `endsBatch` says so.
    func traces(_ records: [Sent], commits: Duration, endsBatch: () -> Bool) throws -> [[String]] {
        let directory = try TemporaryDirectory()
        let log = try openLog(directory.path)
        for topic in ["first", "second", "table"] { try log.createTopic(topic, partitions: 2) }
        let producer = Producer(log)
        for record in records {
            try producer.send(
                withUnsafeBytes(of: record.value.bigEndian) { Array($0) }, key: nil,
                to: log.topic(record.topic), partition: PartitionID(record.partition),
                timestamp: Timestamp(milliseconds: record.time))
            if endsBatch() { try producer.flush() }
        }
        try producer.flush()
        let summary = try JobRun(
            tracing, on: log, settings: RunSettings(untilEnd: true, commitInterval: commits)
        ).run()
        #expect(summary.recordsProcessed == records.count)
        let traces = try ["trace", "second-trace"].flatMap { topic in
            try log.topic(topic).partitions.map { try lines($0, log) }
        }
        return traces + [["\(summary.lateRecords) late"]]
    }

    func lines(_ partition: TopicPartition, _ log: CommitLog) throws -> [String] {
        var lines: [String] = []
        let consumer = Consumer(log)
        try consumer.assign(partition, from: .earliest)
        try consumer.poll { _, record in
            lines.append(
                record.withValue {
                    String(decoding: $0 ?? .init(start: nil, count: 0), as: UTF8.self)
                })
        }
        return lines
    }

    @Test(arguments: seeds(4))
    func `tasks see the same calls in the same order, however the log's batches are cut`(
        _ seed: UInt64
    ) throws {
        var generator = SeededGenerator(seed: seed)
        let records = records(using: &generator)
        let one = try traces(records, commits: .seconds(100)) { true }
        let whole = try traces(records, commits: .seconds(100)) { false }
        let some = try traces(records, commits: .milliseconds(1)) {
            Int.random(in: 0..<7, using: &generator) == 0
        }
        #expect(one == whole)
        #expect(one == some)
        #expect(one.allSatisfy { !$0.isEmpty } && one.last != ["0 late"])
    }
}
