// The state machine of a group by its events alone: time is a number, requests are counted.

import StreamJobsLog
import TestSupport
import Testing

/// A group whose clock the test moves.
final class GroupUnderTest {
    var state: GroupState
    var now = ContinuousClock.now
    private var lastRequest: GroupRequestID = 0
    /// What was answered, by request.
    var joins: [GroupRequestID: Result<JoinAnswer, LogError>] = [:]
    var syncs: [GroupRequestID: Result<[UInt8], LogError>] = [:]
    var stores: [Int32] = []
    var announced: [[String]] = []
    /// Whether a record is in the log as soon as it is asked for.
    var storesAtOnce = true

    init(initialRebalanceDelay: Duration = .zero) {
        state = GroupState(group: "g", initialRebalanceDelay: initialRebalanceDelay)
    }

    func handle(_ event: GroupEvent) {
        for action in state.handle(event, at: now) {
            switch action {
            case .answerJoin(let id, let result):
                precondition(joins[id] == nil, "answered twice")
                joins[id] = result
            case .answerSync(let id, let result):
                precondition(syncs[id] == nil, "answered twice")
                syncs[id] = result
            case .storeGroup(let generation):
                stores.append(generation)
                if storesAtOnce { handle(.groupStored(generation: generation)) }
            case .announceRebalance(let members): announced.append(members)
            case .forgetMember: break
            }
        }
    }

    func join(
        _ id: String = "", proposed: String = "", instance: String? = nil,
        protocols: [String] = ["range"], metadata: [UInt8] = [], session: Duration = .seconds(10),
        rebalance: Duration = .seconds(60), type: String = "consumer", mustKnow: Bool = false
    ) -> GroupRequestID {
        lastRequest += 1
        handle(
            .memberJoined(
                JoinRequest(
                    memberID: id, proposedMemberID: proposed, instanceID: instance,
                    sessionTimeout: session, rebalanceTimeout: rebalance, protocolType: type,
                    protocols: protocols.map { GroupProtocol($0, metadata) },
                    mustKnowMemberID: mustKnow),
                lastRequest))
        return lastRequest
    }

    func sync(
        _ id: String, _ generation: Int32? = nil, instance: String? = nil,
        shares assignments: [String: [UInt8]] = [:]
    ) -> GroupRequestID {
        lastRequest += 1
        handle(
            .assignmentAsked(
                MemberIdentity(
                    memberID: id, generation: generation ?? state.generation, instanceID: instance),
                protocolName: nil, assignments: assignments, lastRequest))
        return lastRequest
    }

    func pass(_ duration: Duration) {
        now += duration
        handle(.timePassed)
    }

    func heartbeat(_ id: String, _ generation: Int32? = nil) -> LogError.Code? {
        refusal { (group) throws(LogError) in
            let member = MemberIdentity(
                memberID: id, generation: generation ?? group.state.generation)
            try group.state.heartbeat(member, at: group.now)
        }
    }

    func commit(_ id: String?, _ generation: Int32? = nil) -> LogError.Code? {
        refusal { (group) throws(LogError) in
            let member = id.map {
                MemberIdentity(memberID: $0, generation: generation ?? group.state.generation)
            }
            try group.state.requireCommit(member, at: group.now)
        }
    }

    private func refusal(_ body: (GroupUnderTest) throws(LogError) -> Void) -> LogError.Code? {
        do {
            try body(self)
            return nil
        } catch { return error.code }
    }

    func answer(_ id: GroupRequestID) -> JoinAnswer? {
        if case .success(let answer) = joins[id] { answer } else { nil }
    }

    func joinRefusal(_ id: GroupRequestID) -> LogError.Code? {
        if case .failure(let error) = joins[id] { error.code } else { nil }
    }

    func share(_ id: GroupRequestID) -> [UInt8]? {
        if case .success(let share) = syncs[id] { share } else { nil }
    }

    func syncRefusal(_ id: GroupRequestID) -> LogError.Code? {
        if case .failure(let error) = syncs[id] { error.code } else { nil }
    }

    /// Members `a` and `b` with shares 1 and 2, in generation 2.
    static func ofTwo(instances: Bool = false) -> GroupUnderTest {
        let group = GroupUnderTest()
        _ = group.join(proposed: "a", instance: instances ? "ia" : nil)
        _ = group.join(proposed: "b", instance: instances ? "ib" : nil)
        _ = group.join("a", instance: instances ? "ia" : nil)
        _ = group.sync("a", shares: ["a": [1], "b": [2]])
        _ = group.sync("b")
        precondition(group.state.phase == .stable && group.state.generation == 2)
        return group
    }
}

