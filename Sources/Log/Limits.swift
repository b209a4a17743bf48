// All sizes, limits and defaults of the log, each with its unit and reason.

public enum Limits {
    /// Bytes of the largest batch, and so nearly of the largest record, unless the topic says otherwise:
    /// Kafka's `max.message.bytes`.
    public static let batchBytesMax = 1_048_588
    /// What a topic can set it to: a batch is held in memory as a whole.
    public static let batchBytesMaxMax = 256 * 1024 * 1024
    /// Bytes at which a producer closes a batch: large enough that a header is noise, small enough to
    /// stay in the second-level cache between encoding, checksum and write (measured: SPEED).
    public static let batchBytesTarget = 256 * 1024
    /// Bytes a reader asks for at once.
    public static let fetchBytes = 1024 * 1024
    /// Bytes of a segment at which the next one begins: Kafka's `segment.bytes`.
    public static let segmentBytes = 1024 * 1024 * 1024
    /// What a topic can set it to: positions are 31 bits, as in Kafka; below a mebibyte a topic of any
    /// size would be mostly files.
    public static let segmentBytesMin = 1024 * 1024
    public static let segmentBytesMax = Int(Int32.max)
    /// Bytes appended to a partition after which it is flushed and its indexes are written in the
    /// background, so that opening after a crash reads little more than that.
    public static let checkpointBytes = 64 * 1024 * 1024
    /// Bytes between two entries of a segment's index: Kafka's `index.interval.bytes`.
    public static let indexIntervalBytes = 4096
    /// A producer's last batches in a partition that a retry is recognised among: as many as Kafka's
    /// clients have in flight (ProducerStateEntry.NUM_BATCHES_TO_RETAIN).
    static let producerBatchesKept = 5
    /// Characters of a topic's name: with "-" and a partition number it must be a file name.
    public static let topicNameCharactersMax = 249
    /// Partitions of one topic; each is a directory with an open file.
    public static let partitionsMax = 10_000
    /// How often an observer looks again at files that the owner is replacing.
    static let observerAttemptsMax = 5
    /// Bytes that the records of one batch may have when decompressed: what a reader allocates at most,
    /// whatever a batch claims. A batch of the largest size that is compressed 128 times.
    public static let decompressedBatchBytesMax = 128 * 1024 * 1024
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
    /// Time between two rounds of the background work: flushing, checkpoints, retention, compaction.
    static let maintenanceInterval = Duration.seconds(1)
}
