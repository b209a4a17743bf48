// What retention and deletion remove, what they keep, and what a crash between their steps leaves.

import Foundation
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct RetentionTests {
    private let log: TestLog

    init() throws { log = try TestLog(segmentBytes: 3000) }

    /// A log of segments of one batch of 2,000 bytes, at these times; the last one is active.
    private func make(_ timestamps: [Int64], _ settings: (String, String)...) throws {
        try log.alter(settings)
        try log.withPartition(isClean: false) { partition throws in
            for time in timestamps {
                let value = String(repeating: "x", count: 2000)
                try partition.put([Keyed("k", value)], BatchKind(timestamp: time))
            }
            try partition.flush()
        }
    }

    /// The offsets that are left after a round of the background at `now`, also after a restart.
    private func left(at now: Int64) throws -> [Int64] {
        let left = try log.withOwner(isClean: false) { log, partition in
            log.maintain(now: Timestamp(milliseconds: now))
            return try partition().entries(from: partition().startOffset.rawValue).map(\.offset)
        }
        try log.withPartition { partition throws in
            let again = try partition.entries(from: partition.startOffset.rawValue).map(\.offset)
            #expect(again == left)
        }
        return left
    }

    // MARK: Time and size

    @Test(
        arguments: [
            (100, [0, 1, 2, 3]), (150, [0, 1, 2, 3]), (151, [1, 2, 3]), (165, [2, 3]), (1000, []),
        ] as [(Int64, [Int64])])
    func `segments go when their last record is too old`(now: Int64, left: [Int64]) throws {
        try make([100, 110, 130, 140], ("retention.ms", "50"))
        #expect(try self.left(at: now) == left)
    }

    @Test func `an active segment that is too old is ended and goes, and appends go on behind it`()
        throws
    {
        try make([100, 110], ("retention.ms", "50"))
        let producer = ProducerStamp(id: 7, epoch: 3)
        try log.withOwner(isClean: false) { log, partition in
            let kind = BatchKind(timestamp: 120, producer: producer, sequence: 5)
            try partition().put([Keyed("k", "last")], kind)
            try partition().flush()
            log.maintain(now: Timestamp(milliseconds: 1000))
            #expect(try partition().startOffset == Offset(3))
            #expect(try partition().segmentCount == 1)
            log.maintain(now: Timestamp(milliseconds: 2000))
        }
        #expect(try log.segments.map { String($0.suffix(24)) } == ["00000000000000000003.log"])
        try log.withPartition { partition throws in
            #expect(partition.logEndOffset == Offset(3))
            #expect(partition.epoch(of: 7) == 3, "what is known of producers stays")
            #expect(try partition.put("k", "new") == Offset(3))
        }
    }

    @Test(arguments: [
        (0, []), (2000, [3]), (4300, [1, 2, 3]), (4100, [2, 3]), (1 << 30, [0, 1, 2, 3]),
    ])
    func `the oldest segments go while the rest is large enough`(bytes: Int, left: [Int64]) throws {
        try make([100, 110, 130, 140], ("retention.bytes", "\(bytes)"))
        #expect(try self.left(at: 200) == left)
    }

    @Test func `nothing goes unless a setting says so`() throws {
        try make([0, 1, 2])
        #expect(try left(at: .max) == [0, 1, 2])
    }

    @Test func `an open transaction holds its records, and all behind them`() throws {
        try make([100], ("retention.ms", "50"))
        let producer = ProducerStamp(id: 1, epoch: 0)
        try log.withOwner { log, partition in
            let kind = BatchKind(timestamp: 100, producer: producer, isTransactional: true)
            try partition().put([Keyed("a", String(repeating: "x", count: 2000))], kind)
            try partition().put("b", String(repeating: "x", count: 2000), at: 100)
            try partition().flush()
            log.maintain(now: Timestamp(milliseconds: 1000))
            #expect(try partition().startOffset == Offset(1))
            try partition().end(producer, with: .abort)
            try partition().flush()
            log.maintain(now: Timestamp(milliseconds: 1000))
            #expect(
                try partition().startOffset == Offset(2), "the marker has the wall clock's time")
        }
    }

    /// FAULTS.md I5. Where the largest timestamp cannot be a time the file's own counts.
    @Test(arguments: [-1, Int64.min, -5, 253_402_300_799_000, .max])
    func `a timestamp that cannot be true neither deletes nor keeps everything`(odd: Int64) throws {
        try make([odd, odd, odd], ("retention.ms", "3600000"))
        let now = Timestamp.now().milliseconds
        #expect(try left(at: now) == [0, 1, 2], "they were written just now")
        #expect(try left(at: now + 7_200_000) == [])
    }

    @Test func `one record of the year 9999 does not hold those of other segments`() throws {
        let now = Timestamp.now().milliseconds
        try make([now - 9_000_000, 253_402_300_799_000, now], ("retention.ms", "3600000"))
        #expect(try left(at: now) == [1, 2])
    }

    @Test func `records of 1970 are old`() throws {
        try make([0, 0, 0], ("retention.ms", "3600000"))
        #expect(try left(at: Timestamp.now().milliseconds) == [])
    }

    // MARK: Deletion

    @Test func `deleted records are gone for readers at once, and their segments where they can`()
        throws
    {
        try make([1, 2, 3, 4])
        try log.withOwner(isClean: false) { log, partition in
            try log.deleteRecords(of: TestLog.name, before: Offset(2))
            #expect(try partition().entries(from: 2).map(\.offset) == [2, 3])
            let error = #expect(throws: LogError.self) { try partition().entries(from: 1) }
            #expect(error?.code == .offsetOutOfRange)
            try log.deleteRecords(of: TestLog.name, before: Offset(1))
            #expect(try partition().startOffset == Offset(2), "it never moves back")
            #expect(throws: LogError.self) {
                try log.deleteRecords(of: TestLog.name, before: Offset(5))
            }
        }
        #expect(try log.segments.count == 2)
        try log.withPartition { #expect($0.startOffset == Offset(2)) }
    }

    @Test func `an observer reads on in what was removed, or is told where the partition begins`()
        throws
    {
        try make([1, 2, 3, 4])
        try log.withOwner { log, partition in
            try partition().checkpoint()
            let (reading, late) = (try self.log.observer(), try self.log.observer())
            let cursor = PartitionCursor(reading, from: .zero, isolation: .readCommitted)
            #expect(try cursor.hasRecord())
            try log.deleteRecords(of: TestLog.name, before: Offset(2))
            cursor.take()
            #expect(try late.entries(from: 2).map(\.offset) == [2, 3])
            #expect(try self.log.observer().startOffset == Offset(2))
            #expect(throws: LogError.self) { try late.entries(from: 0) }
        }
    }

    // MARK: Crashes

    @Test(arguments: seeds(4))
    func `a crash between the steps of a removal leaves a whole log`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let directory = try MemoryDirectory()
        let recorder = DiskRecorder(directory.path)
        let first = try removeInSteps(directory.path, recorder)
        var disk = Disk()
        let losses: [Disk.PowerLoss?] = [nil, .losesAll, .losesData, .losesSome]
        for (number, operation) in recorder.operations.enumerated() {
            if number >= first {
                let after = losses[Int(seed - 1) % 4].map { disk.afterPowerLoss($0, &random) }
                try requireWhole(after ?? disk)
            }
            disk.apply(operation)
        }
        try requireWhole(disk)
    }

    private static func options(_ files: FileSystem = .live) -> LogOptions {
        var options = LogOptions()
        options.segmentBytes = 300
        options.isMaintained = false
        options.files = files
        return options
    }

    /// A deletion, a retention by time that takes the active segment too, and one more append. Gives the
    /// number of operations before them.
    private func removeInSteps(_ path: String, _ recorder: DiskRecorder) throws -> Int {
        let log = try CommitLog.open(
            path, as: .owner, Self.options(FileSystem(observer: recorder)))
        try log.createTopic("t", partitions: 1)
        let partition = try log.partition(TestLog.name)
        let producer = ProducerStamp(id: 7, epoch: 2)
        for number in 0..<12 {
            let kind = BatchKind(
                timestamp: 10, producer: producer, sequence: Int32(number))
            try partition.put([Keyed("k", "value \(number)")], kind)
            if number == 5 { try partition.checkpoint() }
        }
        try partition.flush()
        let first = recorder.operationCount
        try log.deleteRecords(of: TestLog.name, before: Offset(5))
        try log.alterTopic("t", [(name: "retention.ms", value: "50")])
        log.maintain(now: Timestamp(milliseconds: 1000))
        #expect(partition.startOffset == Offset(12))
        try withExtendedLifetime(log) { try partition.checkpoint() }
        return first
    }

    private func requireWhole(_ disk: Disk) throws {
        let image = try MemoryDirectory(disk)
        for _ in 0..<2 {
            let log = try CommitLog.open(image.path, as: .owner, Self.options())
            let partition = try log.partition(TestLog.name)
            let start = partition.startOffset.rawValue
            #expect([0, 5, 12].contains(start) && partition.logEndOffset == Offset(12))
            #expect(try partition.entries(from: start).map(\.offset) == Array(start..<12))
            #expect(partition.epoch(of: 7) == 2)
            withExtendedLifetime(log) {}
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: image.path + "/t-0")
        #expect(!names.contains { $0.hasSuffix(".deleted") })
    }

    // MARK: Times

    @Test func `a file whose time is beyond all others keeps nobody from its records`() throws {
        let directory = try MemoryDirectory()
        let name = TestLog.name
        let log = try openOwner(directory.path)
        try log.createTopic("t", partitions: 1)
        try log.partition(name).append("a")
        try log.close()
        var times = [timespec(tv_sec: .max, tv_nsec: 0), timespec(tv_sec: .max, tv_nsec: 0)]
        let path = directory.path + "/t-0/00000000000000000000.log"
        #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
        let again = try openOwner(directory.path)
        #expect(try again.partition(name).values() == ["a"])
    }

    /// Calls `body` once, before a segment is read.
    private final class BeforeReading: FileSystemObserver {
        private let body = Mutex<(@Sendable () throws -> Void)?>(nil)

        func arm(_ body: @escaping @Sendable () throws -> Void) {
            self.body.withLock { $0 = body }
        }

        func willPerform(_ operation: FileOperation) throws {
            guard case .read(let path, _) = operation, path.hasSuffix(".log") else { return }
            let body = body.withLock { armed in
                defer { armed = nil }
                return armed
            }
            try body?()
        }
    }

    @Test func `a time is looked for in what is left where records go meanwhile`() throws {
        let log = try TestLog()
        // So that reading begins with the first record, and takes more than one look at the file.
        try log.alter([("index.interval.bytes", "2000000000")])
        let value = String(repeating: "x", count: 600_000)
        let observer = BeforeReading()
        let owner = try log.open(FileSystem(observer: observer))
        let partition = try owner.partition(TestLog.name)
        for time in 0..<5 { try partition.put("k", value, at: Int64(time)) }
        observer.arm { try owner.deleteRecords(of: TestLog.name, before: Offset(4)) }
        #expect(try partition.offset(atOrAfter: Timestamp(milliseconds: 4)) == Offset(4))
        try owner.close()
    }
}
