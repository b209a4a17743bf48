// A workload is stopped at each of its operations, by a kill and by a power loss; what is left is opened,
// and compared with what was acknowledged. So is what a crash leaves of that opening itself.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

/// One after the other: they would take all threads from tests that wait for each other.
@Suite(.serialized) enum FaultTests {}

extension FaultTests {
    @Suite struct CrashTests {
        private let workload: CrashWorkload

        init() throws {
            workload = try CrashWorkload()
            try workload.run(CrashStep.everything)
        }

        @Test func `after a kill at each operation everything that was written is there`() throws {
            let operations = workload.recorder.operations
            var disk = Disk()
            for number in 0...operations.count {
                let check = CrashCheck(workload, at: number, isPowerLoss: false)
                try check.run(disk, "kill before operation \(number)", isRebuilt: number % 8 == 0)
                if number < operations.count, case .write(_, _, let bytes) = operations[number] {
                    let byteCount = [1, bytes.count / 2, bytes.count - 1][number % 3]
                    if byteCount > 0, byteCount < bytes.count {
                        var torn = disk
                        torn.applyTorn(operations[number], byteCount: byteCount)
                        try check.run(torn, "operation \(number) torn at \(byteCount)")
                    }
                }
                if number < operations.count { disk.apply(operations[number]) }
            }
            print("crashes: kills at \(operations.count) operations")
        }

        @Test(arguments: [Disk.PowerLoss.losesAll, .losesData, .losesSome])
        func `after a power loss at each operation everything that was flushed is there`(
            loss: Disk.PowerLoss
        ) throws {
            let operations = workload.recorder.operations
            var random = SeededGenerator(seed: 1)
            var disk = Disk()
            for number in 0...operations.count {
                let check = CrashCheck(workload, at: number, isPowerLoss: true)
                let after = disk.afterPowerLoss(loss, &random)
                try check.run(after, "power loss (\(loss)) before operation \(number)")
                if number < operations.count { disk.apply(operations[number]) }
            }
        }

        @Test func `a crash at each operation of the recovery leaves as much`() throws {
            let operations = workload.recorder.operations
            var random = SeededGenerator(seed: 2)
            var disk = Disk()
            for number in 0...operations.count {
                // Each of them would be too many for every run.
                if isCampaign || number % 40 == 7 {
                    var check = CrashCheck(workload, at: number, isPowerLoss: false)
                    try check.crashRecovery(
                        of: disk, "kill at \(number)", everyOperation: true, &random)
                    check = CrashCheck(workload, at: number, isPowerLoss: true)
                    let after = disk.afterPowerLoss(.losesSome, &random)
                    try check.crashRecovery(
                        of: after, "power loss at \(number)", everyOperation: true, &random)
                }
                if number < operations.count { disk.apply(operations[number]) }
            }
        }
    }
}

extension FaultTests {
    @Suite struct RandomCrashTests {
        @Test(arguments: seeds(6))
        func `crashes of random workloads, up to five in a row, lose and double nothing`(
            seed: UInt64
        )
            throws
        {
            var random = SeededGenerator(seed: seed)
            let workload = try CrashWorkload()
            try workload.run(CrashStep.random(120, &random))
            let operations = workload.recorder.operations
            var points = (0..<15).map { _ in Int.random(in: 0...operations.count, using: &random) }
            points.sort()
            var disk = Disk()
            var done = 0
            for number in points {
                for operation in operations[done..<number] { disk.apply(operation) }
                done = number
                let isPowerLoss = Bool.random(using: &random)
                let check = CrashCheck(workload, at: number, isPowerLoss: isPowerLoss)
                let after = isPowerLoss ? disk.afterPowerLoss(.losesSome, &random) : disk
                let what = "seed \(seed), \(isPowerLoss ? "power loss" : "kill") at \(number)"
                try check.run(after, what, isRebuilt: true)
                try check.crashRecovery(of: after, what, everyOperation: false, &random)
            }
        }
    }
}
