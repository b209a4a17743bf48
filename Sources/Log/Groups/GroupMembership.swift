// One member's part of the group protocol: joins, brings or fetches shares, gives signs of life. Never
// waits: each step does what can be done now, and the member's signal says when there is more. Belongs to
// the member's thread; replies come from any.

import Synchronization

/// A place for one reply, which comes from any thread.
private final class Reply<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, LogError>?>(nil)

    func set(_ value: Result<Value, LogError>) { result.withLock { $0 = value } }
    var value: Result<Value, LogError>? { result.withLock { $0 } }
}

/// A mark that one thread sets and another one clears.
private final class Mark: Sendable {
    private let value = Atomic<Bool>(false)

    var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }
    func set() { value.store(true, ordering: .sequentiallyConsistent) }
    func clear() { value.store(false, ordering: .sequentiallyConsistent) }
}

/// A member as it is towards its coordinator.
final class GroupMembership {
    /// What a step has come to.
    enum Step {
        /// The member waits for others, or has nothing to do.
        case settled
        /// It is outside of the current generation: `join` is to be called.
        case mustJoin
        /// As `mustJoin`, and its partitions are others' by now.
        case lost
        /// A generation has begun, with these partitions.
        case assigned([TopicPartition])
    }

    private enum Phase {
        case outside
        case joining(Reply<JoinAnswer>)
        case syncing(Reply<[UInt8]>)
        case inside
    }

    private let log: CommitLog
    private let coordinator: GroupCoordinator
    private let group: String
    private let topics: [String]
    private let settings: GroupConsumerSettings
    private let signal: AppendSignal

    private var phase = Phase.outside
    private(set) var memberID = ""
    private(set) var generation: Int32 = -1
    /// Set by the coordinator when a rebalance begins.
    private let isNudged = Mark()
    private var nextHeartbeat: GroupInstant
    /// The partition counts that this member, as the leader, has shared out.
    private var sharedCounts: [String: Int]?

    init(
        _ log: CommitLog, group: String, topics: [String], settings: GroupConsumerSettings,
        signal: AppendSignal
    ) throws {
        self.log = log
        coordinator = try log.groupCoordinator()
        self.group = group
        self.topics = topics
        self.settings = settings
        self.signal = signal
        nextHeartbeat = coordinator.now()
    }

    /// Nil before the first generation.
    var identity: MemberIdentity? {
        guard generation >= 0 else { return nil }
        return MemberIdentity(
            memberID: memberID, generation: generation, instanceID: settings.instanceID)
    }

    /// Whether it has asked to be in a generation of which it does not know its share.
    var isBetweenGenerations: Bool {
        switch phase {
        case .joining, .syncing: true
        case .outside, .inside: false
        }
    }

    /// Asks to be in the next generation.
    func join(owned: [TopicPartition]) throws {
        let subscription = Subscription(
            topics: topics, owned: owned, generation: owned.isEmpty ? -1 : generation)
        let proposed = "\(settings.clientID)-\(TopicID.random())"
        let request = JoinRequest(
            memberID: memberID, proposedMemberID: proposed, instanceID: settings.instanceID,
            clientID: settings.clientID, clientHost: GroupCoordinator.inProcessHost,
            sessionTimeout: settings.sessionTimeout, rebalanceTimeout: settings.rebalanceTimeout,
            protocols: settings.assignors.map { GroupProtocol($0.rawValue, subscription.encoded) })
        let reply = Reply<JoinAnswer>()
        // Until the answer comes this may be a member of that name already: leaving takes it out.
        if memberID.isEmpty { memberID = proposed }
        phase = .joining(reply)
        isNudged.clear()
        do {
            try coordinator.join(
                request, in: group,
                onRebalance: { [isNudged, signal] in
                    isNudged.set()
                    signal.notify()
                },
                reply: { [signal] in
                    reply.set($0)
                    signal.notify()
                })
        } catch {
            forget()
            throw error
        }
    }

    /// Does what can be done now. Throws what cannot be helped by joining again.
    func step() throws -> Step {
        switch phase {
        case .outside: return .mustJoin
        case .inside: return try heartbeatIfDue()
        case .joining(let reply):
            switch reply.value {
            case nil: return .settled
            case .failure(let error):
                phase = .outside
                return try refused(error)
            case .success(let answer):
                do {
                    try sync(answer)
                } catch {
                    // Without a leader that can assign the group is better off with another one.
                    try leave()
                    throw error
                }
                return try step()
            }
        case .syncing(let reply):
            switch reply.value {
            case nil: return .settled
            case .failure(let error):
                phase = .outside
                return try refused(error)
            case .success(let share):
                phase = .inside
                nextHeartbeat = coordinator.now() + settings.heartbeatInterval
                return .assigned(try Self.decode(share, group))
            }
        }
    }