struct GroupStateTests {
    @Test func `the first member leads the first generation`() {
        let group = GroupUnderTest()
        let join = group.join(proposed: "a", metadata: [7])
        #expect(group.state.phase == .completingRebalance)
        let answer = group.answer(join)
        #expect(answer?.generation == 1 && answer?.isLeader == true)
        #expect(answer?.members.map(\.id) == ["a"] && answer?.members[0].metadata == [7])
        let sync = group.sync("a", shares: ["a": [1]])
        #expect(group.share(sync) == [1] && group.state.phase == .stable && group.stores == [1])
        #expect(group.heartbeat("a") == nil && group.commit("a") == nil)
    }

    @Test func `a new member makes the others join again, and only the leader hears of all`() {
        let group = GroupUnderTest()
        _ = group.join(proposed: "a")
        _ = group.sync("a", shares: ["a": [1]])
        let newcomer = group.join(proposed: "b")
        #expect(group.announced == [["a"]] && group.answer(newcomer) == nil)
        #expect(group.heartbeat("a") == .rebalanceInProgress)
        // What it has read so far still counts.
        #expect(group.commit("a") == nil)
        let again = group.join("a")
        #expect(group.answer(again)?.members.map(\.id) == ["a", "b"])
        #expect(group.answer(newcomer)?.members == [] && group.answer(newcomer)?.leader == "a")
        #expect(group.answer(newcomer)?.generation == 2)
        let waiting = group.sync("b")
        #expect(group.syncs[waiting] == nil && group.commit("b") == .rebalanceInProgress)
        _ = group.sync("a", shares: ["b": [2]])
        #expect(group.share(waiting) == [2])
        #expect(group.commit("b", 1) == .illegalGeneration)
        #expect(group.commit("b", 3) == .illegalGeneration)
        #expect(group.commit("z") == .unknownMember)
    }

    @Test func `nothing is answered before the shares are stored`() {
        let group = GroupUnderTest()
        group.storesAtOnce = false
        _ = group.join(proposed: "a")
        let sync = group.sync("a", shares: ["a": [1]])
        #expect(group.syncs.isEmpty && group.state.phase == .completingRebalance)
        group.handle(.groupStored(generation: 1))
        #expect(group.share(sync) == [1])
    }

    @Test func `shares that cannot be stored are nobody's`() {
        let group = GroupUnderTest()
        group.storesAtOnce = false
        _ = group.join(proposed: "a")
        let sync = group.sync("a", shares: ["a": [1]])
        group.handle(.storingFailed(generation: 1, LogError(.noSpace, "full")))
        #expect(group.syncRefusal(sync) == .noSpace)
        #expect(group.state.phase == .preparingRebalance)
        #expect(group.answer(group.join("a"))?.generation == 2)
    }

    @Test func `who does not join in time is left out`() {
        let group = GroupUnderTest.ofTwo()
        let join = group.join("a", session: .seconds(100), rebalance: .seconds(5))
        _ = group.heartbeat("b")
        group.pass(.seconds(59))
        #expect(group.answer(join) == nil || group.state.members["b"] == nil)
        // b's own session has ended before the longest rebalance timeout.
        #expect(group.answer(join)?.members.map(\.id) == ["a"])
        #expect(group.heartbeat("b") == .unknownMember)
    }

    @Test func `the rebalance timeout ends the wait for a member that only gives signs of life`() {
        let group = GroupUnderTest.ofTwo()
        let join = group.join("a")
        for _ in 0..<12 {
            #expect(group.answer(join) == nil)
            _ = group.heartbeat("b")
            group.pass(.seconds(5))
        }
        #expect(group.answer(join)?.generation == 3)
        #expect(group.answer(join)?.members.map(\.id) == ["a"])
        #expect(group.commit("b", 2) == .unknownMember)
    }

    @Test func `a silent member is taken for gone, a living one is not`() {
        let group = GroupUnderTest.ofTwo()
        for _ in 0..<3 {
            group.pass(.seconds(4))
            _ = group.heartbeat("a")
        }
        #expect(group.state.members.keys.sorted() == ["a"])
        #expect(group.state.phase == .preparingRebalance)
        #expect(group.commit("b", 2) == .unknownMember)
        #expect(group.answer(group.join("a"))?.generation == 3)
    }

    @Test func `who waits for an answer is not silent`() {
        let group = GroupUnderTest.ofTwo()
        let join = group.join("a", session: .seconds(1))
        for _ in 0..<5 {
            group.pass(.seconds(5))
            _ = group.heartbeat("b")
        }
        #expect(group.joins[join] == nil && group.state.members["a"] != nil)
    }

