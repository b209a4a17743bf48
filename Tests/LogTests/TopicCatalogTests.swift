// The list of topics: its names, its file, and what is refused of both.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

struct TopicCatalogTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @discardableResult
    private func withOwner<R>(_ body: (CommitLog) throws -> R) throws -> R {
        let log = try openOwner(directory.path)
        let result = try body(log)
        try log.close()
        return result
    }

    private var path: String { directory.path + "/topics" }

    // MARK: Names

    @Test(arguments: [
        "", ".", "..", "a b", "a/b", "é", "a\n", "a\0b", String(repeating: "x", count: 250),
    ])
    func `an illegal name is refused and leaves nothing`(name: String) throws {
        try withOwner { log throws in
            let error = #expect(throws: LogError.self) { try log.createTopic(name, partitions: 1) }
            #expect(error?.code == .invalidTopicName)
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
                == [".lock", "clean-shutdown", "recovery-points"])
    }

    @Test(arguments: ["a", "a.b_c-D9", "...", "-1", String(repeating: "x", count: 249)])
    func `a legal name is taken, with the highest partition number too`(name: String) throws {
        try withOwner { try $0.createTopic(name, partitions: 2) }
        try withOwner { log throws in #expect(try log.topic(name).partitionCount == 2) }
    }

    @Test func `a topic is made once, and no other differs from it in case only`() throws {
        try withOwner { log in
            try log.createTopic("flights", partitions: 1)
            let again = #expect(throws: LogError.self) {
                try log.createTopic("flights", partitions: 2)
            }
            #expect(again?.code == .topicExists)
            let other = #expect(throws: LogError.self) {
                try log.createTopic("Flights", partitions: 1)
            }
            #expect(other?.code == .invalidTopicName && other?.message.contains("flights") == true)
        }
    }

    // MARK: Settings

    @Test func `settings that the catalogue could not give back are refused`() throws {
        try withOwner { log throws in
            let changes: [(inout TopicSettings) -> Void] = [
                { $0.segmentBytes = 100 }, { $0.batchBytesMax = 0 },
                { $0.retention = .seconds(-5) },
                { $0.cleanableRatioMin = .nan }, { $0.cleanupPolicy = [] },
            ]
            for (number, change) in changes.enumerated() {
                var changed = TopicSettings()
                change(&changed)
                let settings = changed
                let error = #expect(throws: LogError.self, "\(number)") {
                    try log.createTopic("t", partitions: 1, settings: settings)
                }
                #expect(error?.code == .invalidArgument)
            }
        }
        try withOwner { log throws in #expect(log.topics.isEmpty) }
    }

    @Test func `settings are from the beginning as they are after a reopen`() throws {
        var settings = TopicSettings()
        settings.retention = .microseconds(1500)
        let made = try withOwner {
            try $0.createTopic("t", partitions: 1, settings: settings).settings
        }
        #expect(made.retention == .milliseconds(1))
        try withOwner { log throws in #expect(try log.topic("t").settings == made) }
    }

    @Test(arguments: [0, -1, 10_001])
    func `an impossible number of partitions is refused`(count: Int) throws {
        try withOwner { log throws in
            let error = #expect(throws: LogError.self) {
                try log.createTopic("t", partitions: count)
            }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test func `a topic or partition that is not there is named`() throws {
        try withOwner { log in
            try log.createTopic("t", partitions: 2)
            for name in [
                TopicPartition("u", PartitionID(0)), TopicPartition("t", PartitionID(2)),
            ] {
                let error = #expect(throws: LogError.self) { try log.partition(name) }
                #expect(error?.code == .noSuchTopic)
                #expect(error?.message.contains("'\(name.topic)'") == true)
            }
        }
    }

    // MARK: The file

    @Test func `topics and producer ids are there again after a reopen`() throws {
        let made = try withOwner { log in
            #expect(try log.takeProducerIDs(5) == 0)
            return [
                try log.createTopic("b", partitions: 3),
                try log.createTopic("a", partitions: 1, isInternal: true),
            ]
        }
        try withOwner { log throws in
            #expect(log.topics == made.reversed())
            #expect(Set(made.map(\.id)).count == 2)
            #expect(try log.takeProducerIDs(1) >= 5, "what a stop leaves of a block nobody gets")
        }
        try withOwner { log throws in
            let first = try log.takeProducerIDs(2000)
            #expect(first >= 6)
            #expect(try log.takeProducerIDs(1) == first + 2000)
        }
    }

    /// Cut anywhere, or with any byte changed: never other topics than were made, never fewer.
    @Test func `a damaged catalogue is refused, and nothing is touched`() throws {
        try withOwner { log in
            try log.createTopic("first", partitions: 3)
            try log.createTopic("second", partitions: 1)
        }
        let good = try readFile(path)
        var damaged = (0..<good.count - 1).map { Array(good.prefix($0)) }
        for position in good.indices.dropLast() {
            var bytes = good
            bytes[position] ^= 1
            damaged.append(bytes)
        }
        for bytes in damaged {
            try writeFile(path, bytes)
            let error = #expect(throws: LogError.self) {
                try openOwner(directory.path)
            }
            #expect(error?.code == .corrupted || error?.code == .newerFormat)
            #expect(error?.message.contains(path) == true)
            #expect(throws: LogError.self) { try CommitLog.open(directory.path, as: .observer) }
            #expect(try readFile(path) == bytes)
        }
        try writeFile(path, good)
        try withOwner { #expect($0.topics.map(\.name) == ["first", "second"]) }
    }

    @Test func `a catalogue of a newer version is refused as such`() throws {
        try withOwner { try $0.createTopic("t", partitions: 1) }
        try writeFile(path, Array(withChecksum("streamjobs-topics 3\nanything\n").utf8))
        let error = #expect(throws: LogError.self) {
            try openOwner(directory.path)
        }
        #expect(error?.code == .newerFormat && error?.message.contains("version 3") == true)
    }

    // MARK: What a crash leaves

    @Test func `the leftovers of a half-made topic do not hinder making it`() throws {
        try withOwner { _ in }
        try FileManager.default.createDirectory(
            atPath: directory.path + "/t-0", withIntermediateDirectories: false)
        let names = [
            "t-0/00000000000000000000.log", "t-0/leader-epoch-checkpoint.tmp", "topics.tmp",
        ]
        for name in names {
            let path = directory.path + "/" + name
            #expect(FileManager.default.createFile(atPath: path, contents: nil))
        }
        try withOwner { log in
            #expect(log.topics.isEmpty)
            try log.createTopic("t", partitions: 2)
            #expect(try log.partition(TestLog.name).append("a") == .zero)
        }
        let left = try FileManager.default.subpathsOfDirectory(atPath: directory.path)
        #expect(!left.contains { $0.hasSuffix(".tmp") })
    }

    @Test func `the records of a topic whose catalogue was lost are not deleted`() throws {
        try withOwner { log in
            try log.createTopic("t", partitions: 1)
            try log.partition(TestLog.name).append("a")
        }
        try FileManager.default.removeItem(atPath: path)
        let segment = directory.path + "/t-0/00000000000000000000.log"
        let before = try readFile(segment)
        let error = #expect(throws: LogError.self) { try withOwner { _ in } }
        #expect(error?.code == .corrupted && error?.message.contains(segment) == true)
        #expect(!before.isEmpty)
        #expect(try readFile(segment) == before)
    }
}