    /// Until when nothing has to be done, if no signal comes; nil for ever.
    func nextDeadline() throws -> GroupInstant? {
        let deadline = try coordinator.timePassed(in: group)
        // While it waits for others nothing is asked of it.
        guard case .inside = phase else { return deadline }
        return deadline.map { min($0, nextHeartbeat) } ?? nextHeartbeat
    }

    /// A call of the member was refused: what is to be done. Throws `error` where joining again does not
    /// help.
    func refused(_ error: LogError) throws -> Step {
        switch error.code {
        case .rebalanceInProgress:
            if !isBetweenGenerations { phase = .outside }
            return .mustJoin
        case .illegalGeneration where isBetweenGenerations:
            // The answer to its joining has been given and is still to be read: nothing is lost yet.
            throw LogError(.rebalanceInProgress, "the group '\(group)' is rebalancing; poll again")
        case .illegalGeneration:
            // Going on without it does not mean that it is out: it may still be a member by its id.
            phase = .outside
            generation = -1
            return .lost
        case .unknownMember:
            forget()
            return .lost
        case .fencedInstance, .inconsistentProtocol, .invalidArgument:
            try leave()
            throw error
        default:
            // It may go better the next time; the member keeps its place until then.
            phase = .outside
            throw error
        }
    }

    /// Leaves the group; nothing happens where it is in none.
    func leave() throws {
        guard !memberID.isEmpty else { return }
        let memberID = memberID
        forget()
        try coordinator.leave(memberID, group: group)
    }

    /// The member has to join again, with what it holds.
    func rejoin() { phase = .outside }

    private func forget() {
        phase = .outside
        memberID = ""
        generation = -1
        sharedCounts = nil
    }

    private func heartbeatIfDue() throws -> Step {
        let now = coordinator.now()
        guard isNudged.isSet || now >= nextHeartbeat, let identity else { return .settled }
        nextHeartbeat = now + settings.heartbeatInterval
        // First: a rebalance that begins behind the coordinator's answer sets it again.
        isNudged.clear()
        do {
            try coordinator.heartbeat(identity, in: group)
        } catch let error as LogError {
            return try refused(error)
        }
        // The leader looks after the topics: more partitions are to be shared out as well.
        guard let sharedCounts,
            try sharedCounts != partitionCounts(of: Array(sharedCounts.keys))
        else { return .settled }
        phase = .outside
        return .mustJoin
    }

    private func sync(_ answer: JoinAnswer) throws {
        memberID = answer.memberID
        generation = answer.generation
        sharedCounts = nil
        var assignments: [String: [UInt8]] = [:]
        if answer.isLeader {
            let shares = try shares(answer)
            if !answer.skipAssignment { assignments = shares.mapValues(Assignment.encode) }
        }
        let reply = Reply<[UInt8]>()
        phase = .syncing(reply)
        guard let identity else { preconditionFailure("a generation is never negative") }
        do {
            try coordinator.sync(
                identity, in: group, protocolName: answer.protocolName, assignments: assignments
            ) { [signal] in
                reply.set($0)
                signal.notify()
            }
        } catch let error as LogError { reply.set(.failure(error)) }
    }

    /// The leader's work.
    private func shares(_ answer: JoinAnswer) throws -> [String: [TopicPartition]] {
        guard let assignor = Assignor(rawValue: answer.protocolName) else {
            throw LogError(
                .inconsistentProtocol,
                "the group '\(group)' chose the assignor '\(answer.protocolName)', which is not known"
            )
        }
        var subscriptions: [String: Subscription] = [:]
        for member in answer.members {
            subscriptions[member.id] = try Self.reading(group) { () throws(MalformedSchema) in
                try Subscription(decoding: member.metadata)
            }
        }
        let counts = try partitionCounts(of: subscriptions.values.flatMap(\.topics))
        sharedCounts = counts
        return assignor.assign(
            partitionCounts: counts.filter { $0.value > 0 }, subscriptions: subscriptions)
    }

    private func partitionCounts(of topics: [String]) throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for topic in Set(topics) { counts[topic] = try log.topicIfAny(topic)?.partitionCount ?? 0 }
        return counts
    }

    private static func decode(_ share: [UInt8], _ group: String) throws -> [TopicPartition] {
        try reading(group) { () throws(MalformedSchema) in try Assignment.decode(share) }
    }

    private static func reading<R>(
        _ group: String, _ body: () throws(MalformedSchema) -> R
    ) throws -> R {
        do {
            return try body()
        } catch {
            throw LogError(
                .corrupted, "a member of the group '\(group)' sent what cannot be read: \(error)")
        }
    }
}
