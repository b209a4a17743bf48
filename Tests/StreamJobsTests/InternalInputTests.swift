// Repartition partitions as a task reads them, against merging by hand.

import StreamJobs
import StreamJobsLog
import StreamJobsTesting
import TestSupport
import Testing

@Suite struct InternalInputTests {
    let log = MemoryLog()
    let partition: any JobLogPartition

    init() throws {
        _ = try log.createTopic(
            "between", partitions: 1, isInternal: true, settings: TopicSettings())
        partition = try log.logPartition(TopicPartition("between", PartitionID(0)))
    }

    /// One thing that an upstream task sends.
    enum Sent {
        case record(time: Int64)
        case watermark(Int64)
        case end
    }

    /// A record as it comes out: its time, and which task sent it as its how-manieth.
    struct Taken: Equatable {
        let time: Int64
        let task: Int
        let sequence: Int
    }

    func append(_ sent: Sent, from task: Int, sequence: Int) throws {
        let batch = BatchBuilder()
        let number = UInt32(task + 1)
        switch sent {
        case .record(let time):
            try Array("\(task) \(sequence)".utf8).withUnsafeBytes {
                try batch.append(
                    key: nil, value: $0, timestamp: Timestamp(milliseconds: time),
                    headers: InternalRecord.headers(task: number))
            }
        case .watermark(let time):
            try batch.append(
                key: nil, value: nil, timestamp: Timestamp(milliseconds: time),
                headers: InternalRecord.headers(
                    task: number, watermark: Timestamp(milliseconds: time), endOf: nil))
        case .end:
            try batch.append(
                key: nil, value: nil, timestamp: .distantPast,
                headers: InternalRecord.headers(
                    task: number, watermark: .distantPast, endOf: 7))
        }
        try withExtendedLifetime(batch) { _ = try partition.append(batch.seal()) }
    }

    func input(
        _ positions: [InputPosition], mode: RunMode = .bounded(run: 7), queueBytes: Int = 1 << 20
    ) -> InternalInput {
        InternalInput(
            partition, route: 0,
            upstreams: positions.enumerated().map { (task: UInt32($0 + 1), position: $1) },
            mode: mode, queueBytesMax: queueBytes)
    }

    func take(_ input: InternalInput) throws -> Taken {
        var taken: Taken?
        try input.take { record in
            let text = record.withValue {
                String(decoding: $0 ?? .init(start: nil, count: 0), as: UTF8.self)
            }
            let numbers = text.split(separator: " ").compactMap { Int($0) }
            taken = Taken(
                time: record.timestamp.milliseconds, task: numbers[0], sequence: numbers[1])
        }
        return try #require(taken)
    }

    /// What each task sends: records whose times go forth and back, but never before a watermark sent.
    func sequences(_ tasks: Int, using generator: inout SeededGenerator) -> [[Sent]] {
        (0..<tasks).map { _ in
            var watermark: Int64 = 0
            var sent: [Sent] = []
            for _ in 0..<Int.random(in: 0...60, using: &generator) {
                if Int.random(in: 0..<5, using: &generator) == 0 {
                    watermark += Int64.random(in: 0...20, using: &generator)
                    sent.append(.watermark(watermark))
                } else {
                    let time = watermark + Int64.random(in: 0...30, using: &generator)
                    sent.append(.record(time: time))
                }
            }
            return sent + [.end]
        }
    }

    /// The merge by hand: of the first records of all tasks the one with the lowest (time, task).
    func merged(_ sequences: [[Sent]]) -> [Taken] {
        var rest = sequences.enumerated().map { task, sent in
            sent.enumerated().compactMap { sequence, sent -> Taken? in
                guard case .record(let time) = sent else { return nil }
                return Taken(time: time, task: task, sequence: sequence)
            }[...]
        }
        var result: [Taken] = []
        while let first = rest.compactMap(\.first).min(by: {
            ($0.time, $0.task) < ($1.time, $1.task)
        }) {
            result.append(first)
            rest[first.task].removeFirst()
        }
        return result
    }

    @Test func `a bounded run merges by time, task and sequence, however the log interleaves them`()
        throws
    {
        var generator = SeededGenerator.seeded()
        let tasks = Int.random(in: 1...5, using: &generator)
        let sequences = sequences(tasks, using: &generator)
        let queueBytes = Int.random(in: 1...2000, using: &generator)
        var reader = input(
            Array(repeating: InputPosition(offset: .zero), count: tasks), queueBytes: queueBytes)
        var sent = Array(repeating: 0, count: tasks)
        var taken: [Taken] = []
        while true {
            // Somebody appends a few, the reader takes what is decided, and sometimes starts again.
            for _ in 0..<Int.random(in: 0...15, using: &generator) {
                let open = (0..<tasks).filter { sent[$0] < sequences[$0].count }
                guard let task = open.randomElement(using: &generator) else { break }
                try append(sequences[task][sent[task]], from: task, sequence: sent[task])
                sent[task] += 1
            }
            while case .ready = try reader.state() { taken.append(try take(reader)) }
            if case .ended = try reader.state() { break }
            if Int.random(in: 0..<4, using: &generator) == 0 {
                reader = input(reader.positions.map(\.1), queueBytes: queueBytes)
            }
        }
        #expect(taken == merged(sequences))
    }

