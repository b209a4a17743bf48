// Looking at consumer groups and changing them from outside: what `jobrunner groups` does.

extension CommitLog {
    /// The consumer groups of this log. An observer may look; only the owner may change.
    public var groups: ConsumerGroups { ConsumerGroups(self) }
}

/// All groups of a log. Any thread may call. An owner sees its living groups; an observer what the log's
/// topic has, read anew with each call.
public struct ConsumerGroups: Sendable {
    private let log: CommitLog

    init(_ log: CommitLog) { self.log = log }

    // MARK: Looking

    /// Sorted by name.
    public func list() throws -> [ConsumerGroupSummary] {
        try looks().map { look in
            ConsumerGroupSummary(
                group: look.group, state: look.state,
                // Kafka's record has an empty one where there was never a member.
                protocolType: look.metadata.flatMap {
                    $0.protocolType.isEmpty ? nil : $0.protocolType
                },
                memberCount: look.metadata?.members.count ?? 0)
        }
    }

    /// Members, what each holds, and how far the group is in each partition. Throws `noSuchGroup`.
    public func describe(_ group: String) throws -> ConsumerGroupDescription {
        guard let look = try look(at: group) else { throw noSuchGroup(group) }
        let isConsumer = look.metadata?.protocolType == ConsumerProtocol.type
        let members = (look.metadata?.members ?? []).map { member in
            ConsumerGroupDescription.Member(
                id: member.id, instanceID: member.instanceID, clientID: member.clientID,
                host: member.clientHost,
                partitions: isConsumer ? Self.partitions(member.assignment) : [])
        }
        var holders: [TopicPartition: String] = [:]
        for member in members { for name in member.partitions { holders[name] = member.id } }
        let names = Set(look.offsets.keys).union(holders.keys)
        let partitions = try names.sorted(by: TopicPartition.isBefore).map { name in
            let partition = try GroupStore.partitionIfAny(name, in: log)
            return ConsumerGroupDescription.Partition(
                name: name, committed: look.offsets[name], start: partition?.startOffset,
                logEnd: partition?.logEndOffset, memberID: holders[name])
        }
        return ConsumerGroupDescription(
            group: group, state: look.state, generation: look.metadata?.generation ?? 0,
            assignor: look.metadata?.protocolName, leader: look.metadata?.leader,
            members: members, partitions: partitions)
    }

    /// What the group has committed. Throws `noSuchGroup`.
    public func committedOffsets(of group: String) throws -> [TopicPartition: CommittedOffset] {
        guard let look = try look(at: group) else { throw noSuchGroup(group) }
        return look.offsets
    }

    // MARK: Changing

