// All sizes, limits and defaults of the log, each with its unit and reason.

public enum Limits {
    /// Bytes of the largest batch, and so nearly of the largest record, unless the topic says otherwise:
    /// Kafka's `max.message.bytes`.
    public static let batchBytesMax = 1_048_588
    /// What a topic can set it to: a batch is held in memory as a whole.
    public static let batchBytesMaxMax = 256 * 1024 * 1024
    /// Bytes at which a producer closes a batch: large enough that a header is noise, small enough to
    /// stay in the second-level cache between encoding, checksum and write.
    public static let batchBytesTarget = 256 * 1024
    /// Bytes that the records of one batch may have when decompressed: what a reader allocates at most,
    /// whatever a batch claims. A batch of the largest size that is compressed 128 times.
    public static let decompressedBatchBytesMax = 128 * 1024 * 1024
    /// Bytes a reader asks for at once.
    public static let fetchBytes = 1024 * 1024
    /// Between two looks of a waiting consumer at the log of another process, which tells nobody of its
    /// appends: short at first, then twice as long each time.
    public static let observerPauseMin = Duration.milliseconds(1)
    public static let observerPauseMax = Duration.milliseconds(50)
    /// Bytes in the unfinished batches of one producer: Kafka's `buffer.memory`.
    public static let producerBufferBytes = 32 * 1024 * 1024
    /// Bytes of a segment at which the next one begins: Kafka's `segment.bytes`.
    public static let segmentBytes = 1024 * 1024 * 1024
    /// What a topic can set it to: positions are 31 bits, as in Kafka; below a mebibyte a topic of any
    /// size would be mostly files.
    public static let segmentBytesMin = 1024 * 1024
    public static let segmentBytesMax = Int(Int32.max)
    /// Bytes appended to a partition after which it is flushed and its indexes are written in the
    /// background, so that opening after a crash reads little more than that.
    public static let checkpointBytes = 64 * 1024 * 1024
    /// Bytes of a segment from which on it asks for room ahead of its writes, half of what it has, and
    /// how much at most: allocating as the writes come took a quarter of an append's processor time
    /// (measured on ext4).
    static let preallocationBytesMin = 1024 * 1024
    static let preallocationBytesMax = 32 * 1024 * 1024
    /// Bytes of a page of the kernel's cache, at least.
    static let pageBytes = 4096
    /// Bytes that a producer writes before the disk begins with them, though their flush is still to come.
    /// Half as much saved a twentieth of the time and cost a tenth in processor time.
    static let startFlushBytes = 384 * 1024
    /// How long nobody asks for room after a disk was full.
    static let preallocationPause = Duration.seconds(60)
    /// Bytes between two entries of a segment's index: Kafka's `index.interval.bytes`.
    public static let indexIntervalBytes = 4096
    /// A producer's last batches in a partition that a retry is recognised among: as many as Kafka's
    /// clients have in flight (ProducerStateEntry.NUM_BATCHES_TO_RETAIN).
    typealias ProducerBatches = InlineArray<5, SequencedBatch>
    /// The longest single wait for an append: 31 years, which added to any clock is a time that can be said.
    static let waitMax = Duration.seconds(1_000_000_000)
    /// Time at least before a producer's thread tries again what has failed: it is not to keep a processor
    /// busy where records do not linger at all.
    static let lingerRetryInterval = Duration.milliseconds(100)
    /// Failures that one error of a producer puts into words; there may be one for each partition.
    static let failuresTold = 3
    /// Bytes of a record beside its key, value and headers, at most (Kafka: MAX_RECORD_OVERHEAD, 21, and
    /// the lengths of key and value).
    static let recordOverheadMax = 32
    /// Partitions of `__transaction_state`: Kafka has 50 to spread them over brokers; on one machine a few
    /// let flushes run side by side. Fixed once the topic is there.
    static let transactionTopicPartitions = 4
    /// The last epoch that a producer writes with; the one above is for its marker, and then it takes
    /// another producer id (Kafka: isEpochExhausted).
    static let producerEpochMax = Int16.max - 1
    /// Bytes of a transactional id: less than its length field can say, so that a record stays small.
    static let transactionalIDBytesMax = 1024
    /// How long a transaction may be open: Kafka's `transaction.timeout.ms` of the Java client.
    public static let transactionTimeout = Duration.seconds(60)
    /// The longest that may be asked for: Kafka's `transaction.max.timeout.ms`. What is open holds up
    /// readers of committed data.
    public static let transactionTimeoutMax = Duration.seconds(900)
    /// Bytes that the buffered unit of work holds: all is in memory until it is published.
    public static let unitOfWorkBytesMax = 64 * 1024 * 1024
    /// Bytes that a transactional producer gathers before it writes them into the open transaction.
    static let transactionGatherBytes = 1024 * 1024
    /// Characters of a topic's name: with "-" and a partition number it must be a file name.
    public static let topicNameCharactersMax = 249
    /// Partitions of one topic; each is a directory with an open file.
    public static let partitionsMax = 10_000
    /// Producer ids that are taken from the catalogue at once, each time with its file (Kafka: blocks of
    /// 1000).
    static let producerIDBlock = 1000
    /// A producer that writes nothing for so long is forgotten by its partitions: Kafka's
    /// `producer.id.expiration.ms`. One that ever wrote in a transaction is not.
    static let producerExpiration = Duration.seconds(86_400)
    /// Time between two looks for such producers.
    static let producerExpiryInterval = Duration.seconds(3600)
    /// Sealed segments of one log whose files stay open between reads, up to three of each: of the 1,024 that
    /// a process may have by default, two thirds are left for active segments and for its user.
    static let openSegmentsMax = 100
    /// Tries to take a lock before sleeping, while nobody else waits: about as long as a batch's write takes.
    static let lockSpins = 20_000
    /// Time after which a file that is replaced has another time than before: some of the kernel's ticks,
    /// which last 1 to 10 milliseconds.
    static let fileTimeTicks = Duration.milliseconds(100)
    /// How often an observer looks again at files that the owner is replacing.
    static let observerAttemptsMax = 5
    /// Bytes of memory for the keys of one compaction: a million keys of 40 bytes. Kafka has 128 MiB for
    /// all partitions together; more keys than that take several passes.
    static let compactionKeysBytesMax = 64 * 1024 * 1024
    /// Bytes that compaction reads or writes between two looks at whether it is to stop and whether other
    /// background work is due.
    static let compactionStepBytes = 1024 * 1024
    /// How often the files of a directory that is removed are looked for again.
    static let removalAttemptsMax = 10
    /// Time before a compaction that has failed is tried again: a full disk is not filled anew each second.
    static let compactionRetryInterval = Duration.seconds(60)
    /// Threads that flush different files side by side, at most: a disk gains little from more.
    package static let flushThreads = 16
    /// Time between two rounds of the background work: flushing, checkpoints, retention, compaction.
    static let maintenanceInterval = Duration.seconds(1)
    /// How long closing an owner's log may remove and compact what is due: little beside a command's own
    /// time, and enough for a gigabyte of what is clean.
    static let closingWork = Duration.seconds(1)

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
