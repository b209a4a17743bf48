// The life of one consumer group: Kafka's classic protocol (`ClassicGroup`, `GroupMetadataManager`) as a
// pure state machine. It has no clock, no thread, no I/O: events come in with their time, actions go out,
// and equal events give equal actions.
//
//                      a member joins                     all joined, or time is up
//      ┌─► Empty ───────────────────► PreparingRebalance ──────────────────────► CompletingRebalance
//      │     ▲ nobody joined                 ▲   ▲                                   │       │
//      │     └───────────────────────────────┘   │    join, leave, expiry, no sync   │       │ the leader's
//      │                                         ├───────────────────────────────────┘       ▼ assignment is stored
//      └─ Dead: deleted by hand                  └───────────────────────────────────────── Stable
//
// Invariants: a generation's members, protocol and leader are fixed when it begins; a commit counts only in
// the current generation; every request is answered once.

/// What the coordinator knows of one group's members.
package struct GroupState: Sendable {
    package enum Phase: String, Sendable {
        case empty = "Empty"
        case preparingRebalance = "PreparingRebalance"
        case completingRebalance = "CompletingRebalance"
        case stable = "Stable"
        case dead = "Dead"
    }

    package struct Member: Sendable {
        package let id: String
        package internal(set) var instanceID: String?
        package internal(set) var clientID: String
        package internal(set) var clientHost: String
        package internal(set) var sessionTimeout: Duration
        package internal(set) var rebalanceTimeout: Duration
        package internal(set) var protocols: [GroupProtocol]
        package internal(set) var assignment: [UInt8] = []
        /// When it is taken for gone, unless it is heard of. Not while it waits for an answer.
        var deadline: GroupInstant
        var joining: GroupRequestID?
        var syncing: GroupRequestID?

        package func metadata(for protocolName: String?) -> [UInt8] {
            protocols.first { $0.name == protocolName }?.metadata ?? []
        }
    }

    package let group: String
    package internal(set) var phase = Phase.empty
    package internal(set) var generation: Int32 = 0
    package internal(set) var protocolType: String?
    package internal(set) var protocolName: String?
    package internal(set) var leader: String?
    package internal(set) var members: [String: Member] = [:]
    /// Static members' ids by `group.instance.id`.
    var staticMembers: [String: String] = [:]
    /// Ids given out (KIP-394) and until when they are kept.
    var pendingMembers: [String: GroupInstant] = [:]

    /// While preparing: when the generation begins without those who have not joined; and not before.
    var rebalanceDeadline: GroupInstant?
    var rebalanceNotBefore: GroupInstant?
    /// While completing: who has not asked for its share yet, and until when it may.
    var unsynced: Set<String> = []
    var syncDeadline: GroupInstant?
    /// While completing: the leader's assignment, until it is stored.
    var storing: [String: [UInt8]]?

    /// How long an empty group waits for more members before its first generation begins.
    private let initialRebalanceDelay: Duration
    var actions: [GroupAction] = []

    package init(group: String, initialRebalanceDelay: Duration = .zero) {
        self.group = group
        self.initialRebalanceDelay = initialRebalanceDelay
    }

    /// Takes in what happened at `now` and gives what is to be done, in order.
    package mutating func handle(_ event: GroupEvent, at now: GroupInstant) -> [GroupAction] {
        switch event {
        case .memberJoined(let request, let id): joined(request, id, now)
        case .assignmentAsked(let member, let name, let assignments, let id):
            assignmentAsked(member, name, assignments, id, now)
        case .memberLeft(let member, let instance): left(member, instance, now)
        case .groupStored(let generation): stored(generation, now)
        case .storingFailed(let generation, let error): storingFailed(generation, error, now)
        case .timePassed: timePassed(now)
        }
        defer { actions = [] }
        return actions
    }

    // MARK: Checks that answer at once

    /// Notes that a member lives. Throws `unknownMember`, `illegalGeneration`, `fencedInstance`, or
    /// `rebalanceInProgress` where it has to join again.
    package mutating func heartbeat(_ member: MemberIdentity, at now: GroupInstant) throws(LogError)
    {
        try requireCurrent(member)
        touch(member.memberID, now)
        if phase == .preparingRebalance { throw rebalanceInProgress }
    }

    /// Throws unless `member` may commit now: a member of the current generation that has its share; nil
    /// is a committer outside the group protocol, for a group without members.
    package mutating func requireCommit(_ member: MemberIdentity?, at now: GroupInstant)
        throws(LogError)
    {
        guard let member else {
            guard members.isEmpty, phase != .dead else {
                throw LogError(
                    .groupNotEmpty,
                    "the group '\(group)' has \(counted(members.count, "member")); stop them before its "
                        + "offsets are changed from outside")
            }
            return
        }
        try requireCurrent(member)
        // Joining again in between is fine: what a member has read so far counts until the next
        // generation begins (Kafka: validateOffsetCommit).
        if phase == .completingRebalance { throw rebalanceInProgress }
        touch(member.memberID, now)
    }

    func requireCurrent(_ member: MemberIdentity) throws(LogError) {
        try requireMember(member.memberID, member.instanceID)
        guard member.generation == generation else {
            throw LogError(
                .illegalGeneration,
                "'\(member.memberID)' speaks for generation \(member.generation) of the group "
                    + "'\(group)', which is in generation \(generation); join again")
        }
    }

    func requireMember(_ id: String, _ instanceID: String?) throws(LogError) {
        if let instanceID, let current = staticMembers[instanceID], current != id {
            throw LogError(
                .fencedInstance,
                "another member of the group '\(group)' runs as instance '\(instanceID)'; give each "
                    + "its own group.instance.id")
        }
        guard members[id] != nil, phase != .dead else {
            throw LogError(
                .unknownMember,
                "the group '\(group)' has no member '\(id)' (left, or not heard of for its session "
                    + "timeout); join again")
        }
    }

    var rebalanceInProgress: LogError {
        LogError(.rebalanceInProgress, "the group '\(group)' is rebalancing; join again")
    }

    mutating func touch(_ id: String, _ now: GroupInstant) {
        guard let member = members[id] else { return }
        members[id]?.deadline = now + member.sessionTimeout
    }

    // MARK: Rebalancing

    /// Begins to gather members for the next generation.
    mutating func prepareRebalance(_ now: GroupInstant) {
        precondition(phase != .dead && phase != .preparingRebalance)
        if phase == .completingRebalance { dropUnfinishedGeneration(rebalanceInProgress) }
        rebalanceNotBefore = phase == .empty ? now + initialRebalanceDelay : nil
        phase = .preparingRebalance
        rebalanceDeadline = now + longestRebalanceTimeout
        let idle = members.values.filter { $0.joining == nil }.map(\.id).sorted()
        if !idle.isEmpty { actions.append(.announceRebalance(members: idle)) }
        completeRebalanceIfAllJoined(now)
    }

    private var longestRebalanceTimeout: Duration {
        members.values.map(\.rebalanceTimeout).max() ?? .zero
    }

    private mutating func dropUnfinishedGeneration(_ error: LogError) {
        storing = nil
        unsynced = []
        syncDeadline = nil
        for id in members.keys.sorted() {
            members[id]?.assignment = []
            answerSync(id, .failure(error))
        }
    }

    mutating func completeRebalanceIfAllJoined(_ now: GroupInstant) {
        guard phase == .preparingRebalance, pendingMembers.isEmpty,
            members.values.allSatisfy({ $0.joining != nil })
        else { return }
        if let earliest = rebalanceNotBefore, now < earliest, !members.isEmpty { return }
        beginGeneration(now)
    }

    /// Begins the next generation with those who have joined; static members stay until their session
    /// ends, also where they have not.
    mutating func beginGeneration(_ now: GroupInstant) {
        let absent = members.values.filter { $0.joining == nil }
        for member in absent where member.instanceID == nil { remove(member.id) }
        if !members.isEmpty, members.values.allSatisfy({ $0.joining == nil }) {
            // Only static members that are away: nobody could lead (Kafka extends the wait as well).
            rebalanceDeadline = now + longestRebalanceTimeout
            return
        }
        rebalanceDeadline = nil
        rebalanceNotBefore = nil
        // Never back to a generation that somebody may still speak for.
        generation = generation == .max ? 1 : generation + 1
        guard !members.isEmpty else {
            phase = .empty
            protocolName = nil
            leader = nil
            actions.append(.storeGroup(generation: generation))
            return
        }
        phase = .completingRebalance
        protocolName = chosenProtocol
        if leader.flatMap({ members[$0]?.joining }) == nil {
            leader = members.values.filter { $0.joining != nil }.map(\.id).min()
        }
        unsynced = Set(members.values.filter { $0.joining != nil }.map(\.id))
        syncDeadline = now + longestRebalanceTimeout
        for id in members.keys.sorted() {
            touch(id, now)
            answerJoin(id)
        }
    }

    /// The protocol that most members like best among those that all of them know; of several, the first
    /// by name.
    private var chosenProtocol: String? {
        var votes: [String: Int] = [:]
        for member in members.values {
            let known = member.protocols.first { isKnownToAll($0.name) }
            if let known { votes[known.name, default: 0] += 1 }
        }
        return votes.min { ($1.value, $0.key) < ($0.value, $1.key) }?.key
    }

    func isKnownToAll(_ protocolName: String) -> Bool {
        members.values.allSatisfy { $0.protocols.contains { $0.name == protocolName } }
    }

    // MARK: Answers

    /// Tells a member of the current generation.
    mutating func answerJoin(_ id: String, skipAssignment: Bool = false) {
        guard let request = members[id]?.joining else { return }
        members[id]?.joining = nil
        guard let protocolName, let leader, let protocolType else {
            preconditionFailure("a generation with members has a protocol and a leader")
        }
        var answer = JoinAnswer(
            generation: generation, memberID: id, leader: leader, protocolType: protocolType,
            protocolName: protocolName, members: [], skipAssignment: skipAssignment)
        if answer.isLeader {
            answer.members = members.values.sorted { $0.id < $1.id }.map {
                JoinAnswer.Member(
                    id: $0.id, instanceID: $0.instanceID, metadata: $0.metadata(for: protocolName))
            }
        }
        actions.append(.answerJoin(request, .success(answer)))
    }

    mutating func answerSync(_ id: String, _ result: Result<[UInt8], LogError>) {
        guard let request = members[id]?.syncing else { return }
        members[id]?.syncing = nil
        actions.append(.answerSync(request, result))
    }

    /// Takes a member out; who waits for an answer gets `error`, by default that it is not known.
    mutating func remove(_ id: String, error: LogError? = nil) {
        guard let member = members[id] else { return }
        let error =
            error
            ?? LogError(
                .unknownMember, "'\(id)' has left the group '\(group)', or was removed; join again")
        if let request = member.joining {
            actions.append(.answerJoin(request, .failure(error)))
        }
        if let request = member.syncing {
            actions.append(.answerSync(request, .failure(error)))
        }
        members[id] = nil
        unsynced.remove(id)
        if let instance = member.instanceID, staticMembers[instance] == id {
            staticMembers[instance] = nil
        }
        if leader == id { leader = nil }
        actions.append(.forgetMember(id))
    }
}
