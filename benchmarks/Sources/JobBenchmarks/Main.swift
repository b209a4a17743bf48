// scripts/bench builds and runs this: the benchmarks of whole jobs, from the log's files through a user's
// task to a durable commit.

import BenchmarkSupport
import Foundation

@main
struct JobBenchmarks {
    static func main() {
        let isDone = runBenchmarks([
            ("keyed-count.1M", { try KeyedCount.run("keyed-count.1M", keys: 1_000_000, $0) }),
            ("keyed-count.10M", { try KeyedCount.run("keyed-count.10M", keys: 10_000_000, $0) }),
        ])
        if !isDone { exit(1) }
    }
}
