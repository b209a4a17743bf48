// The faults of the list that have no place of their own elsewhere: leftovers (D9), holes and lost
// directories (D10), newer versions (C5), odd timestamps (I5), and threads that meet.

import Foundation
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct NamedFaultTests {
    private let name = TopicPartition("a", PartitionID(0))

    private func write(_ path: String, _ text: String = "rubbish") throws {
        #expect(FileManager.default.createFile(atPath: path, contents: Data(text.utf8)))
    }

    private func workload(batches: Int) throws -> CrashWorkload {
        let workload = try CrashWorkload()
        try workload.run([.create("a", partitions: 1)])
        try workload.run((0..<batches).map { _ in .append(name, count: 6, .plain) })
        return workload
    }

    // MARK: D9, D10

    @Test(arguments: [true, false])
    func `leftovers of a crash are removed (D9)`(isClean: Bool) throws {
        let workload = try workload(batches: 6)
        if isClean { try workload.openLog().close() }
        workload.abandon()
        let folder = workload.directory.path + "/a-0/"
        let digits = "00000000000000000006"
        let names = [
            "segments.tmp", "leader-epoch-checkpoint.tmp", digits + ".log.deleted",
            digits + ".index.deleted", digits + ".log.cleaned", digits + ".index.cleaned",
            "00000000000000000007.index", "00000000000000000007.timeindex",
            "00000000000000000007.txnindex",
        ]
        for name in names { try write(folder + name) }
        try write(workload.directory.path + "/topics.tmp")
        let log = try workload.openLog()
        #expect(try log.partition(name).entries().count == 36)
        let left = try FileManager.default.subpathsOfDirectory(atPath: workload.directory.path)
        #expect(names.allSatisfy { !left.contains("a-0/" + $0) } && !left.contains("topics.tmp"))
    }

    @Test(arguments: [true, false])
    func `a segment gone from anywhere is missed (D10)`(isClean: Bool) throws {
        let workload = try workload(batches: 8)
        try workload.run(.flush(name))
        if isClean { try workload.openLog().close() }
        workload.abandon()
        let folder = workload.directory.path + "/a-0/"
        let logs = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            .filter { $0.hasSuffix(".log") }
        #expect(logs.count > 4)
        for log in logs.dropFirst(isClean ? 0 : 1) {
            try FileManager.default.moveItem(atPath: folder + log, toPath: folder + "aside")
            let error = #expect(throws: LogError.self, "\(log)") {
                _ = try CrashWorkload.open(workload.directory.path)
            }
            #expect(error?.code == .corrupted && error?.message.contains("a-0") == true)
            try FileManager.default.moveItem(atPath: folder + "aside", toPath: folder + log)
        }
        #expect(try workload.openLog().partition(name).entries().count == 48)
    }

    @Test func `without any note beside them the segments are read as they are (D10)`() throws {
        let workload = try workload(batches: 8)
        try workload.run([.append(name, count: 3, .transaction(1)), .checkpoint(name)])
        workload.abandon()
        let path = workload.directory.path
        for file in try FileManager.default.subpathsOfDirectory(atPath: path)
        where ["-points", "-checkpoint", "segments", "index", ".snapshot"].contains(
            where: { file.hasSuffix($0) })
        {
            try FileManager.default.removeItem(atPath: path + "/" + file)
        }
        let oracle = CrashOracle(
            before: workload.model, after: workload.model, isPowerLoss: false)
        #expect(try oracle.check(try workload.openLog()).faults == [])
    }

    // MARK: C5

    @Test(arguments: [
        "topics", "a-0/segments", "log-start-offset-checkpoint", "a-0/leader-epoch-checkpoint",
        "recovery-points",
    ])
    func `what a newer version has written is refused and not touched (C5)`(file: String) throws {
        let text =
            switch file {
            case "topics": withChecksum("streamjobs-topics 99\nx\n")
            case "a-0/segments": withChecksum("streamjobs-segments 99\nx\n")
            case "recovery-points": "SJRECPTS\u{0}\u{0}\u{0}\u{63}"
            default: "99\n0\n"
            }
        let workload = try workload(batches: 5)
        try workload.run([.checkpoint(name), .append(name, count: 1, .plain)])
        workload.abandon()
        // A tail that would be cut, and something that would be removed.
        let path = workload.directory.path
        try write(path + "/" + file, text)
        try write(path + "/a-0/segments.tmp")
        try write(path + "/x.tmp")
        let before = try contents(path)
        let error = #expect(throws: LogError.self) { _ = try CrashWorkload.open(path) }
        #expect(error?.code == .newerFormat && error?.message.contains(file) == true)
        #expect(try contents(path) == before)
    }

    private func contents(_ path: String) throws -> [String: Data] {
        var contents: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: path) where name != ".lock"
        {
            contents[name] = FileManager.default.contents(atPath: path + "/" + name)
        }
        return contents
    }

    // MARK: I5

    @Test func `retention by time neither deletes nor keeps all for odd timestamps (I5)`() throws {
        let now = Timestamp.now().milliseconds
        let day: Int64 = 86_400_000
        let year9999: Int64 = 253_402_300_799_000
        // Files are written now: a time that says nothing, or is to come, is the file's.
        let cases: [(timestamps: [Int64], isKept: Bool)] = [
            ([-1], true), ([-5000], true), ([.min, -1], true), ([year9999], true),
            ([year9999, now - 30 * day], true), ([.max], true), ([now - 1000], true), ([now], true),
            ([0], false), ([now - 30 * day], false), ([1, -7], false),
        ]
        for (timestamps, isKept) in cases {
            let directory = try MemoryDirectory()
            let log = try CrashWorkload.open(directory.path)
            var settings = TopicSettings()
            try settings.set("retention.ms", to: "\(7 * day)")
            try settings.set("index.interval.bytes", to: "0")
            try log.createTopic("a", partitions: 1, settings: settings)
            let partition = try log.partition(name)
            let filler = String(repeating: "x", count: 150)
            for timestamp in timestamps + timestamps {
                try append(filler, timestamp, to: partition)
            }
            // The last segment always stays; these make the first ones sealed.
            for _ in 0..<3 { try append(filler, now, to: partition) }
            try partition.flush()
            let count = partition.segmentCount
            log.maintain(now: Timestamp(milliseconds: now))
            #expect(partition.segmentCount > 0)
            #expect((partition.segmentCount == count) == isKept, "\(timestamps)")
            let kept = try partition.entries(from: partition.startOffset.rawValue)
            #expect(isKept == (kept.count == 2 * timestamps.count + 3), "\(timestamps)")
            let expected = (timestamps + timestamps + [now, now, now]).suffix(kept.count)
            #expect(kept.map(\.timestamp) == Array(expected), "stored as they are")
            try log.close()
            try checkTimeIndexes(directory.path)
        }
    }

    @Test(arguments: [true, false])
    func `a segment's age counts from its first batch over a restart, too`(isClean: Bool) throws {
        let directory = try MemoryDirectory()
        var settings = TopicSettings()
        try settings.set("segment.ms", to: "1000")
        for number in 0..<3 {
            let log = try CrashWorkload.open(directory.path)
            if number == 0 { try log.createTopic("a", partitions: 1, settings: settings) }
            let partition = try log.partition(name)
            try append("x", Int64(number) * 600, to: partition)
            try partition.checkpoint()
            #expect(partition.segmentCount == (number < 2 ? 1 : 2))
            if isClean { try log.close() }
        }
    }

    private func append(_ value: String, _ timestamp: Int64, to partition: Partition) throws {
        let batch = BatchBuilder()
        try batch.append(
            key: nil, value: Array(value.utf8), timestamp: Timestamp(milliseconds: timestamp))
        try withExtendedLifetime(batch) { _ = try partition.append(batch.seal()) }
    }

    /// Times and offsets rise from entry to entry.
    private func checkTimeIndexes(_ path: String) throws {
        for file in try FileManager.default.subpathsOfDirectory(atPath: path)
        where file.hasSuffix(".timeindex") {
            let bytes = try readFile(path + "/" + file)
            let times = stride(from: 0, to: bytes.count, by: 12).map { start in
                bytes[start..<start + 8].reduce(Int64(0)) { $0 << 8 | Int64($1) }
            }
            #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 }, "\(times)")
        }
    }
}

