// scripts/bench builds and runs this: the benchmarks of whole jobs, from the log's files through a user's
// task to a durable commit.

import BenchmarkSupport
import Foundation

@main
struct JobBenchmarks {
    static func main() {
        if CommandLine.arguments.dropFirst().first == RecoveryProbe.argument {
            return RecoveryProbe.main(Array(CommandLine.arguments.dropFirst(2)))
        }
        let isDone = runBenchmarks([
            ("path", KeyedCount.path), ("allocations", KeyedCount.allocations),
            ("keyed-count.1M", KeyedCount.million),
            ("keyed-count.10M", KeyedCount.tenMillion),
            ("commit.64-tasks", ManyTasks.commit),
            ("recovery", Recovery.all),
        ])
        if !isDone { exit(1) }
    }
}
