// The coordinator of a log's consumer groups: drives each group's state machine, keeps the callbacks of
// requests that are answered later, and writes what has to last to `__consumer_offsets`. It has no thread:
// time passes for a group whenever one of its members calls, and members that wait wake for its deadlines
// (`timePassed`); a server calls that from its timer.

import Synchronization

/// Groups of one log that this process owns. Any thread may call. One lock, held while a group's record is
/// written to the page cache, never while anything is flushed or while a callback runs.
package final class GroupCoordinator: Sendable {
    package typealias JoinReply = @Sendable (Result<JoinAnswer, LogError>) -> Void
    package typealias SyncReply = @Sendable (Result<[UInt8], LogError>) -> Void

    /// Marks members of this process: they end with it, so the next one need not wait for them.
    package static let inProcessHost = "in-process"

    /// The log keeps its coordinator, and whoever calls here keeps the log.
    private unowned let log: CommitLog
    package let now: @Sendable () -> GroupInstant
    private let state = Mutex(State())

    private struct State {
        /// Nil until the topic has been read.
        var groups: [String: Group]?
        var joins: [GroupRequestID: JoinReply] = [:]
        var syncs: [GroupRequestID: SyncReply] = [:]
        var lastRequest: GroupRequestID = 0
    }

    struct Group {
        var machine: GroupState
        var offsets: [TopicPartition: CommittedOffset] = [:]
        /// What members in this process want called when they have to join again.
        var nudges: [String: @Sendable () -> Void] = [:]

        init(_ id: String) { machine = GroupState(group: id) }

        /// Nothing that anybody could ask for: deleted, or left by a request that was refused.
        var isVoid: Bool {
            guard machine.phase == .empty else { return machine.phase == .dead }
            return machine.generation == 0 && offsets.isEmpty && machine.pendingMembers.isEmpty
        }
    }

    /// What is left to do when the lock is given up.
    private struct Duties {
        var calls: [@Sendable () -> Void] = []
        var stores: [(generation: Int32, written: Result<Partition, LogError>)] = []
    }

    package init(
        _ log: CommitLog, now: @escaping @Sendable () -> GroupInstant = { ContinuousClock.now }
    ) {
        self.log = log
        self.now = now
    }

    // MARK: Members

    /// Joins the group, making it if need be; `reply` is called once, from whichever thread completes the
    /// rebalance. Throws what reading the groups throws; refusals come as replies.
    /// - Parameter onRebalance: Called, from any thread, when the member has to join again.
    package func join(
        _ request: JoinRequest, in group: String, onRebalance: (@Sendable () -> Void)? = nil,
        reply: @escaping JoinReply
    ) throws {
        try Self.validate(group)
        try perform(in: group, makesGroup: true) { state, current, now in
            state.lastRequest += 1
            state.joins[state.lastRequest] = reply
            let memberID =
                request.memberID.isEmpty ? request.proposedMemberID : request.memberID
            let actions = current.machine.handle(
                .memberJoined(request, state.lastRequest), at: now)
            if current.machine.members[memberID] != nil { current.nudges[memberID] = onRebalance }
            return ((), actions)
        }
    }

    /// Asks for the member's share; the leader brings everybody's.
    package func sync(
        _ member: MemberIdentity, in group: String, protocolName: String?,
        assignments: [String: [UInt8]], reply: @escaping SyncReply
    ) throws {
        try perform(in: group) { state, current, now in
            state.lastRequest += 1
            state.syncs[state.lastRequest] = reply
            let event = GroupEvent.assignmentAsked(
                member, protocolName: protocolName, assignments: assignments, state.lastRequest)
            return ((), current.machine.handle(event, at: now))
        }
    }

    /// Says that a member lives. Throws `unknownMember`, `illegalGeneration`, `fencedInstance` or
    /// `rebalanceInProgress`: then it has to join again.
    package func heartbeat(_ member: MemberIdentity, in group: String) throws {
        try perform(in: group) { _, current, now in
            (try current.machine.heartbeat(member, at: now), [])
        }
    }

    /// Takes a member out at once; one that is not there is left alone.
    package func leave(_ memberID: String, instanceID: String? = nil, group: String) throws {
        try perform(in: group) { _, current, now in
            let event = GroupEvent.memberLeft(memberID: memberID, instanceID: instanceID)
            return ((), current.machine.handle(event, at: now))
        }
    }

    /// Lets time pass for a group: expires its silent members, ends waits that are over. Gives when it
    /// has to be called next, nil for not at all.
    @discardableResult
    package func timePassed(in group: String) throws -> GroupInstant? {
        try perform(in: group, makesGroup: true) { _, current, _ in
            (current.machine.nextDeadline, [])
        }
    }

    // MARK: Offsets

    /// Commits positions as one batch. When it returns with `Acks.flushed` they survive a power loss, as
    /// do the records below them; with `.written` only the end of the process. After an error from the
    /// flush the outcome is unknown; any other error has changed nothing. Throws `unknownMember`,
    /// `illegalGeneration`, `rebalanceInProgress`, `groupNotEmpty` (no member given, but the group has
    /// some), `invalidArgument`, and what writing throws.
    /// - Parameter isGone: Whether a partition is one of a topic that was deleted: its position is left out,
    ///   for it would be taken for one in the next topic of the name.
    package func commit(
        _ offsets: [TopicPartition: CommittedOffset], in group: String, by member: MemberIdentity?,
        acks: Acks = .flushed, isGone: (TopicPartition) -> Bool = { _ in false }
    ) throws {
        try Self.validate(group)
        for (partition, committed) in offsets
        where committed.metadata.utf8.count > Limits.offsetMetadataBytesMax {
            throw LogError(
                .invalidArgument,
                "the metadata committed for \(partition) has \(committed.metadata.utf8.count) bytes, "
                    + "over the limit of \(Limits.offsetMetadataBytesMax)")
        }
        if acks == .flushed { try GroupStore.flushInputs(offsets, in: log) }
        let written = try perform(in: group, makesGroup: member == nil) { _, current, now in
            try current.machine.requireCommit(member, at: now)
            // Under the lock: what is deleted from here on is forgotten by `topicDeleted`.
            let offsets = offsets.filter { !isGone($0.key) }
            guard !offsets.isEmpty else { return (Partition?.none, []) }
            let records = offsets.sorted { TopicPartition.isBefore($0.key, $1.key) }.map {
                (OffsetsKey.offset(group: group, $0.key), Optional($0.value.encoded))
            }
            let written = try GroupStore.append(records, of: group, to: self.log)
            current.offsets.merge(offsets) { $1 }
            return (written, [])
        }
        if acks == .flushed { try written?.flush() }
    }

    /// What the group has committed; empty for a group that there is not.
    package func committed(in group: String) throws -> [TopicPartition: CommittedOffset] {
        try withGroups { $0[group]?.offsets ?? [:] }
    }

    /// Deletes committed offsets of a group. Throws `noSuchGroup`; `groupNotEmpty` where it has members.
    package func deleteOffsets(of partitions: [TopicPartition], in group: String) throws {
        let written = try perform(in: group, missing: .noSuchGroup) { _, current, now in
            try current.machine.requireCommit(nil, at: now)
            let known = partitions.filter { current.offsets[$0] != nil }
            return (try self.forget(known, of: group, &current), [])
        }
        try written?.flush()
    }

    /// Forgets what all groups have committed for a topic that was deleted: a topic of the same name made
    /// later is another one. Not to be called with a lock of the log held.
    package func topicDeleted(_ topic: String) throws {
        let affected = try withGroups { groups in
            groups.filter { $0.value.offsets.keys.contains { $0.topic == topic } }.keys.sorted()
        }
        for group in affected {
            // It may have been deleted since: then there is nothing to forget.
            let written = try perform(in: group, makesGroup: true) { _, current, _ in
                let known = current.offsets.keys.filter { $0.topic == topic }
                return (try self.forget(known, of: group, &current), [])
            }
            try written?.flush()
        }
    }

    /// Deletes committed offsets, with the lock held. Nil where there are none, and nothing was written.
    private func forget(
        _ partitions: [TopicPartition], of group: String, _ current: inout Group
    ) throws -> Partition? {
        guard !partitions.isEmpty else { return nil }
        let written = try GroupStore.append(
            partitions.map { (.offset(group: group, $0), nil) }, of: group, to: log)
        for partition in partitions { current.offsets[partition] = nil }
        return written
    }

    // MARK: Groups

    /// Deletes a group and what it has committed; when it returns that survives a power loss. Throws
    /// `noSuchGroup`, `groupNotEmpty`.
    package func delete(_ group: String) throws {
        let written = try perform(in: group, missing: .noSuchGroup) { _, current, _ in
            var machine = current.machine
            try machine.delete()
            var records: [GroupStore.Record] = current.offsets.keys
                .sorted(by: TopicPartition.isBefore)
                .map { (.offset(group: group, $0), nil) }
            records.append((.group(group), nil))
            let written = try GroupStore.append(records, of: group, to: self.log)
            current.machine = machine
            return (written, [])
        }
        try written.flush()
    }

    /// Gives a look at a group with time passed until now; nil for one that there is not.
    func snapshot(of group: String) throws -> Group? {
        do {
            return try perform(in: group, missing: .noSuchGroup) { _, current, _ in (current, []) }
        } catch let error as LogError where error.code == .noSuchGroup { return nil }
    }

    /// The names of all groups.
    func names() throws -> [String] { try withGroups { $0.keys.sorted() } }

    /// Throws `invalidArgument`.
    static func validate(_ group: String) throws {
        guard (1...Limits.groupNameBytesMax).contains(group.utf8.count) else {
            throw LogError(
                .invalidArgument,
                "the name of a group has 1 to \(Limits.groupNameBytesMax) bytes, not "
                    + "\(group.utf8.count)")
        }
    }

    // MARK: The one home of changes

    private func withGroups<R: Sendable>(_ body: ([String: Group]) throws -> R) throws -> R {
        try state.withLock { state in
            try load(&state)
            return try body(state.groups ?? [:])
        }
    }

    /// Lets time pass for the group, then runs `body` on it, under the lock; afterwards, without the
    /// lock, makes the calls and flushes that the actions ask for, and what follows from those.
    private func perform<R: Sendable>(
        in id: String, makesGroup: Bool = false, missing: LogError.Code = .unknownMember,
        _ body: (inout State, inout Group, GroupInstant) throws -> (R, [GroupAction])
    ) throws -> R {
        var duties = Duties()
        let result: Result<R, any Error> = state.withLock { state in
            Result {
                try load(&state)
                let known = state.groups?.removeValue(forKey: id)
                guard var group = known ?? (makesGroup ? Group(id) : nil) else {
                    throw LogError(missing, "there is no group '\(id)'")
                }
                defer { if !group.isVoid { state.groups?[id] = group } }
                let now = now()
                note(group.machine.handle(.timePassed, at: now), &state, &group, &duties)
                let (result, actions) = try body(&state, &group, now)
                note(actions, &state, &group, &duties)
                return result
            }
        }
        for call in duties.calls { call() }
        for store in duties.stores { finish(store, in: id) }
        return try result.get()
    }

    private func load(_ state: inout State) throws {
        guard state.groups == nil else { return }
        let now = now()
        state.groups = Dictionary(
            uniqueKeysWithValues: try GroupStore.load(log).map { id, stored in
                var group = Group(id)
                if let metadata = stored.metadata {
                    group.machine = GroupState(group: id, metadata, at: now) {
                        $0.clientHost == Self.inProcessHost
                    }
                }
                group.offsets = stored.offsets
                return (id, group)
            })
    }

    private func note(
        _ actions: [GroupAction], _ state: inout State, _ group: inout Group,
        _ duties: inout Duties
    ) {
        for action in actions {
            switch action {
            case .answerJoin(let request, let result):
                guard let reply = state.joins.removeValue(forKey: request) else {
                    preconditionFailure("a join is answered once")
                }
                duties.calls.append { reply(result) }
            case .answerSync(let request, let result):
                guard let reply = state.syncs.removeValue(forKey: request) else {
                    preconditionFailure("a sync is answered once")
                }
                duties.calls.append { reply(result) }
            case .announceRebalance(let members):
                duties.calls += members.compactMap { group.nudges[$0] }
            case .forgetMember(let member):
                group.nudges[member] = nil
            case .storeGroup(let generation):
                duties.stores.append((generation, write(group)))
            }
        }
    }

    private func write(_ group: borrowing Group) -> Result<Partition, LogError> {
        let metadata = group.machine.metadata(at: .now())
        let id = group.machine.group
        return Self.logResult {
            try GroupStore.append([(.group(id), metadata.encoded)], of: id, to: log)
        }
    }

    /// Flushes a group's record and tells its state machine.
    private func finish(
        _ store: (generation: Int32, written: Result<Partition, LogError>), in id: String
    ) {
        let flushed = store.written.flatMap { partition in
            Self.logResult { try partition.flush() }
        }
        let event: GroupEvent
        switch flushed {
        case .success: event = .groupStored(generation: store.generation)
        case .failure(let error): event = .storingFailed(generation: store.generation, error)
        }
        do {
            try perform(in: id) { _, current, now in ((), current.machine.handle(event, at: now)) }
        } catch {
            // The group was deleted meanwhile: nobody waits for this.
        }
    }

    private static func logResult<R>(_ body: () throws -> R) -> Result<R, LogError> {
        do {
            return .success(try body())
        } catch let error as LogError {
            return .failure(error)
        } catch {
            return .failure(LogError(.io, "a consumer group could not be stored: \(error)"))
        }
    }
}