    @Test func `who joined but never asks for its share is left out`() {
        let group = GroupUnderTest.ofTwo()
        let old = group.state.generation
        _ = group.join("b", metadata: [1])
        _ = group.join("a", metadata: [1])
        let waiting = group.sync("b", old + 1)
        for _ in 0..<12 {
            group.pass(.seconds(5))
            _ = group.heartbeat("a")
        }
        #expect(group.syncRefusal(waiting) == .rebalanceInProgress)
        #expect(group.state.members.keys.sorted() == ["b"])
        #expect(group.answer(group.join("b"))?.isLeader == true)
    }

    @Test func `the last one to leave leaves an empty group, whose generation is kept`() {
        let group = GroupUnderTest.ofTwo()
        group.handle(.memberLeft(memberID: "a", instanceID: nil))
        group.handle(.memberLeft(memberID: "b", instanceID: nil))
        #expect(group.state.phase == .empty && group.state.generation == 3)
        #expect(group.stores == [2, 3])
        #expect(group.commit(nil) == nil)
        #expect(group.answer(group.join(proposed: "c"))?.generation == 4)
    }

    @Test func `a commit from outside is refused while there are members`() {
        let group = GroupUnderTest.ofTwo()
        #expect(group.commit(nil) == .groupNotEmpty)
        #expect(throws: LogError.self) { try group.state.delete() }
    }

    @Test func `a lost join answer is given again without a rebalance`() {
        let group = GroupUnderTest.ofTwo()
        let again = group.join("b")
        #expect(group.answer(again)?.generation == 2 && group.state.phase == .stable)
        #expect(group.share(group.sync("b")) == [2])
        // The leader's coming back is a wish to share out anew.
        _ = group.join("a")
        #expect(group.state.phase == .preparingRebalance)
    }

    @Test func `other metadata make a rebalance`() {
        let group = GroupUnderTest.ofTwo()
        _ = group.join("b", metadata: [9])
        #expect(group.state.phase == .preparingRebalance)
    }

    @Test func `a rebalance refuses those who wait for shares of the last generation`() {
        let group = GroupUnderTest()
        _ = group.join(proposed: "a")
        _ = group.join(proposed: "b")
        _ = group.join("a")
        let waiting = group.sync("b")
        _ = group.join(proposed: "c")
        #expect(group.syncRefusal(waiting) == .rebalanceInProgress)
        let late = group.sync("a", 2, shares: ["a": [1]])
        #expect(group.syncRefusal(late) == .rebalanceInProgress)
    }

    @Test func `a protocol that all know is chosen, the one that most like best`() {
        let group = GroupUnderTest()
        _ = group.join(proposed: "a", protocols: ["x", "range", "sticky"])
        let b = group.join(proposed: "b", protocols: ["sticky", "range"])
        let c = group.join(proposed: "c", protocols: ["sticky", "range"])
        _ = group.join("a", protocols: ["x", "range", "sticky"])
        #expect(group.answer(b)?.protocolName == "sticky")
        #expect(group.answer(c)?.protocolName == "sticky")
        let stranger = group.join(proposed: "d", protocols: ["x"])
        #expect(group.joinRefusal(stranger) == .inconsistentProtocol)
        let other = group.join(proposed: "e", type: "connect")
        #expect(group.joinRefusal(other) == .inconsistentProtocol)
    }

    @Test func `a member that must know its id is told it first`() {
        let group = GroupUnderTest()
        let first = group.join(proposed: "a", mustKnow: true)
        #expect(group.joinRefusal(first) == .memberIDRequired)
        #expect(group.state.members.isEmpty)
        let second = group.join("a", mustKnow: true)
        #expect(group.answer(second)?.memberID == "a")
        #expect(group.joinRefusal(group.join("never given")) == .unknownMember)
        // An id that nobody came back with holds nothing up for longer than its session.
        _ = group.join(proposed: "b", mustKnow: true)
        group.pass(.seconds(11))
        #expect(group.joinRefusal(group.join("b")) == .unknownMember)
    }

    @Test func `a static member that comes back gets its share without a rebalance`() {
        let group = GroupUnderTest.ofTwo(instances: true)
        let back = group.join(proposed: "b2", instance: "ib")
        #expect(group.state.phase == .stable)
        #expect(group.answer(back)?.generation == 2 && group.answer(back)?.memberID == "b2")
        #expect(group.share(group.sync("b2", instance: "ib")) == [2])
        #expect(group.commit("b") == .unknownMember)
        #expect(group.syncRefusal(group.sync("b", instance: "ib")) == .fencedInstance)
    }

