// A member of a consumer group: the group's members share the partitions of its topics, each partition is
// read by one of them, and what has been read is committed under the group's name.
//
//  poll ──► sign of life, join if need be ──► records of the partitions held ──► none: wait for an append,
//           (revoke, assign, begin at the                                       a rebalance, or time
//            committed positions)

/// Reads topics as one of a group. Belongs to one thread; several members run in several threads.
/// A record is given again after a crash, or after a rebalance, unless it was committed (at least once).
public final class GroupConsumer {
    public let group: String
    public let topics: [String]
    public let settings: GroupConsumerSettings

    /// Called by `poll`, on its thread, with partitions that this member gets; their positions are set.
    public var onAssigned: (([TopicPartition]) throws -> Void)?
    /// Called by `poll` and `close`, on their thread, with partitions that this member gives up, while it
    /// may still commit.
    public var onRevoked: (([TopicPartition]) throws -> Void)?
    /// Called by `poll` and `commit`, on their thread, with partitions that others have by now: what was
    /// not committed will be read by them, commits are refused.
    public var onLost: (([TopicPartition]) throws -> Void)?

    private let log: CommitLog
    private let coordinator: GroupCoordinator
    private let membership: GroupMembership
    private let reader: GroupReader
    private let signal: AppendSignal
    /// What is committed, as far as this member knows: what equals its position needs no commit.
    private var committed: [TopicPartition: Offset] = [:]
    private var nextAutoCommit: GroupInstant
    private var life = Life.open

    private enum Life {
        case open
        /// Commits what it holds, and is read no more.
        case closing
        case closed
    }

    /// Makes a member, which joins with its first poll. Throws `noSuchTopic`, `invalidArgument`, or
    /// `readOnly` where another process owns the log.
    public init(
        _ log: CommitLog, group: String, topics: [String],
        settings: GroupConsumerSettings = GroupConsumerSettings()
    ) throws {
        try settings.validate()
        for topic in topics { _ = try log.topic(topic) }
        self.log = log
        self.group = group
        self.topics = topics
        self.settings = settings
        coordinator = try log.groupCoordinator()
        signal = AppendSignal()
        membership = try GroupMembership(
            log, group: group, topics: topics, settings: settings, signal: signal)
        reader = GroupReader(log, isolation: settings.isolation, signal: signal)
        nextAutoCommit = coordinator.now() + (settings.autoCommitInterval ?? .zero)
    }

    deinit {
        do {
            // Dropped without close: the others need not wait for the session to end.
            try membership.leave()
        } catch {
            // Its session ends by itself.
        }
    }

    /// The partitions held now.
    public var assignment: [TopicPartition] { reader.partitions }
    /// Empty before the first join.
    public var memberID: String { membership.memberID }
    /// Of the group, as this member knows it; -1 outside of it.
    public var generation: Int32 { membership.generation }

    // MARK: Reading

    /// Gives the records that are there, or those that come within `timeout`: at least one, at most
    /// `maxPollRecords`; 0 when the time is over. Joins the group first, and again after each rebalance.
    /// The view is valid during the call only. A record whose call throws is given again by the next poll
    /// and is not committed. `body` may commit, pause, seek and close, but not poll. Throws what `body` and the callbacks throw, `noCommittedOffset` and
    /// `offsetOutOfRange` where the settings name no place to begin, `fencedInstance`,
    /// `inconsistentProtocol`, and what reading and committing throws.
    public func poll(
        timeout: Duration, _ body: (TopicPartition, borrowing RecordView) throws -> Void
    ) throws -> Int {
        guard life == .open else { throw wasClosed }
        guard !reader.isReading else {
            throw LogError(
                .invalidArgument,
                "a member of the group '\(group)' was polled from within the call of its own poll")
        }
        let deadline = coordinator.now() + timeout
        while true {
            let seen = signal.count
            try keepMembership()
            let count = try reader.poll(maxRecords: settings.maxPollRecords, body)
            if count > 0 { return count }
            let now = coordinator.now()
            guard now < deadline else { return 0 }
            var until = deadline
            if let next = try membership.nextDeadline() { until = min(until, next) }
            if settings.autoCommitInterval != nil, !uncommitted.isEmpty {
                until = min(until, nextAutoCommit)
            }
            signal.wait(after: seen, timeout: until - now)
        }
    }

