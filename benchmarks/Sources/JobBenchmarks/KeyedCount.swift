// keyed-count.1M, keyed-count.10M, and what of it is the runner's: path.*, allocations.*

import BenchmarkSupport
import CFloors
import Foundation
import StreamJobs

enum KeyedCount {
    private static let count = 10_000_000

    static func million(_ report: Report) throws {
        try stored(
            "keyed-count.1M", Job("keyed-count", KeyCounter.self), keys: 1_000_000, report)
    }

    static func tenMillion(_ report: Report) throws {
        try stored(
            "keyed-count.10M", Job("keyed-count", BlindKeyCounter.self), keys: 10_000_000, report)
    }

    private static func stored(_ name: String, _ job: Job, keys: Int, _ report: Report) throws {
        try withRecords(keys: keys) { log, path in
            let (values, floors) = try alternate(5) {
                try run(job, on: log, at: path)
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
                ("path.sent", Job("sent", Forwarder.self)),
            ] {
                let (values, floors) = try alternate(5) {
                    try run(job, on: log, at: path)
                } floor: {
                    try scan(path)
                }
                try report.add(
                    name, rate(values), "M records/s", floor: rate(floors),
                    "a task without a store; floor: reading with checksums")
                try? log.deleteTopic(Forwarder.output.topic)
            }
        }
    }

    /// How often a record makes the process ask for memory: as good as never, for records whose keys and
    /// values need none themselves.
    static func allocations(_ report: Report) throws {
        let count = 1_000_000
        try withRecords(count, keys: 1000) { log, path in
            for (name, job) in [
                ("allocations.raw", Job("raw", RawCounter.self)),
                ("allocations.integers", Job("integers", RecordCounter.self)),
                ("allocations.counted", Job("counted", KeyCounter.self)),
                ("allocations.sent", Job("sent", Forwarder.self)),
                ("allocations.repartitioned", Job("repartitioned", Splitter.self, Receiver.self)),
            ] {
                let before = floor_allocation_count()
                _ = try run(job, on: log, at: path, count)
                let each = Double(floor_allocation_count() - before) / Double(count)
                try report.add(name, each, "per record", "\(count) records, start and end included")
                try require(each < 0.1, "\(name): \(each) allocations a record")
            }
        }
    }

    // MARK: Helpers

    private static func withRecords(
        _ count: Int = count, keys: Int, _ body: (CommitLog, String) throws -> Void
    ) throws {
        try Workspace.withLog(partitions: 1) { log, topic, path in
            let producer = Producer(log, acks: .flushed)
            let value = [UInt8](repeating: UInt8(ascii: "v"), count: Workload.valueBytes)
            try value.withUnsafeBytes { value in
                for number in 0..<count {
                    try withUnsafeBytes(of: Workload.key(number % keys)) { key in
                        try producer.sendBytes(
                            value, key: key, to: topic, timestamp: Workload.timestamp)
                    }
                }
            }
            try producer.flush()
            try body(log, path)
        }
    }

    /// A run of the job from the first record to the end, with nothing of an earlier one.
    private static func run(
        _ job: Job, on log: CommitLog, at path: String, _ count: Int = count
    ) throws -> Cost {
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
