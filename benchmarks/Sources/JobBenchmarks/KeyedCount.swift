// keyed-count.1M, keyed-count.10M

import BenchmarkSupport
import Foundation
import StreamJobs

/// Counts the records of each key.
private struct KeyCounter: SingleInputTask {
    static let input = Input("t", key: .int64, value: .bytes)

    let counts: KeyValueStore<Int64, Int64>

    init(_ setup: borrowing TaskSetup) throws {
        counts = try setup.store("counts", value: .int64)
    }

    mutating func process(_ record: borrowing Record<Int64, [UInt8]>, _ context: inout TaskContext)
        throws
    {
        try counts.put(record.key, (try counts.get(record.key) ?? 0) + 1)
    }
}

enum KeyedCount {
    static func run(_ name: String, keys: Int, _ report: Report) throws {
        let count = 10_000_000
        try Workspace.withLog(partitions: 1) { log, topic, path in
            try Workload.send(count, with: Producer(log, acks: .written), to: topic)
            let cost = try Cost.of {
                let run = try JobRun(
                    Job("keyed-count", KeyCounter.self), on: log,
                    settings: RunSettings(threads: 1, untilEnd: true, commitInterval: .seconds(1)))
                let summary = try run.run()
                try require(summary.recordsProcessed == count, "\(summary)")
            }
            try report.add(
                name, Double(count) / cost.seconds / 1e6, "M records/s", "\(keys) keys")
        }
    }
}