/// Threads that meet: whatever runs at once, readers see the records in order, each once.
struct RaceTests {
    @Test func `appends, flushes, checkpoints, retention, deletion and readers at once`() throws {
        let directory = try MemoryDirectory()
        let failures = Mutex<[String]>([])
        let isDone = Atomic<Bool>(false)
        let log = try CrashWorkload.open(directory.path)
        var settings = TopicSettings()
        try settings.set("retention.bytes", to: "3000")
        try settings.set("index.interval.bytes", to: "100")
        try log.createTopic("a", partitions: 1, settings: settings)
        let name = TopicPartition("a", PartitionID(0))
        let partition = try log.partition(name)
        @Sendable func attempt(_ what: String, _ body: () throws -> Void) {
            do { try body() } catch { failures.withLock { $0.append("\(what): \(error)") } }
        }
        @Sendable func read(_ partition: Partition, _ isolation: Isolation) throws {
            do {
                let start = partition.startOffset.rawValue
                let offsets = try partition.entries(from: start, isolation).map {
                    "\($0.offset) \(String(decoding: $0.value ?? [], as: UTF8.self))"
                }
                let wrong = offsets.filter {
                    let parts = $0.split(separator: " ")
                    return parts[0] != parts[1]
                }
                if !wrong.isEmpty { throw LogError(.io, "read \(wrong)") }
            } catch let error as LogError where error.code == .offsetOutOfRange {
                // Deleted since the look at the start.
            }
        }
        DispatchQueue.concurrentPerform(iterations: 6) { thread in
            switch thread {
            case 0:
                for number in 0..<2000 {
                    attempt("append") { try partition.append("\(number) ") }
                }
                isDone.store(true, ordering: .relaxed)
            case 1:
                while !isDone.load(ordering: .relaxed) {
                    attempt("flush") { try partition.flush() }
                }
            case 2:
                while !isDone.load(ordering: .relaxed) {
                    attempt("checkpoint") { try partition.checkpoint() }
                }
            case 3:
                while !isDone.load(ordering: .relaxed) { log.maintain() }
            case 4:
                while !isDone.load(ordering: .relaxed) {
                    attempt("read") { try read(partition, .readCommitted) }
                    let offset = partition.startOffset.rawValue + 3
                    if partition.lastStableOffset.rawValue > offset + 50 {
                        attempt("delete") {
                            try log.deleteRecords(of: name, before: Offset(offset))
                        }
                    }
                }
            default:
                attempt("observe") {
                    let observer = try CommitLog.open(directory.path, as: .observer)
                    let observed = try observer.partition(name)
                    while !isDone.load(ordering: .relaxed) {
                        try observed.refresh()
                        try read(observed, .readUncommitted)
                    }
                }
            }
        }
        #expect(failures.withLock { Array($0.prefix(3)) } == [])
        #expect(partition.logEndOffset == Offset(2000))
        try log.close()
    }

