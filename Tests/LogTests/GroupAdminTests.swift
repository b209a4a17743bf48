// Groups looked at and changed from outside, by the owner and beside it.

import Glibc
import StreamJobsLog
import TestSupport
import Testing

struct GroupAdminTests {
    private let log: GroupLog

    init() throws { log = try GroupLog(partitions: 2) }

    /// A group that has read three records of each of the two partitions and committed.
    private func group(_ name: String = "g") throws {
        try log.fill(3)
        let member = try log.member(name)
        _ = try member.values()
        try member.commit()
        try member.close()
    }

    @Test func `there are no groups at first, and looking makes no topic`() throws {
        #expect(try log.log.groups.list().isEmpty && log.observer().groups.list().isEmpty)
        #expect(log.log.topics.map(\.name) == ["in"])
        let error = #expect(throws: LogError.self) { try log.log.groups.describe("g") }
        #expect(error?.code == .noSuchGroup)
    }

    @Test func `a group is described with members, positions and lag`() throws {
        try log.fill(3)
        let member = try log.member()
        _ = try member.values()
        try member.commit()
        try log.fill(2, from: 3)
        let described = try log.log.groups.describe("g")
        #expect(described.state == .stable && described.assignor == "cooperative-sticky")
        #expect(described.members.map(\.id) == [member.memberID])
        #expect(described.members[0].partitions == member.assignment)
        #expect(described.leader == member.memberID && described.generation == 1)
        #expect(described.partitions.map(\.lag) == [2, 2])
        #expect(described.partitions.allSatisfy { $0.memberID == member.memberID })
        #expect(described.partitions.map { $0.committed?.leaderEpoch } == [0, 0])
        let listed = try log.log.groups.list()
        #expect(listed.map(\.group) == ["g"] && listed[0].memberCount == 1)
    }

    @Test func `an observer sees what the topic has, and changes nothing`() throws {
        try group()
        let observer = try log.observer()
        #expect(try observer.groups.list() == log.log.groups.list())
        #expect(try observer.groups.describe("g").partitions.map(\.lag) == [0, 0])
        try log.fill(1, from: 3)
        #expect(try observer.groups.describe("g").partitions.map(\.lag) == [1, 1])
        let member = try log.member()
        try settle([member], holding: 2)
        #expect(try observer.groups.describe("g").members.map(\.id) == [member.memberID])
        for change in [
            { try observer.groups.delete("g") },
            { _ = try observer.groups.resetOffsets(of: "g", to: .earliest) },
        ] {
            let error = #expect(throws: LogError.self) { try change() }
            #expect(error?.code == .readOnly)
        }
    }

    @Test func `offsets are reset to wherever one likes`() throws {
        try group()
        func moved(_ target: OffsetTarget) throws -> [Int64] {
            try log.log.groups.resetOffsets(of: "g", to: target).map(\.to.rawValue)
        }
        #expect(try moved(.earliest) == [0, 0])
        #expect(try moved(.shift(2)) == [2, 2])
        #expect(try moved(.shift(-1)) == [1, 1])
        #expect(try moved(.shift(.min)) == [0, 0])
        #expect(try moved(.shift(.max)) == [3, 3])
        #expect(try moved(.offset(Offset(2))) == [2, 2])
        #expect(try moved(.offset(Offset(99))) == [3, 3])
        #expect(try moved(.time(Timestamp(milliseconds: 0))) == [0, 0])
        // The records are of 1970: none is of the last day.
        #expect(try moved(.duration(.seconds(86400))) == [3, 3])
        #expect(try moved(.earliest) == [0, 0])
        #expect(try moved(.latest) == [3, 3])
        try log.reopen()
        #expect(try log.committed() == [0: 3, 1: 3])
    }

    @Test func `a dry run tells and changes nothing, also beside the owner`() throws {
        try group()
        for groups in [log.log.groups, try log.observer().groups] {
            let moves = try groups.resetOffsets(of: "g", to: .earliest, dryRun: true)
            #expect(moves.map(\.from) == [Offset(3), Offset(3)])
            #expect(moves.map(\.to) == [.zero, .zero])
        }
        #expect(try log.committed() == [0: 3, 1: 3])
    }

    @Test func `an observer's dry run sees what is appended meanwhile`() throws {
        try group()
        let observer = try log.observer()
        for count in 1...2 {
            try log.fill(1, from: 2 + count)
            let moves = try observer.groups.resetOffsets(of: "g", to: .latest, dryRun: true)
            #expect(moves.map(\.to) == [Offset(Int64(3 + count)), Offset(Int64(3 + count))])
        }
    }

    @Test func `members of a process that has ended are not shown beside it`() throws {
        try log.fill(1)
        let member = try log.member()
        try settle([member], holding: 2)
        let observer = try log.observer()
        #expect(try observer.groups.describe("g").state == .stable)
        // No process has this number: the kernel's are lower.
        try log.pretendOwner(pid: Int32.max)
        #expect(try observer.groups.describe("g").state == .empty)
        #expect(try observer.groups.list().map(\.memberCount) == [0])
        _ = try observer.groups.resetOffsets(
            of: "g", partitions: [log.partition(0)], to: .earliest, dryRun: true)
    }