    /// The next offset to be read; nil for a partition that is not held.
    public func position(of partition: TopicPartition) -> Offset? {
        reader.position(of: partition)
    }

    /// Goes on from `offset`. Throws `invalidArgument` for a partition that is not held.
    public func seek(_ partition: TopicPartition, to offset: Offset) throws {
        guard reader.seek(partition, to: offset) else {
            throw LogError(
                .invalidArgument,
                "\(partition) is not held by this member of the group '\(group)', which cannot seek it"
            )
        }
    }

    /// Leaves out these partitions, which stay this member's, until they are resumed or given up.
    public func pause(_ partitions: [TopicPartition]) { reader.setPaused(true, partitions) }
    public func resume(_ partitions: [TopicPartition]) { reader.setPaused(false, partitions) }

    // MARK: Committing

    /// Commits the positions of all partitions held: everything whose call has returned. When it returns
    /// they last as `acks` says. Throws `unknownMember` or `illegalGeneration` where others have the
    /// partitions by now (the next poll joins again), `rebalanceInProgress` where only the next poll can
    /// tell.
    public func commit() throws {
        try commit(uncommitted)
    }

    /// Commits positions of the caller's choice, of partitions held. As `commit()`; `invalidArgument` for
    /// others.
    public func commit(_ offsets: [TopicPartition: CommittedOffset]) throws {
        guard life != .closed else { throw wasClosed }
        for partition in offsets.keys where reader.position(of: partition) == nil {
            throw LogError(
                .invalidArgument,
                "\(partition) is not held by this member of the group '\(group)', which cannot commit it"
            )
        }
        guard !offsets.isEmpty, let identity = membership.identity else { return }
        do {
            try coordinator.commit(
                offsets, in: group, by: identity, acks: settings.acks, isGone: reader.isDeleted)
        } catch let error as LogError where Self.isRefusal(error) {
            if case .lost = try membership.refused(error) { try lose() }
            throw error
        }
        committed.merge(offsets.mapValues(\.offset)) { $1 }
    }

    /// What the group has committed for the partitions held.
    public func committedOffsets() throws -> [TopicPartition: CommittedOffset] {
        let held = Set(reader.partitions)
        return try coordinator.committed(in: group).filter { held.contains($0.key) }
    }

    /// Commits what is due by itself, gives up the partitions and leaves, so that others get them at once.
    /// Does nothing the second time. Throws what committing and `onRevoked` throw, but leaves.
    /// - Parameter timeout: How long to wait for a rebalance that has begun, during which nothing can be
    ///   committed; what is not is read again by others.
    public func close(timeout: Duration = Limits.closeTimeout) throws {
        guard life == .open else { return }
        life = .closing
        defer {
            reader.unassign(reader.partitions)
            life = .closed
        }
        do {
            try awaitGeneration(until: coordinator.now() + timeout)
            try giveUp(reader.partitions)
        } catch {
            try membership.leave()
            throw error
        }
        try membership.leave()
    }

    /// Waits until the generation has begun that this member has joined, where there is something to
    /// commit by itself.
    private func awaitGeneration(until deadline: GroupInstant) throws {
        while settings.autoCommitInterval != nil, membership.isBetweenGenerations,
            !uncommitted.isEmpty
        {
            let seen = signal.count
            switch try membership.step() {
            case .lost: return try lose()
            // What it holds is nobody else's before it has joined once more: it may still commit.
            case .assigned, .mustJoin: return
            case .settled: break
            }
            let now = coordinator.now()
            guard now < deadline else { return }
            let next = try membership.nextDeadline() ?? deadline
            signal.wait(after: seen, timeout: min(next, deadline) - now)
        }
    }

