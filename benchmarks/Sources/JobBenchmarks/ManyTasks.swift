// commit.64-tasks: 64 tasks of one thread that commit together, each a key of its store and its position.

import BenchmarkSupport
import Foundation
import StreamJobs

/// Counts, and commits after each record.
private struct EagerCounter: SingleInputTask {
    static let input = Input("t", key: .int64, value: .ignored)

    let counts: KeyValueStore<Int64, Int64>

    init(_ setup: borrowing TaskSetup) throws {
        counts = try setup.store("counts", value: .int64)
    }

    mutating func process(_ record: borrowing Record<Int64, Void>, _ context: inout TaskContext)
        throws
    {
        try counts.put(record.key, (try counts.get(record.key) ?? 0) + 1)
        context.commit()
    }
}

enum ManyTasks {
    private static let tasks = 64
    private static let commits = 100

    static func commit(_ report: Report) throws {
        try Workspace.withLog(partitions: tasks) { log, topic, _ in
            var seconds: [Double] = []
            for _ in 0..<4 {
                try produce(to: log, topic)
                let cost = try Cost.of {
                    let run = try JobRun(
                        Job("eager", EagerCounter.self), on: log,
                        settings: RunSettings(
                            threads: 1, untilEnd: true, commitInterval: .seconds(1000)))
                    let summary = try run.run()
                    try require(summary.recordsProcessed == tasks * commits, "\(summary)")
                }
                seconds.append(cost.seconds / Double(commits))
            }
            try report.add(
                "commit.64-tasks", median(Array(seconds.dropFirst())) * 1000, "ms",
                floor: nil, better: .less,
                "\(tasks) tasks of one thread, a record each between two commits; power-loss durable"
            )
        }
    }

    /// As many records in every partition, flushed.
    private static func produce(to log: CommitLog, _ topic: Topic) throws {
        let producer = Producer(log, acks: .flushed)
        for partition in 0..<tasks {
            for number in 0..<commits {
                let key = withUnsafeBytes(of: Int64(number).bigEndian) { Array($0) }
                try producer.send(
                    [], key: key, to: topic, partition: PartitionID(partition),
                    timestamp: Workload.timestamp)
            }
        }
        try producer.flush()
    }
}
