// How members come, get their shares, go, and are taken for gone.

extension GroupState {
    // MARK: Joining

    mutating func joined(_ request: JoinRequest, _ id: GroupRequestID, _ now: GroupInstant) {
        do throws(LogError) {
            try requireJoinable(request)
            if let instance = request.instanceID, let known = staticMembers[instance],
                request.memberID.isEmpty
            {
                return replaceStatic(known, with: request, id, now)
            }
            if request.memberID.isEmpty {
                return try joinedAnew(request, id, now)
            }
            // An id is given out to a member that is not static: an instance's name beside it is not its own.
            if request.instanceID == nil,
                pendingMembers.removeValue(forKey: request.memberID) != nil
            {
                return add(request, as: request.memberID, id, now)
            }
            try requireMember(request.memberID, request.instanceID)
            rejoined(request, id, now)
        } catch {
            actions.append(.answerJoin(id, .failure(error)))
        }
    }

    private func requireJoinable(_ request: JoinRequest) throws(LogError) {
        guard phase != .dead else {
            throw LogError(.unknownMember, "the group '\(group)' was deleted; join again")
        }
        guard request.sessionTimeout > .zero, request.sessionTimeout <= Limits.sessionTimeoutMax,
            request.rebalanceTimeout > .zero
        else {
            throw LogError(
                .invalidArgument,
                "a session timeout of \(request.sessionTimeout) in the group '\(group)' is not "
                    + "between 0 and \(Limits.sessionTimeoutMax)")
        }
        try requireStorable(request)
        let others = members.values.filter {
            $0.id != request.memberID && $0.instanceID.map { $0 != request.instanceID } ?? true
        }
        guard !request.protocols.isEmpty, !request.protocolType.isEmpty,
            others.isEmpty || request.protocolType == protocolType,
            others.isEmpty
                || request.protocols.contains(where: { offered in
                    others.allSatisfy { $0.protocols.contains { $0.name == offered.name } }
                })
        else {
            throw LogError(
                .inconsistentProtocol,
                "a member of the group '\(group)' offers \(request.protocolType) with "
                    + "\(request.protocols.map(\.name)), which the others do not all know; give all "
                    + "members one assignor in common")
        }
    }

    /// All of them are written into the group's record.
    private func requireStorable(_ request: JoinRequest) throws(LogError) {
        let strings =
            [
                request.memberID, request.proposedMemberID, request.instanceID ?? "",
                request.clientID, request.clientHost, request.protocolType,
            ] + request.protocols.map(\.name)
        guard let long = strings.first(where: { $0.utf8.count > Limits.schemaStringBytesMax })
        else { return }
        throw LogError(
            .invalidArgument,
            "a member of the group '\(group)' has a name of \(long.utf8.count) bytes (an id, a client, a "
                + "host or a protocol), over the limit of \(Limits.schemaStringBytesMax)")
    }

    private mutating func joinedAnew(
        _ request: JoinRequest, _ id: GroupRequestID, _ now: GroupInstant
    ) throws(LogError) {
        guard request.mustKnowMemberID, request.instanceID == nil else {
            return add(request, as: request.proposedMemberID, id, now)
        }
        pendingMembers[request.proposedMemberID] = now + request.sessionTimeout
        throw LogError(.memberIDRequired, request.proposedMemberID)
    }

    private mutating func add(
        _ request: JoinRequest, as memberID: String, _ id: GroupRequestID, _ now: GroupInstant
    ) {
        if members.isEmpty { protocolType = request.protocolType }
        members[memberID] = Member(
            id: memberID, instanceID: request.instanceID, clientID: request.clientID,
            clientHost: request.clientHost, sessionTimeout: request.sessionTimeout,
            rebalanceTimeout: request.rebalanceTimeout, protocols: request.protocols,
            deadline: now + request.sessionTimeout, joining: id)
        if let instance = request.instanceID { staticMembers[instance] = memberID }
        rebalance(now)
    }

