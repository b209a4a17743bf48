// scan.verified, scan.consumer, wake

import BenchmarkSupport
import CFloors
import Foundation
import StreamJobsLog
import Synchronization

enum Reading {
    static func scan(_ report: Report) throws {
        try scan("scan.verified", partitions: 1, report)
        try scan("scan.consumer", partitions: 4, report)
    }

    private static func scan(_ name: String, partitions: Int, _ report: Report) throws {
        let count = 3_000_000
        try Workspace.withLog(partitions: partitions) { log, topic, path in
            try Workload.send(count, with: Producer(log, acks: .written), to: topic)
            let (values, floors) = try alternate(7) {
                try consume(log, topic, count)
            } floor: {
                try floorScan((0..<partitions).map { path + "/t-\($0)" }, count)
            }
            try report.add(
                name, rate(values, count), "M records/s", floor: rate(floors, count),
                "Consumer.poll, sums checked, key and value looked at, in the page cache; "
                    + "partitions: \(partitions)")
        }
    }

    // MARK: Waking

    static func wake(_ report: Report) throws {
        let count = 1000
        let (values, floors) = try alternate(3) {
            try wakeTimes(count)
        } floor: {
            var times = [Int64](repeating: 0, count: count)
            try check(floor_wake(count, &times))
            return times.map { Double($0) / 1000 }
        }
        for (name, rank) in [("wake", 0.5), ("wake.p99", 0.99)] {
            try report.add(
                name, median(values.map { quantile($0, rank) }), "µs",
                floor: median(floors.map { quantile($0, rank) }), better: .less,
                (rank == 0.5 ? "p50" : "p99")
                    + " from before the append to the record in a waiting thread")
        }
    }

    private static func quantile(_ numbers: [Double], _ rank: Double) -> Double {
        let sorted = numbers.sorted()
        return sorted[min(sorted.count - 1, Int(Double(sorted.count) * rank))]
    }

    /// Microseconds from before the append to when the consumer has the record.
    private static func wakeTimes(_ count: Int) throws -> [Double] {
        try Workspace.withLog(partitions: 1) { log, topic, _ in
            let received = Mutex<[Double]>([])
            try inThreads([
                {
                    let consumer = try Consumer(log, topic: topic, from: .earliest)
                    var times: [Double] = []
                    while times.count < count {
                        try consumer.poll(timeout: .seconds(10)) { _, record in
                            times.append(Double(nanoseconds() - record.timestamp.milliseconds))
                        }
                    }
                    received.withLock { $0 = times.map { $0 / 1000 } }
                },
                {
                    let producer = Producer(log, acks: .written)
                    for _ in 0..<count {
                        // Long enough for the consumer to sleep again.
                        usleep(200)
                        // The timestamp carries when it was sent.
                        try producer.send(
                            [1], key: nil, to: topic,
                            timestamp: Timestamp(milliseconds: nanoseconds()))
                        try producer.flush()
                    }
                },
            ])
            return received.withLock { $0 }
        }
    }

    private static func nanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    // MARK: Helpers

    private static func rate(_ costs: [Cost], _ count: Int) -> Double {
        median(costs.map { Double(count) / $0.seconds / 1e6 })
    }

    private static func consume(_ log: CommitLog, _ topic: Topic, _ count: Int) throws -> Cost {
        var sum: UInt64 = 0
        var read = 0
        let cost = try Cost.of {
            let consumer = try Consumer(log, topic: topic, from: .earliest)
            while read < count {
                let polled = try consumer.poll(maxRecords: 100_000) { _, record in
                    sum &+= record.withKey { UInt64($0?.count ?? 0) }
                    sum &+= record.withValue { UInt64($0?.count ?? 0) &+ UInt64($0?.first ?? 0) }
                }
                guard polled > 0 else { break }
                read += polled
            }
        }
        try require(read == count && sum == expectedSum(count), "read \(read) records, sum \(sum)")
        return cost
    }

    private static func floorScan(_ directories: [String], _ count: Int) throws -> Cost {
        let paths = try directories.flatMap { directory in
            try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
                .filter { $0.hasSuffix(".log") }.map { strdup(directory + "/" + $0) }
        }
        defer { for path in paths { free(path) } }
        var result = floor_scan_result()
        let pointers = paths.map { UnsafePointer<CChar>($0) }
        let cost = try Cost.of {
            try pointers.withUnsafeBufferPointer {
                try check(floor_scan($0.baseAddress, $0.count, &result))
            }
        }
        try require(
            result.records == count && result.sum == expectedSum(count),
            "the floor read \(result.records) records, sum \(result.sum)")
        return cost
    }

    private static func expectedSum(_ count: Int) -> UInt64 {
        UInt64(count * (8 + Workload.valueBytes + Int(UInt8(ascii: "v"))))
    }
}
