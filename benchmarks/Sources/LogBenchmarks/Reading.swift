// scan.verified, scan.consumer, wake

import CFloors
import Foundation
import StreamJobsLog
import Synchronization

enum Reading {
    static func scan(_ report: Report) throws {
        let count = 3_000_000
        try Workspace.withLog(partitions: 1) { log, topic, path in
            try Workload.send(count, with: Producer(log, acks: .written), to: topic)
            let (values, floors) = try alternate(7) {
                try consume(log, topic, count)
            } floor: {
                try floorScan(path + "/t-0", count)
            }
            try report.add(
                "scan.consumer", rate(values, count), "M records/s", floor: rate(floors, count),
                "Consumer.poll, key and value looked at, in the page cache")
        }
    }

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

    private static func floorScan(_ directory: String, _ count: Int) throws -> Cost {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        let paths = names.filter { $0.hasSuffix(".log") }.map { strdup(directory + "/" + $0) }
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

struct WrongResult: Error, CustomStringConvertible {
    let description: String
}

func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    guard condition else { throw WrongResult(description: message()) }
}
