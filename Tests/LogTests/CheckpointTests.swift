// What a checkpoint writes, what a failure or a crash in its midst leaves, and files whose version or size
// is not what was written.

import Foundation
import StreamJobsChecksum
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct CheckpointTests {
    /// Calls `body` once, before an operation that `isMeant`.
    final class Before: FileSystemObserver {
        private let isMeant: @Sendable (FileOperation) -> Bool
        private let body = Mutex<(@Sendable () throws -> Void)?>(nil)

        init(_ isMeant: @escaping @Sendable (FileOperation) -> Bool) { self.isMeant = isMeant }

        func arm(_ body: @escaping @Sendable () throws -> Void) {
            self.body.withLock { $0 = body }
        }

        func willPerform(_ operation: FileOperation) throws {
            guard isMeant(operation) else { return }
            let body = body.withLock { armed in
                defer { armed = nil }
                return armed
            }
            try body?()
        }
    }

    private static let log = "00000000000000000000.log"

    /// Flips a bit in the midst of a file.
    private func flip(_ path: String) throws {
        var bytes = try readFile(path)
        bytes[bytes.count / 2] ^= 1
        try writeFile(path, bytes)
    }

    // MARK: Versions

    @Test func `a flipped bit in a snapshot's version costs no more than reading the segments`()
        throws
    {
        let log = try TestLog()
        try log.withPartition { partition in
            try partition.append(["a"], producer: ProducerStamp(id: 7, epoch: 3), sequence: 0)
        }
        let snapshot = log.directory.path + "/t-0/00000000000000000001.snapshot"
        let good = try readFile(snapshot)
        for position in 0..<2 {
            var bytes = good
            bytes[position] ^= 2
            try writeFile(snapshot, bytes)
            try log.withPartition { #expect($0.epoch(of: 7) == 3) }
            #expect(try readFile(snapshot) == good)
        }
    }

    @Test func `a flipped bit in a version is damage, where the checksum says so`() throws {
        let log = try TestLog()
        try log.withPartition { try $0.append("a") }
        for file in ["t-0/segments", "topics"] {
            let path = log.directory.file(file)
            let good = try readFile(path)
            let version = try #require(good.firstIndex(of: UInt8(ascii: "\n"))) - 1
            for bit in 0..<8 {
                var bytes = good
                bytes[version] ^= 1 << UInt8(bit)
                try writeFile(path, bytes)
                if file == "topics" {
                    #expect(log.refusal()?.code == .corrupted, "bit \(bit)")
                    try writeFile(path, good)
                } else {
                    try log.withPartition { partition throws in
                        #expect(try partition.values() == ["a"], "bit \(bit)")
                    }
                    #expect(try readFile(path) == good)
                }
            }
        }
    }

    // MARK: Failures

    @Test func `a reader whose index is made again while its segment is removed is told the start`()
        throws
    {
        let log = try TestLog(segmentBytes: 200)
        try log.alter([("index.interval.bytes", "1")])
        try log.withPartition { partition in
            for number in 0..<20 { try partition.append("\(number)") }
        }
        let second = try log.segments[1]
        try flip(String(second.dropLast(4)) + ".index")
        let base = try #require(Int64(second.split(separator: "/").last?.prefix(20) ?? ""))
        let before = Before {
            if case .read(let path, _) = $0 { path.hasSuffix(Self.log) } else { false }
        }
        let owner = try log.open(FileSystem(observer: before))
        let partition = try owner.partition(TestLog.name)
        before.arm { try owner.deleteRecords(of: TestLog.name, before: Offset(18)) }
        let error = #expect(throws: LogError.self) { try partition.values(from: base + 1) }
        #expect(error?.code == .offsetOutOfRange, "\(String(describing: error))")
        #expect(try partition.values(from: 18) == ["18", "19"])
        try owner.close()
    }

    @Test func `a checkpoint that has failed is due again`() throws {
        let log = try TestLog()
        let files = FailingFiles(.noSpace) {
            if case .create(let path) = $0 { path.contains(".snapshot") } else { false }
        }
        let owner = try log.open(FileSystem(observer: files))
        let partition = try owner.partition(TestLog.name)
        let value = String(repeating: "x", count: 1_000_000)
        for _ in 0...Limits.checkpointBytes / value.utf8.count { try partition.append(value) }
        files.turn(on: true)
        owner.maintain()
        #expect(log.notices.all.count == 1)
        files.turn(on: false)
        owner.maintain()
        let names = try FileManager.default.contentsOfDirectory(
            atPath: log.directory.path + "/t-0")
        #expect(names.contains { $0.hasSuffix(".snapshot") })
        try owner.close()
    }

    @Test func `a checkpoint where the one before was never leaves half of its snapshot`() throws {
        let directory = try MemoryDirectory()
        let recorder = DiskRecorder(directory.path)
        let owner = try openOwner(directory.path) {
            $0.files = FileSystem(observer: recorder)
            $0.segmentBytes = 200
        }
        var settings = TopicSettings()
        try settings.set("index.interval.bytes", to: "1")
        try owner.createTopic("t", partitions: 1, settings: settings)
        let partition = try owner.partition(TestLog.name)
        for number in 0..<9 { try partition.append("\(number)") }
        try partition.checkpoint()
        try flip(directory.path + "/t-0/00000000000000000000.index")
        let first = recorder.operationCount
        // It is made again, and written with a checkpoint.
        #expect(try partition.values(from: 1).count == 8)
        #expect(recorder.operationCount > first)
        var disk = Disk()
        for (number, operation) in recorder.operations.enumerated() {
            if number >= first {
                let image = try MemoryDirectory(disk)
                let bytes = try readFile(image.path + "/t-0/00000000000000000009.snapshot")
                try bytes.withUnsafeBytes { _ = try ProducerStates(snapshot: $0) }
            }
            disk.apply(operation)
        }
        try owner.close()
    }

    @Test func `closing waits for a deletion that notes its start, whatever fails`() async throws {
        let log = try TestLog()
        let events = Mutex<[String]>([])
        let closing = AppendSignal()
        let isClosing = Mutex(false)
        let files = Before {
            // What was asked for ahead is given back with the close.
            if case .truncate(let path, _) = $0 { path.hasSuffix(Self.log) } else { false }
        }
        let notes = Before {
            if case .write(let path, _, _) = $0 {
                path.hasSuffix("/recovery-points")
            } else {
                false
            }
        }
        let owner = try log.open(FileSystem(observer: Both(files, notes)))
        let partition = try owner.partition(TestLog.name)
        let value = String(repeating: "x", count: 1_000_000)
        for _ in 0..<4 { try partition.append(value) }
        try partition.flush()
        files.arm {
            isClosing.withLock { $0 = true }
            throw LogError(.io, "a test lets this fail")
        }
        let noting = AppendSignal()
        notes.arm {
            noting.notify()
            while !isClosing.withLock({ $0 }) { sched_yield() }
            // Long enough for a close that does not wait.
            closing.wait(after: 0, timeout: .milliseconds(100))
            events.withLock { $0.append("noted") }
        }
        let errors = await inThreads([
            { try owner.deleteRecords(of: TestLog.name, before: Offset(2)) },
            {
                noting.wait(after: 0, timeout: .seconds(60))
                defer {
                    events.withLock { $0.append("closed") }
                    closing.notify()
                }
                try owner.close()
            },
        ])
        #expect(errors.contains { ($0 as? LogError)?.code == .io })
        #expect(events.withLock { $0 } == ["noted", "closed"])
    }

    private final class Both: FileSystemObserver {
        private let first: any FileSystemObserver
        private let second: any FileSystemObserver
        init(_ first: any FileSystemObserver, _ second: any FileSystemObserver) {
            self.first = first
            self.second = second
        }
        func willPerform(_ operation: FileOperation) throws {
            try first.willPerform(operation)
            try second.willPerform(operation)
        }
    }

    // MARK: Sizes and limits

    @Test func `slots in the last pages of a file that was cut outlive its growth`() throws {
        let log = try TestLog()
        let topic = try log.withOwner { owner, _ in
            let topic = try owner.createTopic("many", partitions: 70)
            for name in topic.partitions {
                let partition = try owner.partition(name)
                for value in ["a", "b", "c"] { try partition.append(value) }
                for offset in 1...2 {
                    try owner.deleteRecords(of: name, before: Offset(Int64(offset)))
                }
            }
            return topic
        }
        // Within the second copies of the slots from 64 on.
        let points = log.directory.file("recovery-points")
        try writeFile(points, Array(try readFile(points).prefix(4 * 4096 + 3 * 64)))
        func starts(_ body: (Partition) throws -> Void) throws -> [Int64] {
            // It knows the starts as well.
            try log.directory.remove("log-start-offset-checkpoint")
            return try log.withOwner { owner, partition in
                try body(partition())
                return try topic.partitions.map { try owner.partition($0).startOffset.rawValue }
            }
        }
        let before = try starts {
            try $0.append("x")
            try $0.flush()
        }
        #expect(before.allSatisfy { $0 > 0 })
        #expect(try starts { _ in } == before)
    }

    @Test func `a leader epoch behind which there is none is refused`() throws {
        let log = try TestLog()
        try log.withPartition(isClean: false) { try $0.append("a") }
        _ = try log.directory.file(
            "t-0/leader-epoch-checkpoint", Array("0\n1\n\(Int32.max - 1) 0\n".utf8))
        let error = log.refusal()
        #expect(error?.code == .corrupted, "\(String(describing: error))")
        #expect(error?.message.contains("t-0") == true)
    }

    @Test func `a slot whose leader epoch cannot be is none`() throws {
        let log = try TestLog()
        try log.withPartition(isClean: false) { try $0.append("a") }
        let points = log.directory.file("recovery-points")
        var bytes = try readFile(points)
        for start in [4096, 8192]
        where bytes[start + 16..<start + 60].contains(where: { $0 != 0 }) {
            bytes.replaceSubrange(start + 20..<start + 24, with: [0x7f, 0xff, 0xff, 0xff])
            let crc = bytes[start..<start + 60].withUnsafeBytes { CRC32C.checksum($0) }
            withUnsafeBytes(of: crc.bigEndian) {
                bytes.replaceSubrange(start + 60..<start + 64, with: $0)
            }
        }
        try writeFile(points, bytes)
        #expect(try log.withPartition { try $0.values() } == ["a"])
    }

    @Test func `a directory that was made before a crash is flushed into its parent all the same`()
        throws
    {
        let parent = try TemporaryDirectory()
        let recorder = Names()
        let path = parent.file("data")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        let owner = try openOwner(path) { $0.files = FileSystem(observer: recorder) }
        #expect(recorder.flushed.withLock { $0 }.contains(parent.path))
        try owner.close()
    }

    private final class Names: FileSystemObserver {
        let flushed = Mutex<[String]>([])
        func willPerform(_ operation: FileOperation) {
            if case .flushDirectory(let path) = operation { flushed.withLock { $0.append(path) } }
        }
    }
}
