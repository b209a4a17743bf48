// Members of a group on one thread, in turn, with a clock that the test moves; and in threads of their own.

import Foundation
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

struct GroupConsumerTests {
    private let log: GroupLog

    init() throws { log = try GroupLog() }

    @Test func `one member reads everything, and the next goes on where it has committed`() throws {
        try log.fill(2)
        let first = try log.member()
        #expect(try first.values().count == 8 && first.numbers == [0, 1, 2, 3])
        #expect(try log.committed() == [:])
        try first.commit()
        #expect(try log.committed() == [0: 2, 1: 2, 2: 2, 3: 2])
        try first.close()
        try log.fill(1, from: 2)
        #expect(try log.member().values() == ["0:2", "1:2", "2:2", "3:2"])
    }

    @Test func `what was not committed comes again`() throws {
        try log.fill(1)
        let member = try log.member()
        #expect(try member.values().count == 4)
        try member.close()
        #expect(try log.member().values().count == 4)
    }

    @Test func `committed positions and generations outlive the process`() throws {
        try log.fill(3)
        let member = try log.member()
        _ = try member.values()
        try member.commit()
        let generation = member.generation
        // No close: as after kill -9, apart from the log's own recovery.
        try log.reopen()
        #expect(try log.committed() == [0: 3, 1: 3, 2: 3, 3: 3])
        let next = try log.member()
        #expect(try next.values() == [])
        // The former process' member is not waited for.
        #expect(next.numbers == [0, 1, 2, 3] && next.generation > generation)
    }

    @Test(arguments: Assignor.allCases)
    func `members share the partitions out, and take over from those who leave`(
        assignor: Assignor
    ) throws {
        try log.fill(1)
        func member() throws -> GroupConsumer { try log.member { $0.assignors = [assignor] } }
        let a = try member()
        try settle([a], holding: 4)
        let b = try member()
        try settle([a, b], holding: 4)
        #expect(a.numbers.count == 2 && b.numbers.count == 2)
        #expect(Set(a.numbers).isDisjoint(with: b.numbers))
        let c = try member()
        try settle([a, b, c], holding: 4)
        try a.close()
        try settle([b, c], holding: 4)
        try b.close()
        try settle([c], holding: 4)
        #expect(c.numbers == [0, 1, 2, 3])
    }

    @Test func `cooperative members keep what they keep, and are told of the rest`() throws {
        var told: [String] = []
        let a = try log.member()
        a.onAssigned = { told.append("a+\($0.count)") }
        a.onRevoked = { told.append("a-\($0.count)") }
        try settle([a], holding: 4)
        let b = try log.member()
        b.onAssigned = { told.append("b+\($0.count)") }
        try settle([a, b], holding: 4)
        #expect(told == ["a+4", "a-2", "b+2"])
    }

    @Test func `an eager member gives everything up before it joins again`() throws {
        var told: [String] = []
        let a = try log.member { $0.assignors = [.range] }
        a.onAssigned = { told.append("+\($0.count)") }
        a.onRevoked = { told.append("-\($0.count)") }
        try settle([a], holding: 4)
        let b = try log.member { $0.assignors = [.range] }
        try settle([a, b], holding: 4)
        #expect(told == ["+4", "-4", "+2"])
    }

    @Test func `a partition that is given up may still be committed, and goes on from there`()
        throws
    {
        try log.fill(5)
        let a = try log.member()
        #expect(try a.values().count == 20)
        a.onRevoked = { [unowned a] _ in try a.commit() }
        let b = try log.member()
        try settle([a, b], holding: 4)
        #expect(try a.values() + b.values() == [])
        try log.fill(1, from: 5)
        #expect(try (a.values() + b.values()).sorted() == ["0:5", "1:5", "2:5", "3:5"])
    }

    @Test func `a zombie's commit is refused, its partitions are others', and it joins again`()
        throws
    {
        try log.fill(2)
        let zombie = try log.member()
        _ = try zombie.values()
        let formerID = zombie.memberID
        var lost: [TopicPartition] = []
        zombie.onLost = { lost += $0 }
        // It stands still for longer than its session, while another one comes.
        log.clock.advance(by: .seconds(46))
        let heir = try log.member()
        try settle([heir], holding: 4)
        #expect(throws: LogError.self) { try zombie.commit() }
        #expect(lost.count == 4 && zombie.assignment.isEmpty && zombie.memberID.isEmpty)
        #expect(try log.committed() == [:])
        try settle([zombie, heir], holding: 4)
        #expect(zombie.memberID != formerID && zombie.numbers.count == 2)
    }