    @Test func `a process that has ended owns nothing, also before its parent has asked how`()
        throws
    {
        try log.fill(1)
        let member = try log.member()
        try settle([member], holding: 2)
        let observer = try log.observer()
        var pid: pid_t = 0
        try #require(posix_spawn(&pid, "/bin/true", nil, nil, [nil], nil) == 0)
        defer { _ = waitpid(pid, nil, 0) }
        var info = siginfo_t()
        try #require(waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) == 0)
        try log.pretendOwner(pid: pid)
        #expect(try observer.groups.describe("g").state == .empty)
    }

    @Test func `a reset may make a group, for partitions that are named`() throws {
        try log.fill(3)
        let moves = try log.log.groups.resetOffsets(
            of: "new", partitions: [log.partition(1)], to: .offset(Offset(2)))
        #expect(moves.map(\.partition) == [log.partition(1)])
        #expect(moves.map(\.from) == [nil] && moves.map(\.to) == [Offset(2)])
        #expect(try log.committed("new") == [1: 2])
        #expect(try log.log.groups.describe("new").state == .empty)
        let error = #expect(throws: LogError.self) {
            try log.log.groups.resetOffsets(of: "other", to: .earliest)
        }
        #expect(error?.code == .noSuchGroup)
        #expect(throws: LogError.self) {
            try log.log.groups.resetOffsets(
                of: "new", partitions: [log.partition(9)], to: .earliest)
        }
    }

    @Test func `a group with members is neither reset nor deleted`() throws {
        try group()
        let member = try log.member()
        try settle([member], holding: 2)
        for change in [
            { _ = try log.log.groups.resetOffsets(of: "g", to: .earliest, dryRun: true) },
            { try log.log.groups.delete("g") },
            { try log.log.groups.deleteOffsets(of: "g", partitions: [log.partition(0)]) },
        ] {
            let error = #expect(throws: LogError.self) { try change() }
            #expect(error?.code == .groupNotEmpty)
        }
        try member.close()
        try log.log.groups.delete("g")
    }

    @Test func `a deleted group is gone, also after a restart, and others are not`() throws {
        try group()
        try group("other")
        try log.log.groups.delete("g")
        #expect(try log.log.groups.list().map(\.group) == ["other"])
        #expect(try log.observer().groups.list().map(\.group) == ["other"])
        try log.reopen()
        #expect(try log.log.groups.list().map(\.group) == ["other"])
        let error = #expect(throws: LogError.self) { try log.log.groups.delete("g") }
        #expect(error?.code == .noSuchGroup)
    }

    @Test func `offsets of a deleted topic are forgotten`() throws {
        try group()
        try log.log.groups.deleteOffsets(of: "g", partitions: [log.partition(0)])
        #expect(try log.committed() == [1: 3])
        try log.coordinator.topicDeleted("in")
        #expect(try log.committed() == [:])
        try log.reopen()
        #expect(try log.committed() == [:])
    }

    @Test func `the topic is laid out as Kafka's`() throws {
        try group("hello")
        let topic = try log.log.topic(OffsetsTopic.name)
        #expect(topic.isInternal && topic.partitionCount == Limits.offsetsTopicPartitions)
        // "hello" hashes to 99162322.
        let partition = try log.log.partition(TopicPartition(topic.name, PartitionID(2)))
        let keys = try partition.entries().map { try OffsetsKey.decode($0.key ?? []) }
        #expect(keys.contains(.group("hello")))
        #expect(keys.contains(.offset(group: "hello", log.partition(1))))
        #expect(keys.allSatisfy { $0?.group == "hello" })
    }

    @Test func `a record that is none of a group's refuses the groups by its place`() throws {
        try group("hello")
        let name = TopicPartition(OffsetsTopic.name, PartitionID(2))
        let batch = BatchBuilder()
        try batch.append(
            key: OffsetsKey.group("hello").encoded, value: [0, 3, 0], timestamp: .now())
        let end = try log.log.partition(name).append(batch.seal())
        try log.reopen()
        let error = #expect(throws: LogError.self) { try log.log.groups.list() }
        #expect(error?.code == .corrupted)
        #expect(error?.message.contains("offset \(end) of \(name)") == true)
    }

    @Test func `metadata over the limit, and an unusable group name, are refused`() throws {
        let long = String(repeating: "x", count: Limits.offsetMetadataBytesMax + 1)
        let offsets = [log.partition(0): CommittedOffset(.zero, metadata: long)]
        for group in ["g", "", String(repeating: "g", count: 250)] {
            let error = #expect(throws: LogError.self) {
                try log.coordinator.commit(offsets, in: group, by: nil)
            }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test func `a group that never had a member has no protocol type`() throws {
        let names = try log.log.topic("in").partitions
        _ = try log.log.groups.resetOffsets(of: "g", partitions: names, to: .earliest)
        let listed = try log.log.groups.list()
        #expect(listed.map(\.protocolType) == [nil])
        #expect(try log.observer().groups.list() == listed)
    }

    @Test func `all partitions of the largest topic are committed, and forgotten, at once`() throws
    {
        let topic = String(repeating: "t", count: Limits.topicNameCharactersMax)
        let offsets = (0..<Limits.partitionsMax).map {
            (TopicPartition(topic, PartitionID($0)), CommittedOffset(Offset(1)))
        }
        try log.coordinator.commit(
            Dictionary(uniqueKeysWithValues: offsets), in: "g", by: nil, acks: .written)
        #expect(try log.committed().count == Limits.partitionsMax)
        try log.coordinator.topicDeleted(topic)
        #expect(try log.committed() == [:])
    }
}
