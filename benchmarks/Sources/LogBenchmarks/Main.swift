// scripts/bench builds and runs this: all benchmarks of the log, or those whose names begin with an
// argument.

import Foundation

@main
struct LogBenchmarks {
    static func main() {
        let wanted = CommandLine.arguments.dropFirst()
        let benchmarks: [(name: String, run: (Report) throws -> Void)] = [
            ("append.written", Appending.written), ("append.flushed", Appending.flushed),
            ("append.group-commit", Appending.groupCommit), ("scan", Reading.scan),
            ("wake", Reading.wake),
            ("concurrency.partitions", Appending.partitions),
            ("concurrency.contended", Appending.contended),
            ("compaction.cost", Cleaning.compaction), ("retention.cost", Cleaning.retention),
            ("open.partitions", Opening.partitions), ("open.crashed", Opening.crashed),
        ]
        let report = Report()
        var isFailed = false
        for benchmark in benchmarks
        where wanted.isEmpty || wanted.contains(where: { benchmark.name.hasPrefix($0) }) {
            do {
                try benchmark.run(report)
            } catch {
                isFailed = true
                FileHandle.standardError.write(Data("\(benchmark.name): \(error)\n".utf8))
            }
        }
        if isFailed { exit(1) }
    }
}