    private var uncommitted: [TopicPartition: CommittedOffset] {
        var offsets: [TopicPartition: CommittedOffset] = [:]
        for partition in reader.partitions {
            guard let position = reader.position(of: partition), committed[partition] != position
            else { continue }
            offsets[partition] = CommittedOffset(
                position, leaderEpoch: reader.leaderEpoch(before: position, in: partition))
        }
        return offsets
    }

    /// Commits where the settings say so. A refusal is not the caller's to mend: polling joins again.
    private func commitAutomatically() throws {
        guard let interval = settings.autoCommitInterval, let identity = membership.identity else {
            return
        }
        nextAutoCommit = coordinator.now() + interval
        let offsets = uncommitted
        guard !offsets.isEmpty else { return }
        do {
            try coordinator.commit(
                offsets, in: group, by: identity, acks: settings.acks, isGone: reader.isDeleted)
            committed.merge(offsets.mapValues(\.offset)) { $1 }
        } catch let error as LogError where Self.isRefusal(error) {
            guard !membership.isBetweenGenerations || error.code == .unknownMember else { return }
            if case .lost = try membership.refused(error) { try lose() }
        }
    }

    private static func isRefusal(_ error: LogError) -> Bool {
        [.unknownMember, .illegalGeneration, .rebalanceInProgress].contains(error.code)
    }

    private var wasClosed: LogError {
        LogError(.readOnly, "this member of the group '\(group)' was closed")
    }

    // MARK: Membership

    private var isCooperative: Bool { settings.assignors.allSatisfy(\.isCooperative) }

    /// Does what the group asks for now, without waiting.
    private func keepMembership() throws {
        do {
            try followGroup()
        } catch {
            // It is no member any more: what it held is others', and commits of it would be refused.
            if membership.identity == nil { try lose() }
            throw error
        }
    }

    private func followGroup() throws {
        while true {
            switch try membership.step() {
            case .settled:
                if coordinator.now() >= nextAutoCommit { try commitAutomatically() }
                return
            case .lost: try lose()
            case .mustJoin: try join()
            case .assigned(let partitions):
                do {
                    try take(partitions)
                } catch {
                    // A share that is taken up in part would be read in part: begin anew instead.
                    drop(reader.partitions)
                    try membership.leave()
                    throw error
                }
            }
        }
    }

    private func join() throws {
        if isCooperative {
            try commitAutomatically()
        } else {
            try giveUp(reader.partitions)
        }
        try membership.join(owned: reader.partitions)
    }

    /// Takes up a share, giving up first what is no longer in it.
    private func take(_ partitions: [TopicPartition]) throws {
        let held = Set(reader.partitions)
        let revoked = held.subtracting(partitions).sorted(by: TopicPartition.isBefore)
        try giveUp(revoked)
        // Refused: this share is of a generation that goes on without it, and it joins again.
        guard membership.identity != nil else { return }
        let added = partitions.filter { !held.contains($0) }
        let offsets = try coordinator.committed(in: group)
        for partition in added {
            try reader.assign(partition, at: start(of: partition, offsets[partition]))
            // A place that was found by a reset is committed as well: the next member finds the same.
            committed[partition] = offsets[partition]?.offset
        }
        if !added.isEmpty { try onAssigned?(added) }
        // What was given up is for others: they get it in the generation that this begins (KIP-429).
        if isCooperative, !revoked.isEmpty { membership.rejoin() }
    }

    private func giveUp(_ partitions: [TopicPartition]) throws {
        guard !partitions.isEmpty else { return }
        try commitAutomatically()
        // Refused: they are lost by now.
        let still = partitions.filter { reader.position(of: $0) != nil }
        guard !still.isEmpty else { return }
        defer { drop(still) }
        try onRevoked?(still)
    }

    private func lose() throws {
        let lost = reader.partitions
        drop(lost)
        if !lost.isEmpty { try onLost?(lost) }
    }

    private func drop(_ partitions: [TopicPartition]) {
        reader.unassign(partitions)
        for partition in partitions { committed[partition] = nil }
    }

    private func start(of name: TopicPartition, _ committed: CommittedOffset?) throws -> Offset {
        let partition = try log.partition(name)
        return try GroupPosition(group, partition, committed).start(settings)
    }
}
