// What is told about consumer groups. Values: what was true when it was asked for.

/// Kafka's states of a group.
public enum ConsumerGroupState: String, Sendable {
    /// No members; what was committed stays.
    case empty = "Empty"
    /// Members are gathered for the next generation.
    case preparingRebalance = "PreparingRebalance"
    /// The leader shares the partitions out.
    case completingRebalance = "CompletingRebalance"
    /// Every member has its share.
    case stable = "Stable"
    case dead = "Dead"

    init(_ phase: GroupState.Phase) {
        switch phase {
        case .empty: self = .empty
        case .preparingRebalance: self = .preparingRebalance
        case .completingRebalance: self = .completingRebalance
        case .stable: self = .stable
        case .dead: self = .dead
        }
    }
}

/// A line of the list of groups.
public struct ConsumerGroupSummary: Sendable, Hashable {
    public let group: String
    public let state: ConsumerGroupState
    /// `consumer` for groups of consumers; nil where the group has only committed offsets.
    public let protocolType: String?
    public let memberCount: Int
}

/// A group with its members and its progress.
public struct ConsumerGroupDescription: Sendable {
    public struct Member: Sendable, Hashable {
        public let id: String
        /// `group.instance.id` of a static member.
        public let instanceID: String?
        public let clientID: String
        public let host: String
        public let partitions: [TopicPartition]
    }

    public struct Partition: Sendable {
        public let name: TopicPartition
        /// Nil where the group has committed nothing.
        public let committed: CommittedOffset?
        /// Nil for a partition that is not there any more, as `logEnd`.
        public let start: Offset?
        public let logEnd: Offset?
        /// Who holds it; nil for nobody.
        public let memberID: String?

        /// Offsets still to be read, from the start of the partition where that is later; nil where one of
        /// the ends is not known.
        public var lag: Int64? {
            guard let committed, let start, let logEnd else { return nil }
            return max(0, logEnd.rawValue - max(start, committed.offset).rawValue)
        }
    }

    public let group: String
    public let state: ConsumerGroupState
    public let generation: Int32
    public let assignor: String?
    /// The id of the member that shares out.
    public let leader: String?
    public let members: [Member]
    /// All that are committed or held, in order.
    public let partitions: [Partition]
}

/// Where offsets are reset to.
public enum OffsetTarget: Sendable {
    case earliest
    case latest
    /// The committed one; the end where there is none, as Kafka has it.
    case current
    case offset(Offset)
    /// The first record at or after a time; the end where there is none.
    case time(Timestamp)
    /// As `time`, so long before now.
    case duration(Duration)
    /// So many offsets on from the committed one, back for negative ones; from the start where there is none.
    case shift(Int64)

    /// Held within the ends of the partition.
    package func offset(in partition: Partition, committed: Offset?) throws -> Offset {
        let (start, end) = (partition.startOffset, partition.logEndOffset)
        switch self {
        case .earliest: return start
        case .latest: return end
        case .current: return min(max(committed ?? end, start), end)
        case .offset(let offset): return min(max(offset, start), end)
        case .time(let time): return try GroupStore.offset(atOrAfter: time, in: partition)
        case .duration(let duration):
            let time = Timestamp.now().advanced(by: .zero - duration)
            return try GroupStore.offset(atOrAfter: time, in: partition)
        case .shift(let distance):
            let from = (committed ?? start).rawValue
            let (sum, overflow) = from.addingReportingOverflow(distance)
            guard !overflow else { return distance < 0 ? start : end }
            return min(max(Offset(max(0, sum)), start), end)
        }
    }
}

/// What a reset moves.
public struct OffsetMove: Sendable, Hashable {
    public let partition: TopicPartition
    /// Nil where the group had no position.
    public let from: Offset?
    public let to: Offset
}
