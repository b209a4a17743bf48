// Where a member begins to read a partition that it gets.

/// What a group has committed for a partition, beside what the partition has.
struct GroupPosition {
    private let group: String
    private let partition: Partition
    private let committed: CommittedOffset?

    init(_ group: String, _ partition: Partition, _ committed: CommittedOffset?) {
        self.group = group
        self.partition = partition
        self.committed = committed
    }

    /// The committed position, if it is still what it was; otherwise what the settings say. Throws
    /// `noCommittedOffset` or `offsetOutOfRange` where they say nothing.
    func start(_ settings: GroupConsumerSettings) throws -> Offset {
        guard let committed else {
            return try reset(settings.offsetReset, settings.isolation) {
                LogError(
                    .noCommittedOffset,
                    "the group '\(group)' has no position in \(partition.name), and none to begin at "
                        + "was chosen (auto.offset.reset)")
            }
        }
        guard let loss = loss(of: committed) else { return committed.offset }
        return try reset(settings.lostOffsetReset, settings.isolation) {
            LogError(
                .offsetOutOfRange,
                "the group '\(group)' has read \(partition.name) up to offset \(committed.offset), but "
                    + "\(loss); choose where it goes on with 'groups reset-offsets'")
        }
    }

    private func reset(_ reset: OffsetReset, _ isolation: Isolation, _ error: () -> LogError) throws
        -> Offset
    {
        switch reset {
        case .earliest: partition.startOffset
        case .latest:
            isolation == .readCommitted ? partition.lastStableOffset : partition.logEndOffset
        case .none: throw error()
        }
    }

    /// Why reading cannot go on at `committed`; nil where it can.
    private func loss(of committed: CommittedOffset) -> String? {
        let (start, end) = (partition.startOffset, partition.logEndOffset)
        guard committed.offset >= start else {
            return "the records before offset \(start) were deleted"
        }
        guard committed.offset <= end else {
            return "it ends at offset \(end): the last records were lost"
        }
        // The offset may have been lost and given out again (KIP-320): then its epoch is a later one.
        guard let epoch = committed.leaderEpoch, committed.offset > start else { return nil }
        let present = partition.leaderEpoch(at: Offset(committed.offset.rawValue - 1))
        guard present != epoch else { return nil }
        return "the record there is of leader epoch \(present), not \(epoch): the one read was lost"
    }
}
