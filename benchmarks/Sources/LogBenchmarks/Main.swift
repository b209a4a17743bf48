// scripts/bench builds and runs this: all benchmarks of the log, or those whose names begin with an
// argument.

import BenchmarkSupport
import Foundation

@main
struct LogBenchmarks {
    static func main() {
        let isDone = runBenchmarks([
            ("append.written", Appending.written), ("append.flushed", Appending.flushed),
            ("append.group-commit", Appending.groupCommit), ("scan", Reading.scan),
            ("wake", Reading.wake),
            ("concurrency.partitions", Appending.partitions),
            ("concurrency.contended", Appending.contended),
            ("compaction.cost", Cleaning.compaction), ("retention.cost", Cleaning.retention),
            ("open.partitions", Opening.partitions), ("open.crashed", Opening.crashed),
        ])
        if !isDone { exit(1) }
    }
}
