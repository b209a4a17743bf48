// How a producer writes, by Kafka's names; all defaults and their units in one place.

package import StreamJobsCompression

/// What a producer's `flush` waits for (`acks`).
public enum Acks: Sendable {
    /// Nothing: a batch that cannot be written is dropped and counted, and no call fails for it.
    case none
    /// In the page cache: survives the process.
    case written
    /// On the disk: survives a power loss. Producers that flush at the same time share one flush.
    case flushed
}

/// How a producer compresses its batches (`compression.type`).
public enum CompressionType: String, Sendable, CaseIterable {
    case none, gzip, snappy, lz4, zstd

    package var codec: CompressionCodec {
        switch self {
        case .none: .none
        case .gzip: .gzip
        case .snappy: .snappy
        case .lz4: .lz4
        case .zstd: .zstd
        }
    }
}

/// The settings of a `Producer`.
public struct ProducerSettings: Sendable {
    /// `acks`: what `flush` waits for.
    public var acks: Acks
    /// `linger.ms`: how long a record waits at most for others to share its batch. Nil, the default: until
    /// the batch is full or `flush` is called. With a time, a thread of the producer's own writes what is
    /// due, and each record costs a lock.
    public var linger: Duration?
    /// `batch.size`: bytes at which a batch is written, header included.
    public var batchBytes = Limits.batchBytesTarget
    /// `buffer.memory`: bytes in unfinished batches of all partitions. Where they are used up, the caller
    /// writes them out before it goes on. A record that is larger, of a topic that takes it, goes alone.
    public var bufferBytes = Limits.producerBufferBytes
    /// `compression.type`, for topics that leave it to their producers.
    public var compression = CompressionType.none
    /// `compression.gzip.level` and its like; nil: the codec's default.
    public var compressionLevel: Int?
    /// `enable.idempotence`: whether the producer takes an id and numbers its records, so that a batch
    /// sent again is stored once.
    public var isIdempotent = true
    /// `partitioner.class`.
    public var partitioner = Partitioner.byKey

    public init(acks: Acks = .flushed, linger: Duration? = nil) {
        self.acks = acks
        self.linger = linger
    }

    /// Throws `invalidArgument` for what no producer can do.
    func validate() throws {
        let sizes = BatchHeader.byteCount + 1...Limits.batchBytesMaxMax
        guard sizes.contains(batchBytes) else {
            throw LogError(
                .invalidArgument,
                "batch.size is \(batchBytes); it is \(sizes.lowerBound) to \(sizes.upperBound) bytes"
            )
        }
        guard bufferBytes >= batchBytes else {
            throw LogError(
                .invalidArgument,
                "buffer.memory is \(bufferBytes) bytes, less than a batch of \(batchBytes)")
        }
        guard linger ?? .zero >= .zero else {
            throw LogError(
                .invalidArgument, "linger.ms is no time below zero, not \(linger ?? .zero)")
        }
        guard let level = compressionLevel else { return }
        guard let levels = compression.codec.levels, levels.contains(level) else {
            let known = compression.codec.levels.map { "\($0.lowerBound) to \($0.upperBound)" }
            throw LogError(
                .invalidArgument,
                "\(compression) has no compression level \(level); it has \(known ?? "none")")
        }
    }
}