    /// A static member has come back without its id: it takes the place of what it was, which is fenced.
    /// Where it wants what it wanted, its share is what it was and nobody is disturbed (KIP-345).
    private mutating func replaceStatic(
        _ known: String, with request: JoinRequest, _ id: GroupRequestID, _ now: GroupInstant
    ) {
        guard let former = members[known] else {
            preconditionFailure("static member \(known) is a member")
        }
        let wasLeader = leader == known
        let wasUnsynced = unsynced.contains(known)
        remove(
            known,
            error: LogError(
                .fencedInstance,
                "instance '\(request.instanceID ?? "")' of the group '\(group)' was started again"))
        let memberID = request.proposedMemberID
        var member = Member(
            id: memberID, instanceID: request.instanceID, clientID: request.clientID,
            clientHost: request.clientHost, sessionTimeout: request.sessionTimeout,
            rebalanceTimeout: request.rebalanceTimeout, protocols: request.protocols,
            deadline: now + request.sessionTimeout, joining: id)
        member.assignment = former.assignment
        members[memberID] = member
        if let instance = request.instanceID { staticMembers[instance] = memberID }
        if wasLeader { leader = memberID }
        if wasUnsynced { unsynced.insert(memberID) }
        if members.count == 1 { protocolType = request.protocolType }
        let isSame =
            former.metadata(for: protocolName) == member.metadata(for: protocolName)
            && isKnownToAll(protocolName ?? "")
        guard phase == .stable, isSame else { return rebalance(now) }
        answerJoin(memberID, skipAssignment: true)
        actions.append(.storeGroup(generation: generation))
    }

    private mutating func rejoined(
        _ request: JoinRequest, _ id: GroupRequestID, _ now: GroupInstant
    ) {
        let memberID = request.memberID
        if let former = members[memberID]?.joining {
            // The member has given up waiting for that answer and asks again.
            actions.append(.answerJoin(former, .failure(rebalanceInProgress)))
        }
        let isSame = members[memberID]?.protocols == request.protocols
        members[memberID]?.protocols = request.protocols
        members[memberID]?.sessionTimeout = request.sessionTimeout
        members[memberID]?.rebalanceTimeout = request.rebalanceTimeout
        members[memberID]?.joining = id
        touch(memberID, now)
        if members.count == 1 { protocolType = request.protocolType }
        switch phase {
        // An answer was lost, and is given again.
        case .completingRebalance where isSame: answerJoin(memberID)
        case .stable where isSame && memberID != leader: answerJoin(memberID)
        case .empty, .preparingRebalance, .completingRebalance, .stable, .dead: rebalance(now)
        }
    }

    private mutating func rebalance(_ now: GroupInstant) {
        if phase == .preparingRebalance {
            completeRebalanceIfAllJoined(now)
        } else {
            prepareRebalance(now)
        }
    }

    // MARK: Shares

    mutating func assignmentAsked(
        _ member: MemberIdentity, _ name: String?, _ assignments: [String: [UInt8]],
        _ id: GroupRequestID, _ now: GroupInstant
    ) {
        do throws(LogError) {
            try requireCurrent(member)
            guard name == nil || name == protocolName else {
                throw LogError(
                    .inconsistentProtocol,
                    "the group '\(group)' uses \(protocolName ?? "none"), not \(name ?? "none")")
            }
            touch(member.memberID, now)
            switch phase {
            case .empty, .dead, .preparingRebalance: throw rebalanceInProgress
            case .stable:
                let assignment = members[member.memberID]?.assignment ?? []
                actions.append(.answerSync(id, .success(assignment)))
            case .completingRebalance: wait(member.memberID, assignments, id)
            }
        } catch { actions.append(.answerSync(id, .failure(error))) }
    }

    private mutating func wait(
        _ memberID: String, _ assignments: [String: [UInt8]], _ id: GroupRequestID
    ) {
        answerSync(memberID, .failure(rebalanceInProgress))
        members[memberID]?.syncing = id
        unsynced.remove(memberID)
        guard memberID == leader, storing == nil else { return }
        storing = assignments
        for member in members.keys { members[member]?.assignment = assignments[member] ?? [] }
        actions.append(.storeGroup(generation: generation))
    }

    mutating func stored(_ generation: Int32, _ now: GroupInstant) {
        guard phase == .completingRebalance, generation == self.generation, storing != nil else {
            return
        }
        storing = nil
        phase = .stable
        for id in members.keys.sorted() {
            if members[id]?.syncing != nil { touch(id, now) }
            answerSync(id, .success(members[id]?.assignment ?? []))
        }
    }

    mutating func storingFailed(_ generation: Int32, _ error: LogError, _ now: GroupInstant) {
        guard phase == .completingRebalance, generation == self.generation, storing != nil else {
            return
        }
        for id in members.keys.sorted() { answerSync(id, .failure(error)) }
        prepareRebalance(now)
    }

    // MARK: Going

    mutating func left(_ memberID: String, _ instanceID: String?, _ now: GroupInstant) {
        if pendingMembers.removeValue(forKey: memberID) != nil {
            return completeRebalanceIfAllJoined(now)
        }
        let id = memberID.isEmpty ? instanceID.flatMap { staticMembers[$0] } ?? "" : memberID
        guard members[id] != nil else { return }
        remove(id)
        rebalanceAfterLoss(now)
    }

