// All sizes, limits and defaults of the log, each with its unit and reason.

public enum Limits {
    /// Bytes of the largest batch, and so nearly of the largest record: Kafka's `max.message.bytes`.
    public static let batchBytesMax = 1_048_588
    /// Bytes at which a producer closes a batch: large enough that a header is noise, small enough to
    /// stay in the second-level cache between encoding, checksum and write (measured: SPEED).
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
    /// Bytes of a segment at which the next one begins: Kafka's `segment.bytes`. Positions are 32 bits.
    public static let segmentBytes = 1024 * 1024 * 1024
    /// Bytes of a segment from which on it asks for room ahead of its writes, and how much at once:
    /// allocating as the writes come took a quarter of an append's processor time (measured on ext4).
    public static let preallocationBytesMin = 1024 * 1024
    public static let preallocationBytesMax = 32 * 1024 * 1024
    /// Bytes between two entries of a segment's index: Kafka's `index.interval.bytes`.
    public static let indexIntervalBytes = 4096
    /// Characters of a topic's name: with "-" and a partition number it must be a file name.
    public static let topicNameCharactersMax = 249
    /// Partitions of one topic; each is a directory with an open file.
    public static let partitionsMax = 10_000
}
