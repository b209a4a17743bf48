// What is checked of a disk after a crash.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

struct CrashCheck {
    private let oracle: CrashOracle
    /// Whether work goes on afterwards: not tried each time.
    private let goesOn: Bool

    init(_ oracle: CrashOracle) {
        self.oracle = oracle
        goesOn = true
    }

    init(_ workload: CrashWorkload, at number: Int, isPowerLoss: Bool) {
        oracle = workload.oracle(at: number, isPowerLoss: isPowerLoss)
        goesOn = number % 4 == 0
    }

    /// Opens what is on `disk`: what was acknowledged is there, nothing is left over, opening again gives
    /// the same, and appending goes on.
    /// - Parameter isRebuilt: Also compares the derived files with those of a log that has none.
    func run(_ disk: Disk, _ what: String, isRebuilt: Bool = false) throws {
        let directory = try MemoryDirectory(disk)
        guard let found = open(directory.path, oracle, what) else { return }
        Self.checkLeftovers(directory.path, what)
        // A second kill, before anything is done.
        let again = CrashOracle(before: found, after: found, isPowerLoss: false)
        guard open(directory.path, again, "\(what), again") != nil else { return }
        guard goesOn || isRebuilt else { return }
        do {
            let after = try goOn(directory.path, found)
            let end = CrashOracle(before: after, after: after, isPowerLoss: false)
            guard open(directory.path, end, "\(what), after more", isClean: true) != nil else {
                return
            }
            if isRebuilt { try checkRebuilt(directory.path, what) }
        } catch { Issue.record("\(what): work does not go on: \(error)") }
    }

    /// Opens and compares; gives what is there.
    private func open(
        _ path: String, _ oracle: CrashOracle, _ what: String,
        _ observer: (any FileSystemObserver)? = nil, isClean: Bool = false
    ) -> LogModel? {
        do {
            let log = try CrashWorkload.open(path, observer)
            let (faults, found) = try oracle.check(log)
            for fault in faults { Issue.record("\(what): \(fault)") }
            if isClean { try log.close() }
            return faults.isEmpty ? found : nil
        } catch {
            Issue.record("\(what): \(error)")
            return nil
        }
    }

    static func checkLeftovers(_ path: String, _ what: String) {
        let paths = FileManager.default.subpaths(atPath: path) ?? []
        let present = Set(paths)
        for path in paths {
            let suffix = path.lastIndex(of: ".").map { path[$0...] } ?? ""
            if [".tmp", ".cleaned", ".deleted", ".swap"].contains(suffix) {
                Issue.record("\(what): \(path) is left over")
            }
            if [".index", ".timeindex", ".txnindex"].contains(suffix),
                !present.contains(path.dropLast(suffix.count) + ".log")
            {
                Issue.record("\(what): \(path) is left of a segment that is gone")
            }
        }
    }

    /// Appends to each partition, flushes and is killed.
    private func goOn(_ path: String, _ found: LogModel) throws -> LogModel {
        let log = try CrashWorkload.open(path)
        var after = found
        for (topic, partitions) in found.topics {
            for number in partitions.indices {
                let name = TopicPartition(topic, PartitionID(number))
                let partition = try log.partition(name)
                for value in ["more", "and more"] {
                    let offset = try partition.append(value)
                    #expect(offset.rawValue == after[name].contents.count)
                    after[name].append([.record(value, transaction: nil)])
                }
                try partition.flush()
                after[name].flushed = after[name].contents.count
            }
        }
        return after
    }

    /// The files beside the segments are those of a log that was opened with nothing but the segments.
    private func checkRebuilt(_ path: String, _ what: String) throws {
        let copy = try MemoryDirectory()
        try FileManager.default.removeItem(atPath: copy.path)
        try FileManager.default.copyItem(atPath: path, toPath: copy.path)
        let derived = [".index", ".timeindex", ".txnindex", ".snapshot", "segments"]
        func isDerived(_ path: String) -> Bool { derived.contains { path.hasSuffix($0) } }
        for file in FileManager.default.subpaths(atPath: path) ?? [] where isDerived(file) {
            try FileManager.default.removeItem(atPath: copy.path + "/" + file)
        }
        try CrashWorkload.open(copy.path).close()
        let files = FileManager.default.subpaths(atPath: path)?.filter(isDerived) ?? []
        let rebuilt = FileManager.default.subpaths(atPath: copy.path)?.filter(isDerived) ?? []
        #expect(
            files.filter { !hasForgotten($0) }.sorted()
                == rebuilt.filter { !hasForgotten($0) }.sorted(), "\(what)")
        for file in files where !hasForgotten(file) {
            let (old, new) = (
                try readFile(path + "/" + file), try? readFile(copy.path + "/" + file)
            )
            #expect(old == new, "\(what): \(file) is not what a fresh build gives")
        }

        /// Where the beginning of a partition was deleted, what was known of its producers cannot be made
        /// again.
        func hasForgotten(_ file: String) -> Bool {
            guard !file.hasSuffix(".index"), !file.hasSuffix(".timeindex"),
                let folder = file.split(separator: "/").first
            else { return false }
            let first = path + "/\(folder)/00000000000000000000.log"
            return !FileManager.default.fileExists(atPath: first)
        }
    }

    // MARK: Crashes of the recovery

    /// Kills the opening of `disk`, or takes its power, and looks at what that leaves.
    /// - Parameter everyOperation: At each operation once; otherwise five times in a row, anywhere.
    func crashRecovery(
        of disk: Disk, _ what: String, everyOperation: Bool, _ random: inout SeededGenerator
    ) throws {
        guard let recovery = try operations(ofOpening: disk, what) else { return }
        guard everyOperation else { return try crashInARow(disk, recovery, what, &random) }
        var crashed = disk
        for number in 0...recovery.count {
            let what = "\(what), then at \(number) of the recovery"
            try run(crashed, "kill, \(what)")
            if oracle.isPowerLoss {
                try run(crashed.afterPowerLoss(.losesSome, &random), "power loss, \(what)")
            }
            if number < recovery.count { crashed.apply(recovery[number]) }
        }
    }

    private func crashInARow(
        _ disk: Disk, _ recovery: [DiskOperation], _ what: String, _ random: inout SeededGenerator
    ) throws {
        var disk = disk
        var recovery = recovery
        var what = what
        for depth in 1...5 {
            let number = Int.random(in: 0...recovery.count, using: &random)
            for operation in recovery[..<number] { disk.apply(operation) }
            what += ", then at \(number)"
            // Once the power was lost, what was only written is nobody's to expect.
            if oracle.isPowerLoss, Bool.random(using: &random) {
                disk = disk.afterPowerLoss(.losesSome, &random)
            }
            guard depth < 5, let next = try operations(ofOpening: disk, what) else { break }
            recovery = next
        }
        try run(disk, what)
    }

    private func operations(ofOpening disk: Disk, _ what: String) throws -> [DiskOperation]? {
        let directory = try MemoryDirectory(disk)
        let recorder = DiskRecorder(directory.path, disk)
        return open(directory.path, oracle, what, recorder) == nil ? nil : recorder.operations
    }
}
