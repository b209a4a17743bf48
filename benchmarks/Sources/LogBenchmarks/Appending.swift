// append.written, append.flushed, append.group-commit, concurrency.*

import BenchmarkSupport
import CFloors
import Foundation
import StreamJobsLog

enum Appending {
    static func written(_ report: Report) throws {
        let count = 2_000_000
        let (values, floors) = try alternate(7) {
            try logCost(count, acks: .written, flushBytes: nil)
        } floor: {
            try floorCost(count, flushBytes: 0)
        }
        try add("append.written", count, values, floors, "8+100 B, 256 KiB batches", report)
    }

    static func flushed(_ report: Report) throws {
        let count = 1_200_000
        let (values, floors) = try alternate(5) {
            try logCost(count, acks: .flushed, flushBytes: 1 << 20)
        } floor: {
            try floorCost(count, flushBytes: 1 << 20)
        }
        try add(
            "append.flushed", count, values, floors, "fdatasync per 1 MiB, 256 KiB batches", report)
    }

    private static func logCost(_ count: Int, acks: Acks, flushBytes: Int?) throws -> Cost {
        try Workspace.withLog(partitions: 1) { log, topic, _ in
            let producer = Producer(log, acks: acks)
            return try Cost.of {
                try Workload.send(count, with: producer, to: topic, flushBytes: flushBytes)
            }
        }
    }

    private static func floorCost(_ count: Int, flushBytes: Int) throws -> Cost {
        try Workspace.withDirectory { path in
            try Workload.floorJob(count, path: path + "/0.log", flushBytes: flushBytes) { job in
                try Cost.of { try withUnsafePointer(to: job) { try check(floor_append($0)) } }
            }
        }
    }

    private static func add(
        _ name: String, _ count: Int, _ values: [Cost], _ floors: [Cost], _ config: String,
        _ report: Report
    ) throws {
        func rate(_ costs: [Cost]) -> Double {
            median(costs.map { Double(count) / $0.seconds / 1e6 })
        }
        func processor(_ costs: [Cost]) -> Double {
            median(costs.map { $0.processorSeconds / Double(count) * 1e9 })
        }
        try report.add(name, rate(values), "M records/s", floor: rate(floors), config)
        try report.add(
            name + ".cpu", processor(values), "ns/record", floor: processor(floors), better: .less,
            "processor time, user and kernel")
    }

    /// Many producers, each of which waits for its own record to be on the disk.
    static func groupCommit(_ report: Report) throws {
        let perProducer = 200
        let many = 64
        let (values, floors) = try alternate(3) {
            try flushRate(producers: many, each: perProducer)
        } floor: {
            try flushRate(producers: 1, each: perProducer * 4)
        }
        try report.add(
            "append.group-commit", median(values), "flushes/s", floor: median(floors),
            "\(many) producers on 1 partition, each waits for its record; floor: 1 producer")
    }

    private static func flushRate(producers: Int, each: Int) throws -> Double {
        try Workspace.withLog(partitions: 1) { log, topic, _ in
            let cost = try Cost.of {
                try inThreads(
                    (0..<producers).map { _ in
                        {
                            let producer = Producer(log, acks: .flushed)
                            let value = [UInt8](repeating: 1, count: Workload.valueBytes)
                            for _ in 0..<each {
                                try producer.send(value, key: nil, to: topic)
                                try producer.flush()
                            }
                        }
                    })
            }
            return Double(producers * each) / cost.seconds
        }
    }

    // MARK: Threads

    static func partitions(_ report: Report) throws {
        let count = 1_500_000
        var single: [Double] = []
        let (values, floors) = try alternate(5) {
            single.append(try rate(threads: 1, partitions: 2, count))
            return try rate(threads: 2, partitions: 2, count)
        } floor: {
            try Workspace.withDirectory { path in
                try Workload.floorJob(count, path: path + "/0.log") { first in
                    try Workload.floorJob(count, path: path + "/1.log") { second in
                        let cost = try Cost.of {
                            try check(floor_append_threads([first, second], 2))
                        }
                        return Double(2 * count) / cost.seconds / 1e6
                    }
                }
            }
        }
        try report.add(
            "concurrency.partitions", median(values), "M records/s", floor: median(floors),
            "2 threads append to 2 partitions")
        try report.add(
            "concurrency.partitions.gain", median(values), "M records/s",
            floor: median(Array(single.dropFirst())), "the same; floor: 1 thread")
    }

    static func contended(_ report: Report) throws {
        let count = 1_500_000
        let (values, floors) = try alternate(5) {
            try rate(threads: 2, partitions: 1, count)
        } floor: {
            try rate(threads: 1, partitions: 1, count)
        }
        try report.add(
            "concurrency.contended", median(values), "M records/s", floor: median(floors),
            "2 producers on 1 partition; floor: 1 producer")
    }

    /// Each thread's producer sends to a topic of its own partition, `count` records.
    private static func rate(threads: Int, partitions: Int, _ count: Int) throws -> Double {
        try Workspace.withDirectory { path in
            let log = try CommitLog.open(path, as: .owner)
            let topics = try (0..<partitions).map { try log.createTopic("t\($0)", partitions: 1) }
            let cost = try Cost.of {
                try inThreads(
                    (0..<threads).map { thread in
                        {
                            try Workload.send(
                                count, with: Producer(log, acks: .written),
                                to: topics[thread % partitions])
                        }
                    })
            }
            return Double(threads * count) / cost.seconds / 1e6
        }
    }
}
