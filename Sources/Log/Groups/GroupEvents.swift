// What happens to a group and what is to be done about it: the inputs and outputs of `GroupState`.

/// Points on the monotonic clock: a wall clock that jumps must not expire a heap of members.
package typealias GroupInstant = ContinuousClock.Instant

/// Names a request that is answered later; the asker chooses it and uses it once.
package typealias GroupRequestID = UInt64

/// A member's wish to be in the next generation (Kafka: JoinGroup).
package struct JoinRequest: Sendable {
    /// Empty for a member that has no id yet.
    package var memberID: String
    /// What a member without an id will be called: random, so that the state machine need not be.
    package var proposedMemberID: String
    /// `group.instance.id` of a static member: known again after a restart, without a rebalance.
    package var instanceID: String?
    package var clientID: String
    package var clientHost: String
    package var sessionTimeout: Duration
    package var rebalanceTimeout: Duration
    package var protocolType: String
    /// By preference; each with its metadata.
    package var protocols: [GroupProtocol]
    /// Whether a member without an id is only given one, to come again with it (KIP-394): for members
    /// that may never hear the answer.
    package var mustKnowMemberID: Bool

    package init(
        memberID: String = "", proposedMemberID: String, instanceID: String? = nil,
        clientID: String = "", clientHost: String = "", sessionTimeout: Duration,
        rebalanceTimeout: Duration, protocolType: String = ConsumerProtocol.type,
        protocols: [GroupProtocol], mustKnowMemberID: Bool = false
    ) {
        self.memberID = memberID
        self.proposedMemberID = proposedMemberID
        self.instanceID = instanceID
        self.clientID = clientID
        self.clientHost = clientHost
        self.sessionTimeout = sessionTimeout
        self.rebalanceTimeout = rebalanceTimeout
        self.protocolType = protocolType
        self.protocols = protocols
        self.mustKnowMemberID = mustKnowMemberID
    }
}

package struct GroupProtocol: Hashable, Sendable {
    package var name: String
    package var metadata: [UInt8]

    package init(_ name: String, _ metadata: [UInt8]) {
        self.name = name
        self.metadata = metadata
    }
}

/// Who is speaking, and in which generation.
package struct MemberIdentity: Hashable, Sendable {
    package var memberID: String
    package var generation: Int32
    package var instanceID: String?

    package init(memberID: String, generation: Int32, instanceID: String? = nil) {
        self.memberID = memberID
        self.generation = generation
        self.instanceID = instanceID
    }
}

/// A generation as one of its members is told of it.
package struct JoinAnswer: Hashable, Sendable {
    package struct Member: Hashable, Sendable {
        package var id: String
        package var instanceID: String?
        package var metadata: [UInt8]
    }

    package var generation: Int32
    package var memberID: String
    package var leader: String
    package var protocolType: String
    package var protocolName: String
    /// For the leader, which assigns: everybody, in the order of their ids. Empty for the others.
    package var members: [Member]
    /// The leader keeps the assignment that there is (KIP-814).
    package var skipAssignment = false

    package var isLeader: Bool { memberID == leader }
}

package enum GroupEvent: Sendable {
    case memberJoined(JoinRequest, GroupRequestID)
    /// A member asks for its share; the leader brings everybody's (Kafka: SyncGroup).
    case assignmentAsked(
        MemberIdentity, protocolName: String?, assignments: [String: [UInt8]], GroupRequestID)
    case memberLeft(memberID: String, instanceID: String?)
    /// The record that `storeGroup` asked for is in the log, on the disk.
    case groupStored(generation: Int32)
    case storingFailed(generation: Int32, LogError)
    case timePassed
}

package enum GroupAction: Sendable {
    case answerJoin(GroupRequestID, Result<JoinAnswer, LogError>)
    case answerSync(GroupRequestID, Result<[UInt8], LogError>)
    /// Tell these members that they have to join again.
    case announceRebalance(members: [String])
    /// Write the group's record and report with `groupStored` or `storingFailed`.
    case storeGroup(generation: Int32)
    case forgetMember(String)
}