    mutating func timePassed(_ now: GroupInstant) {
        let waits = pendingMembers.count
        pendingMembers = pendingMembers.filter { $0.value > now }
        // Who waits for an answer cannot be heard of.
        let gone = members.values.filter {
            $0.deadline <= now && $0.joining == nil && $0.syncing == nil
        }
        for id in gone.map(\.id).sorted() { remove(id) }
        if phase == .completingRebalance, let syncDeadline, syncDeadline <= now, storing == nil,
            !unsynced.isEmpty
        {
            for id in unsynced.sorted() { remove(id) }
            return rebalanceAfterLoss(now)
        }
        if !gone.isEmpty { return rebalanceAfterLoss(now) }
        guard phase == .preparingRebalance else { return }
        if let rebalanceDeadline, rebalanceDeadline <= now {
            beginGeneration(now)
        } else if let earliest = rebalanceNotBefore, earliest <= now {
            rebalanceNotBefore = nil
            completeRebalanceIfAllJoined(now)
        } else if pendingMembers.count < waits {
            completeRebalanceIfAllJoined(now)
        }
    }

    private mutating func rebalanceAfterLoss(_ now: GroupInstant) {
        switch phase {
        case .stable, .completingRebalance: prepareRebalance(now)
        case .preparingRebalance: completeRebalanceIfAllJoined(now)
        case .empty, .dead: break
        }
    }

    /// When `timePassed` has something to do next, if nothing else happens; nil for never.
    package var nextDeadline: GroupInstant? {
        var deadlines = Array(pendingMembers.values)
        deadlines += members.values.filter { $0.joining == nil && $0.syncing == nil }.map(
            \.deadline)
        if phase == .preparingRebalance {
            if let rebalanceDeadline { deadlines.append(rebalanceDeadline) }
            if let rebalanceNotBefore { deadlines.append(rebalanceNotBefore) }
        }
        if phase == .completingRebalance, let syncDeadline, storing == nil, !unsynced.isEmpty {
            deadlines.append(syncDeadline)
        }
        return deadlines.min()
    }

    // MARK: The record of the group

    /// The group as its record in the log says.
    package func metadata(at timestamp: Timestamp) -> GroupMetadata {
        GroupMetadata(
            protocolType: protocolType ?? "", generation: generation, protocolName: protocolName,
            leader: leader, timestamp: timestamp,
            members: members.values.sorted { $0.id < $1.id }.map {
                GroupMetadata.Member(
                    id: $0.id, instanceID: $0.instanceID, clientID: $0.clientID,
                    clientHost: $0.clientHost, rebalanceTimeout: $0.rebalanceTimeout,
                    sessionTimeout: $0.sessionTimeout,
                    subscription: $0.metadata(for: protocolName), assignment: $0.assignment)
            })
    }

    /// The group as a former process left it. Members get a session to be heard of again, except those
    /// that `isGone` says ended with that process.
    package init(
        group: String, _ metadata: GroupMetadata, at now: GroupInstant,
        isGone: (GroupMetadata.Member) -> Bool
    ) {
        self.init(group: group)
        generation = max(0, metadata.generation)
        protocolType = metadata.protocolType.isEmpty ? nil : metadata.protocolType
        let staying = metadata.members.filter { !isGone($0) }
        guard !staying.isEmpty, protocolType != nil, let name = metadata.protocolName else {
            return
        }
        protocolName = name
        phase = .stable
        for member in staying where members[member.id] == nil {
            members[member.id] = Member(
                id: member.id, instanceID: member.instanceID, clientID: member.clientID,
                clientHost: member.clientHost, sessionTimeout: member.sessionTimeout,
                rebalanceTimeout: member.rebalanceTimeout,
                protocols: [GroupProtocol(name, member.subscription)],
                assignment: member.assignment, deadline: now + member.sessionTimeout)
            if let instance = member.instanceID { staticMembers[instance] = member.id }
        }
        leader = metadata.leader.flatMap { members[$0] == nil ? nil : $0 }
        // Someone's share is nobody's now, or there is nobody to share out.
        guard members.count < metadata.members.count || leader == nil else { return }
        prepareRebalance(now)
        // Nobody has called yet who could be told.
        actions = []
    }

    /// Deletes a group without members. Throws `groupNotEmpty`.
    package mutating func delete() throws(LogError) {
        guard members.isEmpty, pendingMembers.isEmpty else {
            throw LogError(
                .groupNotEmpty,
                "the group '\(group)' has \(counted(members.count, "member")); stop them before it is "
                    + "deleted")
        }
        phase = .dead
    }
}