    /// Moves the positions of a group without members, making the group if need be, and gives what it has
    /// moved; when it returns that survives a power loss. A position beyond an end is set to that end, and
    /// in a topic that is deleted meanwhile nothing is moved. With
    /// `dryRun`, which an observer may use as well, nothing is changed, but every reason to refuse is looked
    /// for.
    /// Throws `groupNotEmpty`, `noSuchTopic`, `readOnly`; `invalidArgument` for a name that no group can
    /// have; `noSuchGroup` or `invalidArgument` where no partitions are given and the group has no positions.
    /// - Parameter partitions: Those to be moved; nil for all that the group has committed.
    public func resetOffsets(
        of group: String, partitions: [TopicPartition]? = nil, to target: OffsetTarget,
        dryRun: Bool = false
    ) throws -> [OffsetMove] {
        try GroupCoordinator.validate(group)
        // Only an owner has one.
        let coordinator = dryRun ? nil : try log.groupCoordinator()
        let look = try look(at: group)
        let committed = look?.offsets ?? [:]
        if let members = look?.metadata?.members, !members.isEmpty {
            throw LogError(
                .groupNotEmpty,
                "the group '\(group)' has \(counted(members.count, "member")); stop them before its "
                    + "offsets are reset")
        }
        let names = try partitions ?? committed.keys.filter { try log.topicIfAny($0.topic) != nil }
        guard !names.isEmpty else {
            throw LogError(
                look == nil ? .noSuchGroup : .invalidArgument,
                look == nil
                    ? "there is no consumer group '\(group)' in \(log.directory); name the topics that it "
                        + "is to begin with, to make it"
                    : "the group '\(group)' has no committed offsets to reset; name the topics")
        }
        let moves = try Set(names).sorted(by: TopicPartition.isBefore).map { name in
            let partition = try log.partition(name)
            try partition.refresh()
            let to = try target.offset(in: partition, committed: committed[name]?.offset)
            return (partition, OffsetMove(partition: name, from: committed[name]?.offset, to: to))
        }
        if let coordinator {
            var offsets: [TopicPartition: CommittedOffset] = [:]
            for (partition, move) in moves {
                let epoch =
                    move.to > partition.startOffset
                    ? partition.leaderEpoch(at: Offset(move.to.rawValue - 1)) : nil
                offsets[move.partition] = CommittedOffset(move.to, leaderEpoch: epoch)
            }
            let partitions = Dictionary(uniqueKeysWithValues: moves.map { ($1.partition, $0) })
            try coordinator.commit(offsets, in: group, by: nil) {
                partitions[$0]?.isDeleted ?? true
            }
        }
        return moves.filter { !$0.0.isDeleted }.map(\.1)
    }

    /// Forgets what a group without members has committed for these partitions. Throws `noSuchGroup`,
    /// `groupNotEmpty`, `readOnly`.
    public func deleteOffsets(of group: String, partitions: [TopicPartition]) throws {
        try log.groupCoordinator().deleteOffsets(of: partitions, in: group)
    }

    /// Deletes a group without members and all it has committed; when it returns that survives a power
    /// loss. Throws `noSuchGroup`, `groupNotEmpty`, `readOnly`.
    public func delete(_ group: String) throws { try log.groupCoordinator().delete(group) }

    // MARK: Where it comes from

    private struct Look {
        let group: String
        let state: ConsumerGroupState
        let metadata: GroupMetadata?
        let offsets: [TopicPartition: CommittedOffset]
    }

    /// All groups, by name.
    private func looks() throws -> [Look] {
        switch log.access {
        case .owner: try log.groupCoordinator().names().compactMap { try look(at: $0) }
        case .observer:
            try GroupStore.load(log).sorted { $0.key < $1.key }.map {
                try look(at: $0.value, of: $0.key)
            }
        }
    }

    private func look(at group: String) throws -> Look? {
        switch log.access {
        case .owner:
            guard let living = try log.groupCoordinator().snapshot(of: group) else { return nil }
            return Look(
                group: group, state: ConsumerGroupState(living.machine.phase),
                metadata: living.machine.metadata(at: .now()), offsets: living.offsets)
        case .observer: return try GroupStore.load(log)[group].map { try look(at: $0, of: group) }
        }
    }

    /// The record says what was so when the generation began; between two the owner knows more. Members in
    /// the owner's process have ended with it, as the next owner will say.
    private func look(at stored: StoredGroup, of group: String) throws -> Look {
        var metadata = stored.metadata
        if try !log.hasOwner {
            metadata?.members.removeAll { $0.clientHost == GroupCoordinator.inProcessHost }
        }
        return Look(
            group: group, state: metadata?.members.isEmpty ?? true ? .empty : .stable,
            metadata: metadata, offsets: stored.offsets)
    }

    /// What a consumer of another library wrote and cannot be read is shown as nothing.
    private static func partitions(_ assignment: [UInt8]) -> [TopicPartition] {
        do throws(MalformedSchema) {
            return try Assignment.decode(assignment)
        } catch { return [] }
    }

    private func noSuchGroup(_ group: String) -> LogError {
        LogError(
            .noSuchGroup,
            "there is no consumer group '\(group)' in \(log.directory); 'groups list' names those "
                + "that there are")
    }
}