    @Test func `topics deleted and made again under maintenance lose nothing of their successors`()
        throws
    {
        let directory = try MemoryDirectory()
        let log = try CrashWorkload.open(directory.path)
        let isDone = Atomic<Bool>(false)
        let failures = Mutex<[String]>([])
        let name = TopicPartition("a", PartitionID(0))
        DispatchQueue.concurrentPerform(iterations: 3) { thread in
            do {
                switch thread {
                case 0:
                    defer { isDone.store(true, ordering: .relaxed) }
                    var settings = TopicSettings()
                    try settings.set("retention.bytes", to: "500")
                    for _ in 0..<60 {
                        try log.createTopic("a", partitions: 2, settings: settings)
                        let partition = try log.partition(name)
                        for number in 0..<12 { try partition.append("\(number)") }
                        try partition.flush()
                        try log.deleteTopic("a")
                    }
                    try log.createTopic("a", partitions: 1)
                    try log.partition(name).append("last")
                case 1:
                    while !isDone.load(ordering: .relaxed) { log.maintain() }
                default:
                    while !isDone.load(ordering: .relaxed) {
                        // Whatever there is at the moment may be refused, no more.
                        let partition = try? log.partition(name)
                        _ = try? partition?.checkpoint()
                        _ = try? log.deleteRecords(of: name, before: Offset(2))
                    }
                }
            } catch { failures.withLock { $0.append("\(thread): \(error)") } }
        }
        #expect(failures.withLock { $0 } == [])
        try log.close()
        let again = try CrashWorkload.open(directory.path)
        #expect(again.topics.map(\.name) == ["a"])
        #expect(try again.partition(name).values() == ["last"])
    }
}
