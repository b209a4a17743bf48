// How a member of a consumer group behaves. Names and defaults are Kafka's unless a comment says why not.

/// Where to begin where a group's own position does not say.
public enum OffsetReset: Sendable {
    case earliest
    case latest
    /// Nowhere: polling throws.
    case none
}

/// The settings of one member.
public struct GroupConsumerSettings: Sendable {
    /// Names the program in descriptions of the group (`client.id`).
    public var clientID = "streamjobs"
    /// Makes the member a static one (`group.instance.id`): started again within its session it gets its
    /// partitions back without a rebalance. Each member its own.
    public var instanceID: String?
    /// Without a poll or commit for so long the member is taken for gone and its partitions are given to
    /// others (`session.timeout.ms`, and, as there is no thread that gives signs of life in between,
    /// `max.poll.interval.ms` as well): longer than what a poll's records take.
    public var sessionTimeout = Limits.sessionTimeout
    /// Between two signs of life, given while polling (`heartbeat.interval.ms`).
    public var heartbeatInterval = Limits.heartbeatInterval
    /// How long a rebalance waits for this member to poll and join.
    public var rebalanceTimeout = Limits.sessionTimeout
    /// By preference; a group uses one that all its members have (`partition.assignment.strategy`). Kafka's
    /// default puts range first, which stops all members for each rebalance, for clients of before 2020.
    public var assignors: [Assignor] = [.cooperativeSticky]
    /// Where a group begins that has committed nothing for a partition (`auto.offset.reset`).
    public var offsetReset = OffsetReset.latest
    /// Where it goes on when its position is no longer there, because retention has deleted it or a power
    /// loss has taken it. Kafka uses `auto.offset.reset` for this too, and so skips or repeats in silence.
    public var lostOffsetReset = OffsetReset.none
    /// Which records are seen (`isolation.level`).
    public var isolation = Isolation.readCommitted
    /// Between automatic commits, made when polling and closing, of the records whose calls have returned
    /// (`auto.commit.interval.ms`); nil for none (`enable.auto.commit`).
    public var autoCommitInterval: Duration? = Limits.autoCommitInterval
    /// What commits wait for.
    public var acks = Acks.flushed
    /// Records of one poll (`max.poll.records`).
    public var maxPollRecords = Limits.pollRecordsMax

    public init() {}

    /// Throws `invalidArgument`.
    func validate() throws {
        guard !assignors.isEmpty, maxPollRecords > 0, heartbeatInterval > .zero,
            heartbeatInterval < sessionTimeout, sessionTimeout <= Limits.sessionTimeoutMax,
            rebalanceTimeout > .zero, clientID.utf8.count <= Limits.groupNameBytesMax,
            (instanceID ?? "").utf8.count <= Limits.groupNameBytesMax
        else {
            throw LogError(
                .invalidArgument,
                "a member of a group needs an assignor, a positive maxPollRecords and rebalance "
                    + "timeout, a heartbeat interval (\(heartbeatInterval)) under its session timeout "
                    + "(\(sessionTimeout), at most \(Limits.sessionTimeoutMax)), and names of at most "
                    + "\(Limits.groupNameBytesMax) bytes")
        }
    }
}
