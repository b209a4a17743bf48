// What is done with a disk after a crash of the mixed workload: it is opened, compared, crashed again, and
// worked on.

import StreamJobsLog
import TestSupport
import Testing

struct MixedCheck {
    private let workload: MixedWorkload
    private let crash: CrashPoint
    private let what: String
    private var random: SeededGenerator

    init(_ workload: MixedWorkload, _ crash: CrashPoint, _ what: String) {
        self.workload = workload
        self.crash = crash
        self.what = what
        random = SeededGenerator(seed: UInt64(crash.number))
    }

    /// Opens what is on `disk`, compares it, loses power behind the opening, and works on what that leaves.
    mutating func run(_ disk: Disk) throws {
        let directory = try MemoryDirectory(disk)
        let recorder = DiskRecorder(directory.path, disk)
        var seen: Set<String> = []
        do {
            let log = try MixedWorkload.open(directory.path, recorder)
            seen = try MixedView(log, groups: MixedWorkload.groups).committed
            CrashCheck.checkLeftovers(directory.path, what)
        } catch { Issue.record("\(what): \(error)") }
        // Anywhere in the opening, and behind it.
        let operations = recorder.operations
        let number = Int.random(in: 0...operations.count, using: &random)
        var crashed = disk
        for operation in operations[..<number] { crashed.apply(operation) }
        try workOn(crashed, crash, "\(what), then a kill at \(number) of \(operations.count)", seen)
        guard crash.isPowerLoss else { return }
        // What readers saw of a log that has opened is there for good.
        let isOpen = number == operations.count
        crashed = crashed.afterPowerLoss(.losesSome, &random)
        try workOn(
            crashed, crash, "\(what), then a power loss at \(number)", isOpen ? seen : [])
    }

    /// Opens, takes over all transactional ids, compares; then opens again, and goes on.
    private func workOn(_ disk: Disk, _ crash: CrashPoint, _ what: String, _ seen: Set<String>)
        throws
    {
        let directory = try MemoryDirectory(disk)
        let oracle = MixedOracle(history: workload.history, crash: crash)
        do {
            let first = try view(directory.path, oracle, what)
            let lost = seen.subtracting(first.committed)
            if !lost.isEmpty { Issue.record("\(what): seen before, and gone: \(lost.sorted())") }
            let second = try view(directory.path, oracle, "\(what), again")
            if first.committed != second.committed || first.positions != second.positions {
                Issue.record("\(what): opened again it is not the same")
            }
            guard crash.number % 2 == 0 else { return }
            try goOn(directory.path, second, oracle)
        } catch { Issue.record("\(what): \(error)") }
    }

    private func view(_ path: String, _ oracle: MixedOracle, _ what: String) throws -> MixedView {
        let log = try MixedWorkload.open(path)
        let coordinator = try log.transactionCoordinator()
        for id in MixedWorkload.transactionalIDs {
            _ = try coordinator.initProducer(id, timeout: Limits.transactionTimeout)
        }
        let view = try MixedView(log, groups: MixedWorkload.groups)
        for fault in oracle.faults(of: log, view) { Issue.record("\(what): \(fault)") }
        return view
    }

    /// Publishes, cleans, removes, stops in order, and looks at every byte.
    private func goOn(_ path: String, _ before: MixedView, _ oracle: MixedOracle) throws {
        let log = try MixedWorkload.open(path)
        if !log.topics.contains(where: { $0.name == "again" }) {
            try log.createTopic("again", partitions: 1)
            let names = try MixedView(log, groups: MixedWorkload.groups).positions.keys
            for name in names where name.partition.topic == "again" {
                Issue.record("\(what): \(name.group) has read a topic that was made just now")
            }
        }
        let names = log.topics.filter { !$0.isInternal }.flatMap(\.partitions)
        let producer = try TransactionalProducer(log, transactionalID: "x")
        let keys = Array("after".utf8)
        try producer.transaction { unit in
            for topic in Set(names.map(\.topic)) {
                try unit.send(Array("1".utf8), key: keys, to: topic)
            }
        }
        for name in names { try log.partition(name).put("after", "2", at: 500) }
        for day in 1...2 {
            log.maintain(now: Timestamp(milliseconds: MixedWorkload.day * Int64(1000 + day)))
        }
        let view = try MixedView(log, groups: MixedWorkload.groups)
        for name in names {
            let last = view.partitions[name]?.committed.last?.value
            if last != Array("2".utf8) { Issue.record("\(what): \(name) does not go on") }
        }
        try log.close()
        var verifier = LogVerifier(path)
        let summary = try verifier.verify { Issue.record("\(what): \($0)") }
        #expect(summary.recordCount > 0, "\(what)")
    }
}
