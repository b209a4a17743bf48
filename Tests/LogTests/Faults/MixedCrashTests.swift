// Crashes of a log that does everything at once. A few points of a few seeds each time; with
// STREAMJOBS_CAMPAIGN set to a number of seeds, crashes at every operation of each.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

extension FaultTests {
    @Suite struct MixedCrashTests {
        /// Seeds to be run in full; nil for the few points.
        private static let campaign = ProcessInfo.processInfo.environment["STREAMJOBS_CAMPAIGN"]
            .flatMap { UInt64($0) }

        @Test(arguments: seeds(campaign ?? 12))
        func `a crash of all parts at once leaves what was acknowledged`(seed: UInt64) throws {
            var random = SeededGenerator(seed: seed)
            let workload = try MixedWorkload(seed: seed, steps: 120)
            let operations = workload.recorder.operations
            let isFull = Self.campaign != nil
            let points =
                isFull
                ? Array(0...operations.count)
                : (0..<12).map { _ in Int.random(in: 0...operations.count, using: &random) }
                    .sorted()
            var disk = Disk()
            var done = 0
            for number in points {
                for operation in operations[done..<number] { disk.apply(operation) }
                done = number
                for isPowerLoss in isFull ? [false, true] : [random.chance(50)] {
                    try crash(workload, disk, at: number, isPowerLoss, "seed \(seed)", &random)
                }
            }
            print("seed \(seed): \(points.count) crashes of \(operations.count) operations")
        }

        private func crash(
            _ workload: MixedWorkload, _ disk: Disk, at number: Int, _ isPowerLoss: Bool,
            _ what: String, _ random: inout SeededGenerator
        ) throws {
            let operations = workload.recorder.operations
            var crashed = disk
            var what = what
            if number < operations.count, case .write(_, _, let bytes) = operations[number],
                random.chance(50)
            {
                let byteCount = Int.random(in: 0...bytes.count, using: &random)
                crashed.applyTorn(operations[number], byteCount: byteCount)
                what += ", torn at \(byteCount)"
            }
            if isPowerLoss {
                let losses: [Disk.PowerLoss] = [.losesAll, .losesData, .losesSome, .losesSome]
                let loss = losses[Int.random(in: 0..<4, using: &random)]
                crashed = crashed.afterPowerLoss(loss, &random)
                what += ", \(loss)"
            }
            let point = CrashPoint(number: number, isPowerLoss: isPowerLoss)
            var check = MixedCheck(workload, point, "\(what), \(point)")
            try check.run(crashed)
        }
    }
}
