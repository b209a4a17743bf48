// open.partitions, open.crashed, memory.partition

import BenchmarkSupport
import CFloors
import Foundation
import StreamJobsLog

enum Opening {
    static func partitions(_ report: Report) throws {
        let count = 1000
        try Workspace.withDirectory { path in
            let log = try CommitLog.open(path, as: .owner)
            let topic = try log.createTopic("t", partitions: count)
            let producer = Producer(log, acks: .written)
            for number in 0..<count * 8 {
                try producer.send([1, 2, 3], key: Array("\(number)".utf8), to: topic)
            }
            try producer.flush()
            try log.close()
            var bytes: [Double] = []
            let (values, floors) = try alternate(5) {
                let before = floor_allocated_bytes()
                var opened: CommitLog?
                let cost = try Cost.of { opened = try CommitLog.open(path, as: .owner) }
                bytes.append(Double(floor_allocated_bytes() - before) / Double(count))
                try opened?.close()
                return cost.seconds * 1000
            } floor: {
                try Cost.of { try check(floor_open(path, "t", count)) }.seconds * 1000
            }
            try report.add(
                "open.partitions", median(values), "ms", floor: median(floors), better: .less,
                "1,000 partitions, closed in order; floor: open and fstat of each segment")
            try report.add(
                "memory.partition", median(bytes), "bytes",
                "allocated by malloc per partition after opening 1,000")
        }
    }

    /// The time to open after a crash must not grow with the log.
    static func crashed(_ report: Report) throws {
        let isFull = ProcessInfo.processInfo.environment["BENCH_FULL"] == "1"
        let small = isFull ? 1_000_000_000 : 200_000_000
        let (values, floors) = try alternate(1) {
            try crashedOpen(bytes: 10 * small)
        } floor: {
            try crashedOpen(bytes: small)
        }
        let config =
            "\(10 * small / 1_000_000) MB against \(small / 1_000_000) MB, killed 32 MiB behind the last "
            + "checkpoint"
        try report.add(
            "open.crashed", median(values), "ms", floor: median(floors), better: .less,
            isFull ? config : config + "; 10 GB against 1 GB: BENCH_FULL=1")
    }

    private static func crashedOpen(bytes: Int) throws -> Double {
        try Workspace.withDirectory { path in
            try leaveCrashed(path, bytes)
            var times: [Double] = []
            for _ in 0..<15 {
                // Not closed either: the next open finds a crash again.
                let cost = try Cost.of { _ = try Workspace.openWhenFree(path) }
                times.append(cost.seconds * 1000)
            }
            return median(times)
        }
    }

    /// Bytes behind the last checkpoint, of which there are at most so many again (`Limits.checkpointBytes`).
    private static let tailBytes = 32 << 20

    /// A log that goes without being closed leaves what a killed process leaves.
    private static func leaveCrashed(_ path: String, _ bytes: Int) throws {
        var log = try CommitLog.open(path, as: .owner)
        let topic = try log.createTopic("t", partitions: 1)
        try Workload.send(
            bytes / Workload.recordBytes, with: Producer(log, acks: .flushed), to: topic,
            flushBytes: 64 << 20)
        try log.close()
        log = try CommitLog.open(path, as: .owner)
        try Workload.send(
            tailBytes / Workload.recordBytes, with: Producer(log, acks: .flushed), to: topic)
    }
}
