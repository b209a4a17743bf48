// Reading beside a running owner: all that is committed, only that, and nothing that is half written.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

struct ObserverTests {
    private let log: TestLog

    init() throws { log = try TestLog() }

    @Test func `an observer sees what is committed, and only that`() throws {
        let observer = try log.observer()
        try log.withPartition { partition in
            let producer = ProducerStamp(id: 1, epoch: 0)
            #expect(try observer.values() == [])
            try partition.append("a")
            #expect(try observer.values() == ["a"])
            try partition.append("b", producer: producer)
            #expect(try observer.values() == ["a"])
            #expect(try observer.values(.readUncommitted) == ["a", "b"])
            try partition.end(producer, with: .abort)
            try partition.append("c", producer: ProducerStamp(id: 1, epoch: 1))
            try partition.end(ProducerStamp(id: 1, epoch: 1), with: .commit)
            #expect(try observer.values() == ["a", "c"])
        }
    }

    @Test func `a half-written batch is not seen until it is whole`() throws {
        let path = try log.segments[0]
        try log.withPartition(isClean: false) { try $0.append("a") }
        let first = try readFile(path)
        try log.withPartition(isClean: false) { try $0.append("b") }
        let whole = try readFile(path)
        try writeFile(path, first)
        let observer = try log.observer()
        for count in first.count..<whole.count {
            try writeFile(path, Array(whole.prefix(count)))
            #expect(try observer.values() == ["a"])
            // The file may have its new length before it has all the bytes.
            let missing = [UInt8](repeating: 0, count: whole.count - count)
            guard Array(whole[count...]) != missing else { continue }
            try writeFile(path, whole.prefix(count) + missing)
            #expect(try observer.values() == ["a"])
        }
        try writeFile(path, whole)
        #expect(try observer.values() == ["a", "b"])
    }

    @Test func `an observer hears from the next owner of a start that could not be noted for it`()
        throws
    {
        try log.withPartition { try $0.append("a", "b", "c") }
        try log.withOwner(isClean: false) { owner, _ in
            // In the way of the file that is to be written.
            let path = log.directory.file("log-start-offset-checkpoint.tmp")
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: false)
            try owner.deleteRecords(of: TestLog.name, before: Offset(2))
            #expect(log.notices.all.count == 1)
            try FileManager.default.removeItem(atPath: path)
        }
        try log.withPartition { #expect($0.startOffset == Offset(2)) }
        #expect(try log.observer().startOffset == Offset(2))
        #expect(try log.observer().values(from: 2) == ["c"])
    }

    @Test func `an observer follows the roll to new segments`() throws {
        let log = try TestLog(segmentBytes: 200)
        let observer = try log.observer()
        let cursor = PartitionCursor(observer, from: .zero, isolation: .readCommitted)
        try log.withPartition { partition in
            for number in 0..<30 {
                try partition.append("\(number)")
                #expect(try cursor.hasRecord())
                var value: [UInt8]?
                try cursor.withRecord { value = try Entry($0).value }
                #expect(value == Array("\(number)".utf8))
                cursor.take()
            }
        }
        #expect(try log.segments.count > 5)
    }

    @Test func `an observer goes on over a restart and a torn tail of the owner`() throws {
        try log.withPartition(isClean: false) { _ in }
        try log.withPartition(isClean: false) { try $0.append("a") }
        let path = try log.segments[0]
        try writeFile(path, try readFile(path) + [1, 2, 3])
        let observer = try log.observer()
        #expect(try observer.values() == ["a"])
        try log.withPartition { try $0.append("b") }
        #expect(try observer.values() == ["a", "b"])
        #expect(observer.leaderEpoch(at: Offset(0)) == 1)
        #expect(observer.leaderEpoch(at: Offset(1)) == 2)
    }

    @Test func `damage is an error for an observer, not the end`() throws {
        try log.withPartition { partition in
            for value in ["a", "b", "c"] { try partition.append(value) }
        }
        let path = try log.segments[0]
        var bad = try readFile(path)
        bad[batchByteCount(bad, at: 0) + 65] ^= 1
        try writeFile(path, bad)
        let error = #expect(throws: LogError.self) { try log.observer().values() }
        #expect(error?.code == .corrupted && error?.message.contains("t-0") == true)
    }

    @Test func `an observer sees topics that are made after it was opened`() throws {
        let observer = try CommitLog.open(log.directory.path, as: .observer)
        #expect(throws: LogError.self) { try observer.topic("later") }
        try log.withOwner { owner, _ in
            let topic = try owner.createTopic("later", partitions: 3)
            #expect(try observer.topic("later") == topic)
            #expect(observer.topics.map(\.name) == ["later", "t"])
            let name = TopicPartition("later", PartitionID(2))
            try owner.partition(name).append("a")
            #expect(try observer.partition(name).values() == ["a"])
        }
    }

    @Test func `an observer is told of a topic that was deleted and made again`()
        throws
    {
        try log.withOwner { owner, partition in
            try partition().append("a")
            let beside = try CommitLog.open(log.directory.path, as: .observer)
            let consumer = try Consumer(beside, topic: beside.topic("t"), from: .earliest)
            #expect(try consumer.poll { _, _ in } == 1)
            let old = try beside.partition(TestLog.name)
            for isMadeAgain in [false, true] {
                if isMadeAgain {
                    try owner.createTopic("t", partitions: 1)
                    try owner.partition(TestLog.name).append("b", "c")
                } else {
                    try owner.deleteTopic("t")
                }
                let error = #expect(throws: LogError.self) { try consumer.poll { _, _ in } }
                #expect(error?.code == .noSuchTopic && error?.message.contains("'t'") == true)
                #expect(throws: LogError.self) { try old.values() }
            }
            #expect(try beside.partition(TestLog.name).values() == ["b", "c"])
            let next = try Consumer(beside, topic: beside.topic("t"), from: .earliest)
            #expect(try next.poll { _, _ in } == 2)
        }
    }

    @Test func `an observer learns of changed settings and of a start within a segment`() throws {
        try log.withOwner { owner, partition in
            try partition().append("a", "b", "c")
            let beside = try CommitLog.open(log.directory.path, as: .observer)
            let observer = try beside.partition(TestLog.name)
            try owner.alterTopic("t", [(name: "cleanup.policy", value: "compact")])
            try owner.deleteRecords(of: TestLog.name, before: Offset(2))
            try observer.refresh()
            #expect(observer.startOffset == Offset(2))
            #expect(try observer.settings == owner.topic("t").settings)
            #expect(try beside.topic("t") == owner.topic("t"))
            #expect(beside.topics == owner.topics)
            #expect(throws: LogError.self) { try observer.values(from: 1) }
        }
    }

    @Test func `an observer changes nothing on the disk, and needs no lock`() throws {
        try log.withPartition { try $0.append("a") }
        let before = try log.contents()
        try log.withOwner { _, _ in
            let observer = try CommitLog.open(log.directory.path, as: .observer)
            #expect(throws: LogError.self) { try observer.createTopic("new", partitions: 1) }
            #expect(throws: LogError.self) { try observer.takeProducerIDs(1) }
            #expect(try observer.partition(TestLog.name).values() == ["a"])
            try observer.close()
        }
        #expect(try log.contents() == before)
    }

    @Test func `there is nothing to observe where no directory is`() {
        let error = #expect(throws: LogError.self) {
            try CommitLog.open(log.directory.path + "/nowhere", as: .observer)
        }
        #expect(error?.code == .noSuchDirectory)
    }
}