    @Test func `a commit of a former generation is refused`() throws {
        let a = try log.member()
        try settle([a], holding: 4)
        let identity = MemberIdentity(memberID: a.memberID, generation: a.generation - 1)
        let error = #expect(throws: LogError.self) {
            try log.coordinator.commit(
                [log.partition(0): CommittedOffset(.zero)], in: "g", by: identity)
        }
        #expect(error?.code == .illegalGeneration)
    }

    @Test func `positions are committed by themselves, when the time has come`() throws {
        try log.fill(1)
        let member = try log.member { $0.autoCommitInterval = .seconds(5) }
        _ = try member.values()
        log.clock.advance(by: .seconds(4))
        _ = try member.values()
        #expect(try log.committed() == [:])
        log.clock.advance(by: .seconds(1))
        _ = try member.values()
        #expect(try log.committed() == [0: 1, 1: 1, 2: 1, 3: 1])
        try log.fill(1, from: 1)
        _ = try member.values()
        try member.close()
        #expect(try log.committed() == [0: 2, 1: 2, 2: 2, 3: 2])
    }

    @Test func `a record whose call throws comes again, and is not committed`() throws {
        struct Refused: Error {}
        try log.fill(2)
        let member = try log.member()
        var seen = 0
        #expect(throws: Refused.self) {
            _ = try member.poll(timeout: .zero) { _, _ in
                seen += 1
                if seen == 2 { throw Refused() }
            }
        }
        try member.commit()
        #expect(try log.committed()[0] == 1)
        #expect(try member.values().first == "0:1")
    }

    @Test func `where to begin is a choice`() throws {
        try log.fill(2)
        let latest = try log.member("latest") { $0.offsetReset = .latest }
        #expect(try latest.values() == [])
        // The place that was found counts as read, also for whoever comes next.
        try latest.commit()
        #expect(try log.committed("latest") == [0: 2, 1: 2, 2: 2, 3: 2])
        let nowhere = try log.member("none") { $0.offsetReset = .none }
        for _ in 0..<2 {
            let error = #expect(throws: LogError.self) { try nowhere.values() }
            #expect(error?.code == .noCommittedOffset && error?.message.contains("in-0") == true)
        }
        #expect(nowhere.assignment.isEmpty)
    }

    @Test func `a position that is not there any more is refused with both offsets`() throws {
        try log.fill(2)
        let ahead = [log.partition(1): CommittedOffset(Offset(7))]
        try log.coordinator.commit(ahead, in: "g", by: nil)
        let error = #expect(throws: LogError.self) { try log.member().values() }
        #expect(error?.code == .offsetOutOfRange)
        #expect(error?.message.contains("7") == true && error?.message.contains("2") == true)
        let settled = try log.member { $0.lostOffsetReset = .earliest }
        #expect(try settled.values().count == 8)
    }

    @Test func `an offset that was lost and given out again is noticed by its epoch`() throws {
        try log.fill(2)
        let position = [log.partition(1): CommittedOffset(Offset(1), leaderEpoch: 99)]
        try log.coordinator.commit(position, in: "g", by: nil)
        let error = #expect(throws: LogError.self) { try log.member().values() }
        #expect(error?.code == .offsetOutOfRange && error?.message.contains("epoch") == true)
    }

    @Test func `paused partitions are left out, and a seek goes where it says`() throws {
        try log.fill(2)
        let member = try log.member()
        try settle([member], holding: 4)
        try member.seek(log.partition(2), to: .zero)
        member.pause([log.partition(0), log.partition(1), log.partition(3)])
        #expect(try member.values() == ["2:0", "2:1"])
        #expect(member.position(of: log.partition(2)) == Offset(2))
        member.resume(member.assignment)
        #expect(throws: LogError.self) {
            try member.seek(TopicPartition("x", PartitionID(0)), to: .zero)
        }
    }

    @Test func `a static member that is started again has its partitions back without a rebalance`()
        throws
    {
        func member(_ name: String) throws -> GroupConsumer {
            try log.member { $0.instanceID = name }
        }
        let a = try member("a")
        let b = try member("b")
        try settle([a, b], holding: 4)
        let (generation, held) = (b.generation, b.numbers)
        // Not closed: as if killed; the new one is there within the session.
        let again = try member("b")
        _ = try again.values()
        #expect(again.generation == generation && again.numbers == held)
        #expect(a.generation == generation)
        // The former one is fenced.
        var lost: [TopicPartition] = []
        b.onLost = { lost += $0 }
        log.clock.advance(by: .seconds(4))
        let error = #expect(throws: LogError.self) { try b.values() }
        #expect(error?.code == .fencedInstance)
        #expect(b.numbers.isEmpty && lost.count == held.count)
        #expect(again.numbers == held)
    }

    @Test func `members without an assignor in common do not come together`() throws {
        let a = try log.member { $0.assignors = [.range] }
        try settle([a], holding: 4)
        let b = try log.member { $0.assignors = [.sticky] }
        let error = #expect(throws: LogError.self) { try b.values() }
        #expect(error?.code == .inconsistentProtocol)
        #expect(try a.values() == [] && a.numbers.count == 4)
    }

    @Test func `a dropped member leaves its group`() throws {
        var a: GroupConsumer? = try log.member()
        _ = try a?.values()
        let b = try log.member()
        a = nil
        try settle([b], holding: 4)
        #expect(b.numbers == [0, 1, 2, 3])
    }

    @Test func `an observer may not join, nor a closed member poll`() throws {
        let error = #expect(throws: LogError.self) {
            _ = try GroupConsumer(log.observer(), group: "g", topics: ["in"])
        }
        #expect(error?.code == .readOnly)
        let member = try log.member()
        try member.close()
        try member.close()
        #expect(throws: LogError.self) { try member.values() }
        #expect(throws: LogError.self) {
            _ = try GroupConsumer(log.log, group: "", topics: ["in"]).values()
        }
    }

    @Test func `a member whose rebalance is under way has lost nothing, and commits after it`()
        throws
    {
        let members = try (0..<2).map { _ in try log.member() }
        try settle(members, holding: 4)
        try log.fill(1)
        for member in members { #expect(try member.values().count == 2) }
        let newcomer = try log.member()
        newcomer.onLost = { _ in Issue.record("the newcomer has lost something") }
        for member in members {
            member.onLost = { _ in Issue.record("something was lost") }
            member.onRevoked = { [unowned member] _ in try member.commit() }
        }
        // The last one to join begins the generation; the first one has not heard of it yet.
        _ = try newcomer.values()
        for member in members { _ = try member.values() }
        let error = #expect(throws: LogError.self) { try members[0].commit() }
        #expect(error?.code == .rebalanceInProgress)
        #expect(members[0].numbers.count == 2)
        try settle(members + [newcomer], holding: 4)
        for member in members { try member.commit() }
        #expect(try log.committed() == [0: 1, 1: 1, 2: 1, 3: 1])
    }

    @Test func `a member that closes may commit what it gives up`() throws {
        try log.fill(2)
        let member = try log.member()
        #expect(try member.values().count == 8)
        member.onRevoked = { [unowned member] _ in try member.commit() }
        try member.close()
        #expect(try log.committed() == [0: 2, 1: 2, 2: 2, 3: 2])
        #expect(throws: LogError.self) { try member.commit() }
    }

    @Test func `a poll's call may pause and seek, but not poll`() throws {
        let member = try log.member()
        try settle([member], holding: 4)
        try log.fill(3)
        let count = try member.poll(timeout: .zero) { partition, record in
            let error = #expect(throws: LogError.self) { try member.values() }
            #expect(error?.code == .invalidArgument)
            guard record.offset == Offset(1) else { return }
            try member.seek(partition, to: .zero)
            #expect(member.position(of: partition) == .zero)
            member.pause(member.assignment.filter { $0 != partition })
        }
        #expect(count == 2)
        #expect(try member.values() == ["0:0", "0:1", "0:2"])
    }

    @Test func `a poll whose call gives the partitions up ends with it`() throws {
        try log.fill(3)
        let member = try log.member()
        #expect(try member.poll(timeout: .zero) { _, _ in try member.close() } == 1)
        #expect(member.assignment.isEmpty)
    }
}
