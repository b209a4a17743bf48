// keyed-count.1M, keyed-count.10M, and what of it is the runner's: path.records, path.hash-map

import BenchmarkSupport
import CFloors
import Foundation
import StreamJobs

/// Counts the records of each key in a store.
private struct KeyCounter: SingleInputTask {
    static let input = Input("t", key: .int64, value: .ignored)

    let counts: KeyValueStore<Int64, Int64>

    init(_ setup: borrowing TaskSetup) throws {
        counts = try setup.store("counts", value: .int64)
    }

    mutating func process(_ record: borrowing Record<Int64, Void>, _ context: inout TaskContext)
        throws
    {
        try counts.put(record.key, (try counts.get(record.key) ?? 0) + 1)
    }
}

/// The same in memory.
private struct MapCounter: SingleInputTask {
    static let input = Input("t", key: .int64, value: .ignored)

    var counts = KeyMap()

    init(_ setup: borrowing TaskSetup) throws {}

    mutating func process(_ record: borrowing Record<Int64, Void>, _ context: inout TaskContext) {
        counts.increment(record.key)
    }
}

/// The least that a task can do.
private struct RecordCounter: SingleInputTask {
    static let input = Input("t", key: .int64, value: .ignored)

    var sum: Int64 = 0

    init(_ setup: borrowing TaskSetup) throws {}

    mutating func process(_ record: borrowing Record<Int64, Void>, _ context: inout TaskContext) {
        sum &+= record.key
    }
}

/// A hash map as the floor's: open addressing, a power of two of slots, half of them used at most.
struct KeyMap {
    private var slots = [(key: Int64, count: Int64)](repeating: (0, 0), count: 1 << 16)
    private var used = 0
    private var shift: UInt64 = 64 - 16

    mutating func increment(_ key: Int64) {
        let index = place(of: key)
        if slots[index].count == 0 {
            slots[index].key = key
            used += 1
        }
        slots[index].count += 1
        if used > slots.count / 2 { grow() }
    }

    private func place(of key: Int64) -> Int {
        var index = Int((UInt64(bitPattern: key) &* 0x9e37_79b9_7f4a_7c15) >> shift)
        while slots[index].count != 0, slots[index].key != key {
            index = (index + 1) & (slots.count - 1)
        }
        return index
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: (0, 0), count: 2 * old.count)
        shift -= 1
        for slot in old where slot.count != 0 { slots[place(of: slot.key)] = slot }
    }
}

enum KeyedCount {
    private static let count = 10_000_000

    static func million(_ report: Report) throws {
        try stored("keyed-count.1M", keys: 1_000_000, report)
    }

    static func tenMillion(_ report: Report) throws {
        try stored("keyed-count.10M", keys: 10_000_000, report)
    }

    private static func stored(_ name: String, keys: Int, _ report: Report) throws {
        try withRecords(keys: keys) { log, path in
            let (values, floors) = try alternate(5) {
                try run(Job("keyed-count", KeyCounter.self), on: log, at: path)
            } floor: {
                try floor(at: path, keys: keys)
            }
            try report.add(
                name, rate(values), "M records/s", floor: rate(floors),
                "\(count) records of 108 bytes, \(keys) keys, commits each second; floor: a hash map, "
                    + "flushed sorted to LMDB")
        }
    }

    /// What a record costs on its way to a task that keeps nothing, or in a map of its own.
    static func path(_ report: Report) throws {
        try withRecords(keys: 1_000_000) { log, path in
            for (name, job) in [
                ("path.records", Job("records", RecordCounter.self)),
                ("path.hash-map", Job("hash-map", MapCounter.self)),
            ] {
                let (values, floors) = try alternate(5) {
                    try run(job, on: log, at: path)
                } floor: {
                    try scan(path)
                }
                try report.add(
                    name, rate(values), "M records/s", floor: rate(floors),
                    "a task without a store; floor: reading with checksums")
            }
        }
    }

    // MARK: Helpers

    private static func withRecords(keys: Int, _ body: (CommitLog, String) throws -> Void) throws {
        try Workspace.withLog(partitions: 1) { log, topic, path in
            let producer = Producer(log, acks: .flushed)
            let value = [UInt8](repeating: UInt8(ascii: "v"), count: Workload.valueBytes)
            try value.withUnsafeBytes { value in
                for number in 0..<count {
                    try withUnsafeBytes(of: key(number % keys)) { key in
                        try producer.sendBytes(
                            value, key: key, to: topic, timestamp: Workload.timestamp)
                    }
                }
            }
            try producer.flush()
            try body(log, path)
        }
    }

    /// Spreads the numbers over all keys there are, none twice (the end of splitmix64).
    private static func key(_ number: Int) -> UInt64 {
        var bits = UInt64(number) &* 0x9e37_79b9_7f4a_7c15
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31)
    }

    /// A run of the job from the first record to the end, with nothing of an earlier one.
    private static func run(_ job: Job, on log: CommitLog, at path: String) throws -> Cost {
        let cost = try Cost.of {
            let run = try JobRun(
                job, on: log,
                settings: RunSettings(threads: 1, untilEnd: true, commitInterval: .seconds(1)))
            let summary = try run.run()
            try require(summary.recordsProcessed == count, "\(summary)")
        }
        try FileManager.default.removeItem(atPath: path + "/state")
        try log.deleteTopic("__commits-" + job.name)
        return cost
    }

    private static func floor(at path: String, keys: Int) throws -> Cost {
        let state = path + "/floor"
        try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: state) }
        var result = floor_keyed_count_result()
        let cost = try withSegments(path) { segments in
            try state.withCString { state in
                var job = floor_keyed_count_job(
                    paths: segments.baseAddress, path_count: segments.count, state: state,
                    interval_seconds: 1)
                return try Cost.of { try check(floor_keyed_count(&job, &result)) }
            }
        }
        try require(
            result.keys == keys && result.offset == count,
            "the floor has counted \(result.keys) keys up to offset \(result.offset)")
        return cost
    }

    private static func scan(_ path: String) throws -> Cost {
        var result = floor_scan_result()
        let cost = try withSegments(path) { segments in
            try Cost.of { try check(floor_scan(segments.baseAddress, segments.count, &result)) }
        }
        try require(result.records == count, "the floor has read \(result.records) records")
        return cost
    }

    private static func withSegments<R>(
        _ path: String, _ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) throws -> R
    ) throws -> R {
        let directory = path + "/t-0"
        let paths = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            .filter { $0.hasSuffix(".log") }.map { strdup(directory + "/" + $0) }
        defer { for path in paths { free(path) } }
        return try paths.map { UnsafePointer<CChar>($0) }.withUnsafeBufferPointer(body)
    }

    private static func rate(_ costs: [Cost]) -> Double {
        median(costs.map { Double(count) / $0.seconds / 1e6 })
    }
}
