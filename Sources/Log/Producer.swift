// Writes records to topics in batches. A batch is encoded where it lies, checksummed once and written
// with one call; the caller does it all, so that memory is bounded and back-pressure needs no queue.

/// Writes records to topics in batches. Belongs to one thread. Records are readable when `flush` has
/// returned, at the latest; those that were not flushed are lost with the producer.
public final class Producer {
    private let buffers: ProducerBuffers
    private let linger: LingerThread?
    /// The buffers'.
    @usableFromInline let open: UnsafeMutablePointer<OpenBatch>

    /// With the default settings but for `acks`.
    public convenience init(_ log: CommitLog, acks: Acks = .flushed) {
        self.init(log, validated: ProducerSettings(acks: acks))
    }

    /// Throws `invalidArgument` for settings that contradict themselves.
    public convenience init(_ log: CommitLog, _ settings: ProducerSettings) throws {
        try settings.validate()
        self.init(log, validated: settings)
    }

    private init(_ log: CommitLog, validated settings: ProducerSettings) {
        let buffers = ProducerBuffers(log, settings)
        self.buffers = buffers
        open = buffers.open
        linger = settings.linger.map { LingerThread(buffers, $0) }
    }

    deinit { linger?.stop() }

    /// Records that are in the log; those in batches that are not full yet are not.
    public var writtenCount: Int { locked { $0.writtenCount } }
    /// Records dropped, since they could not be written: with `Acks.none`, or where their topic was deleted
    /// or will not take them any more.
    public var droppedCount: Int { locked { $0.droppedCount } }

    /// Adds a record to the batch of its partition; a full batch is written. Throws `recordTooLarge`,
    /// `invalidRecord` where a compacted topic is sent a null key, `noSuchTopic` for a partition that the
    /// topic does not have, and what writing what was sent before throws (with `linger`, since the last
    /// call). In all these cases the record was not added; what was added before is kept, as by `flush`.
    /// - Parameters:
    ///   - partition: Nil: the partitioner's choice.
    ///   - timestamp: Nil: now.
    @inlinable
    public func send(
        _ value: [UInt8]?, key: [UInt8]?, to topic: Topic, partition: PartitionID? = nil,
        timestamp: Timestamp? = nil, headers: [Header] = []
    ) throws {
        try key.withOptionalBytes { key in
            try value.withOptionalBytes { value in
                try sendBytes(
                    value, key: key, to: topic, partition: partition, timestamp: timestamp,
                    headers: headers)
            }
        }
    }

    /// As `send`, for bytes wherever they lie; they are copied before it returns.
    @inlinable @inline(__always)
    public func sendBytes(
        _ value: UnsafeRawBufferPointer?, key: UnsafeRawBufferPointer?, to topic: Topic,
        partition: PartitionID? = nil, timestamp: Timestamp? = nil, headers: [Header] = []
    ) throws {
        if headers.isEmpty, partition == nil,
            open.pointee.append(value, key, topic, timestamp ?? .now())
        {
            return
        }
        try sendWithLookup(value, key, topic, partition, timestamp, headers)
    }

    @usableFromInline @inline(never)
    func sendWithLookup(
        _ value: UnsafeRawBufferPointer?, _ key: UnsafeRawBufferPointer?, _ topic: Topic,
        _ partition: PartitionID?, _ timestamp: Timestamp?, _ headers: [Header]
    ) throws {
        if let linger {
            try linger.send(value, key, topic, partition, timestamp, headers)
        } else {
            try buffers.send(value, key, topic, partition, timestamp, headers)
        }
    }

    /// When it returns, all that was sent is in the log and, with `Acks.flushed`, on the disk. Throws what
    /// writing and flushing throw, when everything was tried, all of it in one error. What was not written
    /// is kept, to be tried again, but for what never can be (of a topic that was deleted, or whose limits
    /// have become lower than a batch): that is dropped and counted, and told once.
    public func flush() throws {
        try locked { try $0.flush() }
    }

    private func locked<R>(_ body: (ProducerBuffers) throws -> R) rethrows -> R {
        if let linger { try linger.locked(body) } else { try body(buffers) }
    }
}

extension Optional<[UInt8]> {
    @inlinable @inline(__always)
    func withOptionalBytes<R>(_ body: (UnsafeRawBufferPointer?) throws -> R) rethrows -> R {
        guard let bytes = self else { return try body(nil) }
        return try bytes.withUnsafeBytes { try body($0) }
    }
}
