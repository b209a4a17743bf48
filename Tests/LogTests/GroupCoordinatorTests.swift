// The coordinator beneath its members: what lasts, what a crash leaves, and many threads at once.

import StreamJobsLog
import TestSupport
import Testing

struct GroupCoordinatorTests {
    private let directory: TemporaryDirectory
    private let partition = TopicPartition("in", PartitionID(0))

    init() throws {
        directory = try TemporaryDirectory()
        try withLog { try $0.createTopic("in", partitions: 1) }
    }

    /// Opens for the call; without a clean stop it is as after kill -9.
    @discardableResult
    private func withLog<R>(isClean: Bool = true, _ body: (CommitLog) throws -> R) throws -> R {
        let log = try openOwner(directory.path)
        let result = try withExtendedLifetime(log) { try body(log) }
        if isClean { try log.close() }
        return result
    }

    private func commit(
        _ offset: Int64, of group: String = "g", acks: Acks = .flushed, in log: CommitLog
    ) throws {
        try log.groupCoordinator().commit(
            [partition: CommittedOffset(Offset(offset), metadata: "at \(offset)")], in: group,
            by: nil, acks: acks)
    }

    private func committed(_ group: String = "g", in log: CommitLog) throws -> Int64? {
        try log.groupCoordinator().committed(in: group)[partition]?.offset.rawValue
    }

    @Test func `a commit with all its fields outlives the process`() throws {
        try withLog(isClean: false) { log in
            try commit(5, in: log)
            try commit(7, in: log)
        }
        let found = try withLog { try $0.groupCoordinator().committed(in: "g")[partition] }
        #expect(found?.offset == Offset(7) && found?.metadata == "at 7")
        #expect(found?.leaderEpoch == nil)
    }

    @Test func `a commit that a crash has cut short is as if it had not been`() throws {
        let number = OffsetsTopic.partition(
            of: "g", partitionCount: Limits.offsetsTopicPartitions)
        let path =
            "\(directory.path)/\(OffsetsTopic.name)-\(number)/00000000000000000000.log"
        try withLog(isClean: false) { try commit(5, acks: .written, in: $0) }
        let before = try readFile(path).count
        try withLog(isClean: false) { try commit(7, acks: .written, in: $0) }
        let whole = try readFile(path)
        for count in [before, before + 1, (before + whole.count) / 2, whole.count - 1] {
            try writeFile(path, Array(whole.prefix(count)))
            #expect(try withLog(isClean: false) { try committed(in: $0) } == 5)
        }
    }

    @Test func `records that are committed for are flushed before`() throws {
        try withLog { log in
            try log.partition(partition).append("a", "b")
            try commit(1, acks: .written, in: log)
            #expect(try log.partition(partition).flushedOffset == .zero)
            try commit(1, in: log)
            #expect(try log.partition(partition).flushedOffset == Offset(2))
        }
    }

    @Test
    func `groups are committed for from many threads at once`() async throws {
        let log = try openOwner(directory.path)
        let partition = partition
        let bodies = (0..<8).map { number in
            { @Sendable () throws -> Void in
                for offset in 0..<100 {
                    try log.groupCoordinator().commit(
                        [partition: CommittedOffset(Offset(Int64(offset + number)))],
                        in: "g\(number % 4)", by: nil, acks: offset % 10 == 0 ? .flushed : .written)
                }
            }
        }
        #expect(await inThreads(bodies).isEmpty)
        let before = try (0..<4).map { try committed("g\($0)", in: log) }
        try log.close()
        let after = try withLog { log in try (0..<4).map { try committed("g\($0)", in: log) } }
        #expect(before == after && !after.contains(nil))
    }

    @Test func `a generation that cannot be stored is refused to its members`() throws {
        let log = try openOwner(directory.path)
        let member = try GroupConsumer(log, group: "g", topics: ["in"])
        _ = try member.values()
        let other = try GroupConsumer(log, group: "g", topics: ["in"])
        try log.close()
        _ = try other.values()
        let error = #expect(throws: LogError.self) {
            for _ in 0..<4 { _ = try member.values() + other.values() }
        }
        #expect(error?.code == .readOnly)
    }

    @Test func `members of other processes get their session to be heard of again`() throws {
        func request(_ id: String, host: String) -> JoinRequest {
            JoinRequest(
                proposedMemberID: id, clientHost: host, sessionTimeout: .seconds(10),
                rebalanceTimeout: .seconds(10), protocols: [GroupProtocol("range", [])])
        }
        for (host, isKnown) in [("/10.0.0.1", true), (GroupCoordinator.inProcessHost, false)] {
            let group = "of \(host)"
            let identity = MemberIdentity(memberID: "m", generation: 1)
            try withLog { log in
                let coordinator = try log.groupCoordinator()
                try coordinator.join(request("m", host: host), in: group) { _ in }
                try coordinator.sync(identity, in: group, protocolName: "range", assignments: [:]) {
                    _ in
                }
            }
            try withLog { log in
                let coordinator = try log.groupCoordinator()
                if isKnown {
                    try coordinator.heartbeat(identity, in: group)
                } else {
                    #expect(throws: LogError.self) {
                        try coordinator.heartbeat(identity, in: group)
                    }
                }
            }
        }
    }

    @Test func `who asks of a group that there is not is told so`() throws {
        try withLog { log in
            let coordinator = try log.groupCoordinator()
            let identity = MemberIdentity(memberID: "m", generation: 1)
            for call in [
                { try coordinator.heartbeat(identity, in: "none") },
                { try coordinator.leave("m", group: "none") },
                { try coordinator.commit([:], in: "none", by: identity) },
            ] {
                let error = #expect(throws: LogError.self) { try call() }
                #expect(error?.code == .unknownMember)
            }
            #expect(try log.groups.list().isEmpty)
        }
    }
}
