// Runs a value and its floor in turn, several rounds in one process, and reports the medians: what the
// machine does to one of them it does to the other. More is always better in a ratio.

import Foundation

/// One line of the report.
struct Line: Codable {
    let name: String
    let value: Double
    let unit: String
    /// Nil where there is nothing to compare with.
    let floor: Double?
    /// Value ÷ floor; for times and costs floor ÷ value.
    let ratio: Double?
    let config: String
}

package enum Better { case more, less }

/// What one run has cost.
package struct Cost {
    /// Seconds by the clock.
    package var seconds = 0.0
    /// Seconds of processor time, of all threads and of the kernel for them.
    package var processorSeconds = 0.0

    package static func of(_ body: () throws -> Void) rethrows -> Cost {
        let start = ContinuousClock.now
        let startProcessor = processorTime()
        try body()
        let elapsed = ContinuousClock.now - start
        return Cost(
            seconds: elapsed / .seconds(1), processorSeconds: processorTime() - startProcessor)
    }

    private static func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

package func median(_ numbers: [Double]) -> Double {
    let sorted = numbers.sorted()
    guard !sorted.isEmpty else { return 0 }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// The medians of both, run in turn after one round that does not count.
package func alternate<T>(_ rounds: Int, value: () throws -> T, floor: () throws -> T) throws -> (
    values: [T], floors: [T]
) {
    var values: [T] = []
    var floors: [T] = []
    for round in 0...rounds {
        // The floor goes first in every second round.
        if round % 2 == 1 {
            let measuredFloor = try floor()
            let measured = try value()
            values.append(measured)
            floors.append(measuredFloor)
        } else {
            let measured = try value()
            let measuredFloor = try floor()
            if round > 0 {
                values.append(measured)
                floors.append(measuredFloor)
            }
        }
    }
    return (values, floors)
}

/// Collects the lines and prints them: a table, or JSON objects where JSON=1 is set.
package final class Report {
    private let isJSON = ProcessInfo.processInfo.environment["JSON"] == "1"
    private let encoder = JSONEncoder()

    private var isEmpty = true

    package init() { encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes] }

    package func add(
        _ name: String, _ value: Double, _ unit: String, floor: Double? = nil,
        better: Better = .more, _ config: String
    ) throws {
        let ratio = floor.map { better == .more ? value / $0 : $0 / value }
        let line = Line(
            name: name, value: rounded(value), unit: unit, floor: floor.map(rounded),
            ratio: ratio.map(rounded), config: config)
        if isJSON {
            print(String(decoding: try encoder.encode(line), as: UTF8.self))
        } else {
            // With the first line, since a suite is run by several programs: some may have none.
            if isEmpty { print(row("name", "value", "unit", "floor", "ratio", "config")) }
            isEmpty = false
            print(
                row(
                    name, text(line.value), unit, line.floor.map(text) ?? "-",
                    ratio.map { String(format: "%.2f", $0) } ?? "-", config))
        }
        fflush(nil)
    }

    private func row(
        _ name: String, _ value: String, _ unit: String, _ floor: String, _ ratio: String,
        _ config: String
    ) -> String {
        pad(name, 28) + pad(value, 10, right: true) + " " + pad(unit, 12)
            + pad(floor, 10, right: true) + pad(ratio, 8, right: true) + "  " + config
    }

    private func pad(_ text: String, _ width: Int, right: Bool = false) -> String {
        let spaces = String(repeating: " ", count: max(0, width - text.count))
        return right ? spaces + text : text + spaces
    }

    private func text(_ number: Double) -> String {
        number >= 1000 ? String(format: "%.0f", number) : String(format: "%.4g", number)
    }

    /// To five digits: the rest is noise.
    private func rounded(_ number: Double) -> Double {
        Double(String(format: "%.5g", number)) ?? number
    }
}

/// Runs the benchmarks whose names begin with an argument of the program, or all where there is none;
/// false if one has failed. Each says on the standard error why.
package func runBenchmarks(_ benchmarks: [(name: String, run: (Report) throws -> Void)]) -> Bool {
    let wanted = CommandLine.arguments.dropFirst()
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
    return !isFailed
}

package struct WrongResult: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}

package func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    guard condition else { throw WrongResult(description: message()) }
}

/// Runs each body in a thread of its own, all at once; throws the first error.
package func inThreads(_ bodies: [@Sendable () throws -> Void]) throws {
    let group = DispatchGroup()
    let results = Results(count: bodies.count)
    for (index, body) in bodies.enumerated() {
        group.enter()
        let thread = Thread {
            results.set(index, Result { try body() })
            group.leave()
        }
        thread.stackSize = 1 << 20
        thread.start()
    }
    group.wait()
    for result in results.all { try result.get() }
}

/// One slot per thread.
private final class Results: @unchecked Sendable {
    // Guarded by `lock`.
    private var results: [Result<Void, any Error>]
    private let lock = NSLock()

    init(count: Int) { results = Array(repeating: .success(()), count: count) }

    var all: [Result<Void, any Error>] { lock.withLock { results } }

    func set(_ index: Int, _ result: Result<Void, any Error>) {
        lock.withLock { results[index] = result }
    }
}
