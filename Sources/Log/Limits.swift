// All sizes, limits and defaults of the log, each with its unit and reason.

public enum Limits {
    /// Bytes of the largest batch, and so nearly of the largest record: Kafka's `max.message.bytes`.
    public static let batchBytesMax = 1_048_588
    /// Bytes at which a producer closes a batch: large enough that a header is noise, small enough to
    /// stay in the second-level cache between encoding, checksum and write (measured: SPEED).
    public static let batchBytesTarget = 256 * 1024
    /// Bytes a reader asks for at once.
    public static let fetchBytes = 1024 * 1024
    /// Bytes of a segment at which the next one begins: Kafka's `segment.bytes`. Positions are 32 bits.
    public static let segmentBytes = 1024 * 1024 * 1024
    /// Bytes between two entries of a segment's index: Kafka's `index.interval.bytes`.
    public static let indexIntervalBytes = 4096
    /// Characters of a topic's name: with "-" and a partition number it must be a file name.
    public static let topicNameCharactersMax = 249
    /// Partitions of one topic; each is a directory with an open file.
    public static let partitionsMax = 10_000

    // MARK: Consumer groups

    /// Partitions of `__consumer_offsets`. Kafka's default is 50, to spread groups over brokers; here each
    /// is only a directory.
    public static let offsetsTopicPartitions = 4
    /// Bytes of a string in a key or value of an internal topic: its length is an int16.
    public static let schemaStringBytesMax = Int(Int16.max)
    /// Bytes of a group's name: no more than a topic's, so that both fit wherever names are listed.
    public static let groupNameBytesMax = 249
    /// Bytes that may be kept with a committed offset: Kafka's `offset.metadata.max.bytes`.
    public static let offsetMetadataBytesMax = 4096
    /// The longest that a silent member may hold partitions: Kafka's `group.max.session.timeout.ms`.
    public static let sessionTimeoutMax = Duration.seconds(30 * 60)
    /// Without a sign of life for so long a member is taken for gone: Kafka's `session.timeout.ms`.
    public static let sessionTimeout = Duration.seconds(45)
    /// Between two signs of life: Kafka's `heartbeat.interval.ms`; several fit into a session.
    public static let heartbeatInterval = Duration.seconds(3)
    /// Between two automatic commits: Kafka's `auto.commit.interval.ms`.
    public static let autoCommitInterval = Duration.seconds(5)
    /// How long a member that leaves waits to commit, where a rebalance has begun: several heartbeats of the
    /// others, who join with theirs.
    public static let closeTimeout = Duration.seconds(10)
    /// Records of one poll of a group's member: Kafka's `max.poll.records`.
    public static let pollRecordsMax = 500
}