    @Test func `a static leader that comes back leads on, and keeps the shares`() {
        let group = GroupUnderTest.ofTwo(instances: true)
        let back = group.join(proposed: "a2", instance: "ia")
        #expect(group.answer(back)?.isLeader == true && group.answer(back)?.skipAssignment == true)
        #expect(group.share(group.sync("a2", instance: "ia")) == [1])
        #expect(group.state.phase == .stable)
    }

    @Test func `an absent static member keeps its place until its session ends`() {
        let group = GroupUnderTest.ofTwo(instances: true)
        let join = group.join("a", instance: "ia", metadata: [1], rebalance: .seconds(3))
        group.state.members["b"].map { #expect($0.assignment == [2]) }
        for _ in 0..<12 {
            _ = group.heartbeat("b")
            group.pass(.seconds(5))
        }
        #expect(group.answer(join)?.members.map(\.id) == ["a", "b"])
        group.pass(.seconds(10))
        #expect(group.state.members["b"] == nil)
    }

    @Test func `the first generation waits for more members where it is told to`() {
        let group = GroupUnderTest(initialRebalanceDelay: .seconds(3))
        let a = group.join(proposed: "a")
        group.pass(.seconds(2))
        let b = group.join(proposed: "b")
        #expect(group.joins.isEmpty)
        group.pass(.seconds(1))
        #expect(group.answer(a)?.generation == 1 && group.answer(b)?.generation == 1)
    }

    @Test func `the next deadline is when something happens`() {
        let group = GroupUnderTest.ofTwo()
        #expect(group.state.nextDeadline == group.now + .seconds(10))
        group.now += .seconds(4)
        _ = group.heartbeat("a")
        _ = group.heartbeat("b")
        #expect(group.state.nextDeadline == group.now + .seconds(10))
        #expect(GroupState(group: "g").nextDeadline == nil)
    }

    @Test func `a group is taken up from its record, without the members of a process that ended`()
    {
        var metadata = GroupUnderTest.ofTwo().state.metadata(at: Timestamp(milliseconds: 0))
        let now = ContinuousClock.now
        let empty = GroupState(group: "g", metadata, at: now) { _ in true }
        #expect(empty.phase == .empty && empty.generation == 2)
        let whole = GroupState(group: "g", metadata, at: now) { _ in false }
        #expect(whole.phase == .stable && whole.leader == "a")
        #expect(whole.metadata(at: Timestamp(milliseconds: 0)) == metadata)
        let part = GroupState(group: "g", metadata, at: now) { $0.id == "a" }
        #expect(part.phase == .preparingRebalance && part.members.keys.sorted() == ["b"])
        metadata.members = []
        #expect(GroupState(group: "g", metadata, at: now) { _ in false }.phase == .empty)
    }

    @Test func `a record that does not say all of a group's members traps nobody`() {
        let metadata = GroupUnderTest.ofTwo(instances: true).state.metadata(
            at: Timestamp(milliseconds: 0))
        let group = GroupUnderTest()
        func restore(_ change: (inout GroupMetadata) -> Void) {
            var changed = metadata
            change(&changed)
            group.state = GroupState(group: "g", changed, at: group.now) { _ in false }
        }
        restore { $0.leader = nil }
        #expect(group.state.phase == .preparingRebalance)
        restore { $0.leader = "nobody" }
        #expect(group.state.phase == .preparingRebalance)
        restore { $0.protocolType = "" }
        #expect(group.state.phase == .empty && group.state.members.isEmpty)
        restore { $0.members[1].id = "a" }
        #expect(group.state.phase == .preparingRebalance && group.state.members.count == 1)
        let back = group.join(proposed: "b2", instance: "ib")
        #expect(group.joinRefusal(back) == nil)
    }

    @Test func `an id that was given out takes no static member's place`() {
        let group = GroupUnderTest.ofTwo(instances: true)
        _ = group.join(proposed: "c", mustKnow: true)
        #expect(group.joinRefusal(group.join("c", instance: "ia")) == .fencedInstance)
        #expect(group.state.members.keys.sorted() == ["a", "b"])
        #expect(group.state.phase == .stable)
    }

    @Test func `a name that does not fit the group's record is refused`() {
        let long = String(repeating: "x", count: Limits.schemaStringBytesMax + 1)
        let group = GroupUnderTest()
        for request in [
            group.join(long), group.join(proposed: long), group.join(proposed: "a", instance: long),
            group.join(proposed: "a", protocols: [long]), group.join(proposed: "a", type: long),
        ] {
            #expect(group.joinRefusal(request) == .invalidArgument)
        }
        #expect(group.state.members.isEmpty)
        #expect(group.joinRefusal(group.join(proposed: String(long.dropLast()))) == nil)
    }
}
