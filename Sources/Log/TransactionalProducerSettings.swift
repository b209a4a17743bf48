// How a producer of transactions writes, by Kafka's names; what of `ProducerSettings` has a meaning there.
// A transaction is always flushed as a whole (`acks=all`), and what waits for its commit does not linger.

/// The settings of a `TransactionalProducer`.
public struct TransactionalProducerSettings: Sendable {
    /// `transaction.timeout.ms`: how long a transaction may be open before the log aborts it.
    public var timeout: Duration
    /// `batch.size`: bytes at which a batch takes no more records, header included. What was gathered is
    /// written at `Limits.transactionGatherBytes`, or at this where it is more.
    public var batchBytes = Limits.batchBytesTarget
    /// `compression.type`.
    public var compression = CompressionType.none
    /// `compression.gzip.level` and its like; nil: the codec's default.
    public var compressionLevel: Int?
    /// `partitioner.class`; asked where a record names no partition.
    public var partitioner = Partitioner.byKey

    public init(timeout: Duration = Limits.transactionTimeout) { self.timeout = timeout }

    /// Throws `invalidArgument` for what no producer can do. The coordinator looks at the timeout.
    func validate() throws {
        var plain = ProducerSettings()
        plain.batchBytes = batchBytes
        plain.bufferBytes = max(plain.bufferBytes, batchBytes)
        plain.compression = compression
        plain.compressionLevel = compressionLevel
        try plain.validate()
    }
}
