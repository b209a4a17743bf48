// A disk that is full when the log is opened after a crash, and room that is held ahead of writes.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

@Suite(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs is not permitted"))
struct DiskFullOpeningTests {
    private let disk: SmallDisk
    private static let other = TopicPartition("u", PartitionID(0))

    init() throws { disk = try #require(try SmallDisk(megabytes: 48)) }

    private func open() throws -> CommitLog {
        try openOwner(disk.path) { $0.segmentBytes = 100_000 }
    }

    /// Two topics with a few segments each, left as by a crash on a disk that is full now.
    private func fillAndCrash() throws {
        let log = try open()
        for name in ["t", "u"] {
            let partition = try log.partition(
                try log.createTopic(name, partitions: 1).partitions[0])
            for number in 0..<6 {
                let value = "\(number)" + String(repeating: "x", count: 60_000)
                try partition.append([value], producer: nil, isTransactional: false)
            }
            try partition.flush()
        }
        try disk.fill(leaving: 0)
    }

    private func requireFull(_ partition: Partition) {
        let error = #expect(throws: LogError.self) { try partition.append("no room") }
        #expect(error?.code == .noSpace)
    }

    private func epochs(_ name: String) throws -> String {
        let path = disk.path + "/\(name)-0/leader-epoch-checkpoint"
        guard FileManager.default.fileExists(atPath: path) else { return "" }
        return String(decoding: try readFile(path), as: UTF8.self)
    }

    @Test func `it opens for reading, and takes appends in a new epoch when there is room`() throws
    {
        try fillAndCrash()
        for _ in 0..<2 {
            let log = try open()
            let partition = try log.partition(TestLog.name)
            #expect(try partition.values().map { $0.prefix(1) } == ["0", "1", "2", "3", "4", "5"])
            for _ in 0..<2 { requireFull(partition) }
            #expect(try epochs("t") == "")
            // Otherwise the next opening would give the epoch's number again.
            #expect(throws: LogError.self) { try log.close() }
            #expect(!FileManager.default.fileExists(atPath: disk.path + "/clean-shutdown"))
        }
        do {
            let log = try open()
            let partition = try log.partition(TestLog.name)
            requireFull(partition)
            try disk.empty()
            #expect(try partition.append("a") == Offset(6))
            #expect(partition.leaderEpoch(at: Offset(6)) == 1)
            #expect(partition.leaderEpoch(at: Offset(5)) == 0)
            #expect(try epochs("t") == "0\n2\n0 0\n1 6\n" && epochs("u") == "")
            try log.close()
            #expect(try epochs("u") == "0\n2\n0 0\n1 6\n", "a clean stop leaves none behind")
        }
        let log = try open()
        #expect(try log.partition(TestLog.name).leaderEpoch(at: Offset(6)) == 1)
        try log.close()
    }

    @Test func `an epoch that found no room rises once for all openings`() throws {
        try fillAndCrash()
        for _ in 0..<3 { _ = try open() }
        try disk.empty()
        let log = try open()
        try log.partition(TestLog.name).append("a")
        #expect(try epochs("t") == "0\n2\n0 0\n1 6\n")
    }

    @Test(arguments: [false, true])
    func `topics delete makes room`(isCrashed: Bool) throws {
        try fillAndCrash()
        if !isCrashed {
            try disk.empty()
            try open().close()
            try disk.fill(leaving: 0)
        }
        let log = try open()
        try log.deleteTopic("u")
        #expect(log.topics.map(\.name) == ["t"])
        #expect(!FileManager.default.fileExists(atPath: disk.path + "/u-0"))
        try log.partition(TestLog.name).append("room again")
        try log.close()
        let again = try open()
        #expect(again.topics.map(\.name) == ["t"])
        #expect(try again.partition(TestLog.name).logEndOffset == Offset(7))
    }

    @Test func `delete-records makes room`() throws {
        try fillAndCrash()
        let log = try open()
        let partition = try log.partition(TestLog.name)
        try log.deleteRecords(of: TestLog.name, before: Offset(4))
        #expect(try partition.append("a") == Offset(6))
        try log.close()
        let again = try open().partition(TestLog.name)
        #expect(again.startOffset == Offset(4) && again.logEndOffset == Offset(7))
    }

    @Test func `retention makes room, of the active segment too, and keeps the producers`() throws {
        let producer = ProducerStamp(id: 7, epoch: 3)
        do {
            let log = try open()
            try log.createTopic("t", partitions: 1)
            try log.alterTopic("t", [(name: "retention.ms", value: "1000")])
            let partition = try log.partition(TestLog.name)
            for sequence in 0..<Int32(6) {
                try partition.put(
                    [Keyed("k", String(repeating: "x", count: 60_000))],
                    BatchKind(timestamp: 5, producer: producer, sequence: sequence))
            }
            try partition.flush()
            try disk.fill(leaving: 0)
        }
        do {
            let log = try open()
            let partition = try log.partition(TestLog.name)
            log.maintain()
            #expect(partition.startOffset == Offset(6) && partition.segmentCount == 1)
            #expect(try partition.append("a") == Offset(6))
        }
        let again = try open().partition(TestLog.name)
        #expect(again.startOffset == Offset(6) && again.logEndOffset == Offset(7))
        #expect(again.epoch(of: 7) == 3)
    }

    // MARK: Room ahead of the writes

    private static let segment = "t-0/00000000000000000000.log"

    private func append(_ megabytes: Int, to partition: Partition) throws {
        let value = String(repeating: "x", count: 1_000_000)
        for _ in 0..<megabytes {
            try partition.append([value], producer: nil, isTransactional: false)
        }
    }

    @Test func `what a crash has left behind the end is given back when the log is opened`() throws
    {
        let file = Self.segment
        do {
            let log = try openOwner(disk.path)
            try log.createTopic("t", partitions: 1)
            try append(20, to: log.partition(TestLog.name))
            #expect(try disk.allocatedBytes(file) > 21_000_000)
        }
        let log = try openOwner(disk.path)
        #expect(try disk.allocatedBytes(file) < 20_100_000)
        try append(1, to: log.partition(TestLog.name))
        #expect(try log.partition(TestLog.name).values().count == 21)
    }

    @Test func `what one partition holds another gets when the disk is full`() throws {
        let log = try openOwner(disk.path)
        for name in ["t", "u"] { try log.createTopic(name, partitions: 1) }
        let (first, second) = (try log.partition(TestLog.name), try log.partition(Self.other))
        try append(25, to: first)
        let ahead = try disk.allocatedBytes(Self.segment) - first.byteCount
        #expect(ahead > 2_000_000)
        try disk.fill(leaving: 500_000)
        try append(2, to: second)
        #expect(try disk.allocatedBytes(Self.segment) < 25_100_000)
        #expect(throws: LogError.self) { try append(10, to: second) }
        #expect(try first.values().count == 25 && second.values().count >= 2)
        try disk.empty()
        try append(1, to: second)
        try log.close()
    }

    @Test func `a topic is made with the room that a partition holds`() throws {
        let log = try openOwner(disk.path)
        try log.createTopic("t", partitions: 1)
        try append(25, to: log.partition(TestLog.name))
        try disk.fill(leaving: 0)
        try log.createTopic("u", partitions: 1)
        try log.partition(Self.other).append("a")
        try log.partition(Self.other).checkpoint()
    }
}