    @Test func `a live run takes records as they lie`() throws {
        try append(.record(time: 9), from: 1, sequence: 0)
        try append(.record(time: 3), from: 0, sequence: 0)
        try append(.record(time: 5), from: 1, sequence: 1)
        let reader = input(
            Array(repeating: InputPosition(offset: .zero), count: 2), mode: .live)
        var times: [Int64] = []
        while case .ready(let time) = try reader.state() {
            times.append(time.milliseconds)
            _ = try take(reader)
        }
        #expect(times == [9, 3, 5])
    }

    @Test func `a live run's watermark is the lowest that the tasks have told`() throws {
        try append(.watermark(50), from: 0, sequence: 0)
        let reader = input(Array(repeating: InputPosition(offset: .zero), count: 2), mode: .live)
        _ = try reader.state()
        #expect(reader.watermark == .distantPast)
        try append(.watermark(30), from: 1, sequence: 0)
        _ = try reader.state()
        #expect(reader.watermark == Timestamp(milliseconds: 30))
    }

    @Test(arguments: [false, true])
    func `a bounded run's watermark is what records carry, told early or late`(_ isTold: Bool)
        throws
    {
        func append(_ time: Int64, promise: Int64, from task: UInt32) throws {
            let batch = BatchBuilder()
            try Array("0 0".utf8).withUnsafeBytes {
                try batch.append(
                    key: nil, value: $0, timestamp: Timestamp(milliseconds: time),
                    headers: InternalRecord.headers(
                        task: task, promise: Timestamp(milliseconds: promise)))
            }
            try withExtendedLifetime(batch) { _ = try partition.append(batch.seal()) }
        }
        try append(20, promise: 10, from: 1)
        if isTold { try self.append(.watermark(25), from: 0, sequence: 0) }
        try append(40, promise: 30, from: 1)
        try append(35, promise: 15, from: 2)
        try self.append(.end, from: 0, sequence: 0)
        try self.append(.end, from: 1, sequence: 0)
        let reader = input(Array(repeating: InputPosition(offset: .zero), count: 2))
        var watermarks: [Int64?] = []
        while case .ready = try reader.state() {
            _ = try take(reader)
            watermarks.append(reader.watermark?.milliseconds)
        }
        #expect(watermarks == [10, 15, 30])
        #expect(reader.watermark == nil)
    }

    @Test func `the end of another run is none`() throws {
        try append(.end, from: 0, sequence: 0)
        let reader = input([InputPosition(offset: .zero)], mode: .bounded(run: 8))
        guard case .waiting = try reader.state() else {
            Issue.record("the end of run 7 has ended run 8")
            return
        }
    }

    @Test func `a record that no task of the job has written is refused`() throws {
        let batch = BatchBuilder()
        try batch.append(key: nil, value: nil, timestamp: .now())
        try withExtendedLifetime(batch) { _ = try partition.append(batch.seal()) }
        let reader = input([InputPosition(offset: .zero)])
        #expect(throws: JobError.self) { try reader.state() }
    }

    @Test func `in a live run an idle upstream task holds up no watermark, until it says more`()
        throws
    {
        func mark(_ task: UInt32, _ time: Int64, isIdle: Bool) throws {
            let batch = BatchBuilder()
            let watermark = Timestamp(milliseconds: time)
            try batch.append(
                key: nil, value: nil, timestamp: watermark,
                headers: InternalRecord.headers(
                    task: task, watermark: watermark, endOf: nil, isIdle: isIdle))
            try withExtendedLifetime(batch) { _ = try partition.append(batch.seal()) }
        }
        let start = InputPosition(offset: .zero)
        let input = input([start, start], mode: .live)
        try mark(1, 5, isIdle: true)
        try mark(2, 100, isIdle: false)
        _ = try input.state()
        #expect(input.watermark == Timestamp(milliseconds: 100))
        try mark(1, 7, isIdle: false)
        _ = try input.state()
        #expect(input.watermark == Timestamp(milliseconds: 7))
        try mark(1, 7, isIdle: true)
        try mark(2, 100, isIdle: true)
        _ = try input.state()
        #expect(input.watermark == nil)
    }
}
