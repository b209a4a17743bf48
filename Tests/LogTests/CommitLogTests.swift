// A data directory has one owner; what it has closed is closed.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

struct CommitLogTests {
    private let log: TestLog

    init() throws { log = try TestLog() }

    @Test func `a second owner in the same process is refused with the pid`() throws {
        try log.withOwner { _, _ in
            let error = log.refusal()
            #expect(error?.code == .directoryInUse)
            #expect(
                error?.message.contains("process \(ProcessInfo.processInfo.processIdentifier)")
                    == true)
        }
        try log.withOwner { _, _ in }
    }

    @Test func `a second owner in another process is refused with the pid`() async throws {
        let owner = try openOwner(log.directory.path)
        let path = log.directory.path
        let holder = ProcessInfo.processInfo.processIdentifier
        await #expect(processExitsWith: .success) {
            [path = path as String, holder = holder as Int32] in
            let error = #expect(throws: LogError.self) { try openOwner(path) }
            #expect(error?.code == .directoryInUse)
            #expect(error?.message.contains("process \(holder);") == true)
        }
        try owner.close()
    }

    @Test func `an owner that was killed leaves no lock, and all that it has written`() async throws
    {
        let path = log.directory.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let owner = try openOwner(path)
            try owner.partition(TestLog.name).append("a", "b")
            kill(getpid(), SIGKILL)
        }
        try log.withPartition { partition throws in
            #expect(try partition.values() == ["a", "b"])
            #expect(partition.leaderEpoch(at: partition.logEndOffset) == 1)
        }
    }

    @Test func `a closed log takes no more writes, and its directory is free`() throws {
        let owner = try openOwner(log.directory.path)
        let partition = try owner.partition(TestLog.name)
        try partition.append("a")
        try owner.close()
        try owner.close()
        #expect(partition.flushedOffset == Offset(1))
        #expect(throws: LogError.self) { try partition.append("late") }
        #expect(throws: LogError.self) { try owner.createTopic("late", partitions: 1) }
        #expect(throws: LogError.self) { try owner.takeProducerIDs(1) }
        try log.withPartition { second throws in
            #expect(try second.values() == ["a"])
            #expect(second.leaderEpoch(at: Offset(1)) == 0, "the stop was clean")
        }
        withExtendedLifetime(owner) {}
    }

    @Test func `a refused open leaves the note of a clean stop`() throws {
        let path = try log.segments[0]
        try writeFile(path, [1])
        #expect(log.refusal()?.code == .corrupted)
        #expect(
            log.refusal()?.code == .corrupted, "and is refused again, not taken for a torn tail")
        try writeFile(path, [])
        try log.withPartition { #expect($0.leaderEpoch(at: .zero) == 0) }
    }

    @Test func `directories are made as deep as is asked for`() throws {
        let deep = log.directory.path + "/a/b/c"
        try openOwner(deep).close()
        #expect(FileManager.default.fileExists(atPath: deep + "/clean-shutdown"))
    }

    @Test func `a file in the place of the directory is an error that names it`() throws {
        let error = #expect(throws: LogError.self) {
            try openOwner(log.segments[0])
        }
        #expect(error?.message.contains(".log") == true)
    }

    @Test func `nothing is left open`() throws {
        func descriptors() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter {
                let path = "/proc/self/fd/" + $0
                let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path)
                return target?.hasPrefix(log.directory.path) == true
            }.count
        }
        for isClean in [true, false] {
            try log.withPartition(isClean: isClean) { partition in
                try partition.append("a")
                #expect(try descriptors() == 3, "lock, segment, recovery points")
            }
            #expect(try descriptors() == 0)
        }
    }
}
