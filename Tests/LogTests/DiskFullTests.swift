// A disk that is full, and has room again. Needs the right to mount a small tmpfs.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

@Suite(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs is not permitted"))
struct DiskFullTests {
    @Test func `an append to a full disk is undone, reads go on, and so does work with room again`()
        throws
    {
        let disk = try #require(try SmallDisk())
        let log = try openOwner(disk.path)
        try log.createTopic("t", partitions: 1)
        let partition = try log.partition(TestLog.name)
        try partition.append("before")
        let path = disk.path + "/t-0/00000000000000000000.log"
        let before = try readFile(path)
        try disk.fill(leaving: 8192)
        let large = String(repeating: "x", count: 100_000)
        for _ in 0..<3 {
            let error = #expect(throws: LogError.self) { try partition.append(large) }
            #expect(error?.code == .noSpace && error?.isRetriable == true)
            #expect(error?.message.contains(path) == true)
            #expect(try readFile(path) == before, "cut back to the last whole batch")
            #expect(try partition.values() == ["before"])
        }
        try disk.empty()
        #expect(try partition.append(large) == Offset(1))
        try log.close()
        let again = try openOwner(disk.path)
        #expect(try again.partition(TestLog.name).values() == ["before", large])
    }

    @Test func `a producer keeps what a full disk refused, and sends it when there is room`() throws
    {
        let disk = try #require(try SmallDisk())
        let log = try openOwner(disk.path)
        let topic = try log.createTopic("t", partitions: 1)
        let producer = Producer(log)
        try disk.fill(leaving: 8192)
        try producer.send([UInt8](repeating: 1, count: 100_000), key: nil, to: topic)
        for _ in 0..<2 { #expect(throws: LogError.self) { try producer.flush() } }
        try disk.empty()
        try producer.flush()
        #expect(try log.partition(TestLog.name).entries().count == 1)
    }

    @Test func `a topic that finds no room is not made, and can be made later`() throws {
        let disk = try #require(try SmallDisk())
        let log = try openOwner(disk.path)
        try log.createTopic("first", partitions: 1)
        let catalogue = try readFile(disk.path + "/topics")
        try disk.fill(leaving: 0)
        let error = #expect(throws: LogError.self) { try log.createTopic("t", partitions: 2) }
        #expect(error?.code == .noSpace)
        #expect(throws: LogError.self) { try log.takeProducerIDs(1) }
        #expect(try readFile(disk.path + "/topics") == catalogue)
        #expect(!FileManager.default.fileExists(atPath: disk.path + "/topics.tmp"))
        #expect(log.topics.map(\.name) == ["first"])
        try disk.empty()
        try log.createTopic("t", partitions: 2)
        #expect(try log.partition(TestLog.name).append("a") == .zero)
    }
}
