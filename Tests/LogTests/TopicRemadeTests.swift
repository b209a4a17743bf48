// A topic that is deleted and made again under its name has the directory of the one before: what still
// works for that one must not write there.

import Foundation
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct TopicRemadeTests {
    /// Calls `body` once, before an operation that is meant.
    private final class AtOperation: FileSystemObserver {
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

    private static func remake(_ log: CommitLog) throws {
        try log.deleteTopic("t")
        try log.createTopic("t", partitions: 1)
        let partition = try log.partition(TestLog.name)
        for value in ["a", "b", "c"] { try partition.append(value) }
        try partition.flush()
    }

    private func requireNewRecords(_ log: TestLog) throws {
        try log.withPartition { partition throws in
            #expect(try partition.values() == ["a", "b", "c"])
        }
    }

    @Test func `a compaction of the one before ends without a trace`() throws {
        let log = try TestLog.compacted()
        let observer = AtOperation {
            if case .create(let path) = $0 { path.hasSuffix(".cleaned") } else { false }
        }
        let owner = try log.open(FileSystem(observer: observer))
        let old = try owner.partition(TestLog.name)
        for number in 0..<4 {
            try old.put("key", "\(number)")
            try old.fill()
        }
        try old.checkpoint()
        observer.arm { try Self.remake(owner) }
        #expect(throws: (any Error).self) { _ = try old.clean() }
        let new = try owner.partition(TestLog.name)
        #expect(try new.values() == ["a", "b", "c"])
        try owner.close()
        try requireNewRecords(log)
    }

    @Test func `a checkpoint of the one before writes nothing`() throws {
        let log = try TestLog()
        // No checkpoint of the new one's puts things right.
        try log.withOwner(isClean: false) { log, partition in
            let old = try partition()
            for number in 0..<10 { try old.append("\(number)") }
            try Self.remake(log)
            try old.checkpoint()
        }
        try requireNewRecords(log)
    }

    @Test func `a group has read none of it, wherever a crash has cut the deletion short`() throws {
        let name = TestLog.name
        let directory = try MemoryDirectory()
        let recorder = DiskRecorder(directory.path)
        let owner = try openOwner(directory.path) { $0.files = FileSystem(observer: recorder) }
        try owner.createTopic("t", partitions: 1)
        try owner.partition(name).append("a")
        try owner.groupCoordinator().commit(
            [name: CommittedOffset(Offset(1))], in: "g", by: nil)
        let first = recorder.operationCount
        try owner.deleteTopic("t")
        var disk = Disk()
        for (number, operation) in recorder.operations.enumerated() {
            if number >= first { try requireUnread(disk, number) }
            disk.apply(operation)
        }
        try requireUnread(disk, recorder.operationCount)
    }

    private func requireUnread(_ disk: Disk, _ number: Int) throws {
        let image = try MemoryDirectory(disk)
        let log = try openOwner(image.path)
        let coordinator = try log.groupCoordinator()
        if log.topics.contains(where: { $0.name == "t" }) {
            #expect(try coordinator.committed(in: "g")[TestLog.name] != nil, "\(number)")
            return
        }
        try log.createTopic("t", partitions: 1)
        #expect(try coordinator.committed(in: "g").isEmpty, "\(number)")
        withExtendedLifetime(log) {}
    }

    @Test func `a group's member that holds the one before commits nothing for the next`() throws {
        let log = try TestLog()
        try log.withOwner { log, partition in
            try partition().append("x")
            try partition().append("y")
            var settings = GroupConsumerSettings()
            settings.offsetReset = .earliest
            let member = try GroupConsumer(log, group: "g", topics: ["t"], settings: settings)
            var count = 0
            while count < 2 { _ = try member.poll(timeout: .zero) { _, _ in count += 1 } }
            try Self.remake(log)
            try member.commit()
            #expect(try log.groupCoordinator().committed(in: "g").isEmpty)
            try member.close()
            #expect(try log.groupCoordinator().committed(in: "g").isEmpty)
        }
    }

    /// Has the first deletion find no room, and calls `body` when that makes some.
    private final class FullDisk: FileSystemObserver {
        private let state = Mutex<(isArmed: Bool, body: (@Sendable () throws -> Void)?)>(
            (false, nil))

        func arm(_ body: @escaping @Sendable () throws -> Void) {
            state.withLock { $0 = (true, body) }
        }

        func willPerform(_ operation: FileOperation) throws {
            switch operation {
            case .create(let path) where path.hasSuffix("/topics.tmp"):
                let isArmed = state.withLock { state in
                    defer { state.isArmed = false }
                    return state.isArmed
                }
                if isArmed { throw LogError(.noSpace, "the disk is full") }
            case .rename(_, let path) where path.hasSuffix(".deleted"):
                let body = state.withLock { state in
                    defer { state.body = nil }
                    return state.body
                }
                try body?()
            default: break
            }
        }
    }

    @Test func `a partition that is added while its topic is deleted takes nothing more`() throws {
        let log = try TestLog()
        let disk = FullDisk()
        let owner = try log.open(FileSystem(observer: disk))
        try owner.partition(TestLog.name).append("a")
        let added = Mutex<Partition?>(nil)
        disk.arm {
            try owner.setPartitions(of: "t", to: 2)
            let partition = try owner.partition(TopicPartition("t", PartitionID(1)))
            added.withLock { $0 = partition }
        }
        try owner.deleteTopic("t")
        let partition = try #require(added.withLock { $0 })
        let error = #expect(throws: LogError.self) { try partition.append("lost") }
        #expect(error?.code == .noSuchTopic)
        try owner.close()
    }

    @Test func `a closed log finishes no deletion in the directory that the next owner has`() throws
    {
        let log = try TestLog()
        let files = FailingFiles(.io) {
            if case .remove(let path) = $0 { path.hasSuffix("/t-0") } else { false }
        }
        let old = try log.open(FileSystem(observer: files))
        files.turn(on: true)
        #expect(throws: LogError.self) { try old.deleteTopic("t") }
        files.turn(on: false)
        try old.close()
        let new = try log.open()
        try new.createTopic("t", partitions: 1)
        try new.partition(TestLog.name).append("a")
        let error = #expect(throws: LogError.self) { try old.createTopic("u", partitions: 1) }
        #expect(error?.code == .readOnly)
        try new.close()
        #expect(try log.withPartition { try $0.values() } == ["a"])
    }

    @Test func `positions that are reset while it is made again are not the next one's`() throws {
        let log = try TestLog()
        let observer = AtOperation {
            if case .flush(let path) = $0 { path.hasSuffix(".log") } else { false }
        }
        let owner = try log.open(FileSystem(observer: observer))
        try owner.partition(TestLog.name).append("x")
        observer.arm { try Self.remake(owner) }
        let moves = try owner.groups.resetOffsets(
            of: "g", partitions: [TestLog.name], to: .latest)
        #expect(try owner.groupCoordinator().committed(in: "g").isEmpty)
        #expect(moves.isEmpty)
        try owner.close()
    }

    /// What this process has open in the directory of the partition.
    private func openFiles(_ log: TestLog) throws -> [String] {
        let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        return descriptors.compactMap { descriptor in
            try? FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/self/fd/" + descriptor)
        }.filter { $0.hasPrefix(log.directory.path + "/t-0/") }.sorted()
    }

    @Test func `those who still hold the one before do not hold its files`() throws {
        let log = try TestLog(segmentBytes: 300)
        let owner = try log.open()
        let topic = try owner.topic("t")
        let producer = Producer(owner)
        for number in 0..<20 {
            try producer.send(Array("value \(number)".utf8), key: nil, to: topic)
            try producer.flush()
        }
        // So that indexes are looked up in files.
        try owner.partition(TestLog.name).checkpoint()
        let consumer = try Consumer(owner, topic: topic, from: .earliest)
        #expect(try consumer.poll(maxRecords: 15) { _, _ in } == 15)
        let cursor = PartitionCursor(
            try owner.partition(TestLog.name), from: Offset(3), isolation: .readCommitted)
        #expect(try cursor.hasRecord())
        #expect(try openFiles(log).count > 4)
        try Self.remake(owner)
        let active = log.partitionDirectory + "/00000000000000000000.log"
        #expect(try openFiles(log) == [active], "of the new one")

        // The record that is being looked at stays; nothing of the new one's is read behind it.
        try cursor.withRecord { record throws in
            #expect(try Entry(record).value == Array("value 3".utf8))
        }
        cursor.take()
        let ofCursor = #expect(throws: LogError.self) {
            while try cursor.hasRecord() { cursor.take() }
        }
        let ofConsumer = #expect(throws: LogError.self) { try consumer.poll { _, _ in } }
        #expect(ofCursor?.code == .noSuchTopic && ofConsumer?.code == .noSuchTopic)
        withExtendedLifetime(producer) {}
        try owner.close()
    }

    @Test func `a group's member reads on in its other topics`() throws {
        let log = try TestLog()
        let owner = try log.open()
        try owner.createTopic("u", partitions: 1)
        for name in [TestLog.name, TopicPartition("u", PartitionID(0))] {
            try owner.partition(name).append("of \(name.topic)")
        }
        var settings = GroupConsumerSettings()
        settings.offsetReset = .earliest
        settings.maxPollRecords = 1
        let member = try GroupConsumer(owner, group: "g", topics: ["t", "u"], settings: settings)
        while member.assignment.count < 2 { _ = try member.poll(timeout: .zero) { _, _ in } }
        for number in 0..<3 { try owner.partition(TestLog.name).append("\(number)") }
        try owner.deleteTopic("t")
        try owner.partition(TopicPartition("u", PartitionID(0))).append("more")
        var values: [String] = []
        while values.last != "more" {
            _ = try member.poll(timeout: .zero) { _, record in
                values.append(String(decoding: try Entry(record).value ?? [], as: UTF8.self))
            }
        }
        try member.close()
        try owner.close()
    }
}
