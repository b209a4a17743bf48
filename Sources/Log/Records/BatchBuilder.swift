// Gathers records into one batch in memory, encoded as they come. The memory is kept for the next
// batch. Belongs to one thread; the log copies nothing: it writes the sealed bytes as they stand.

import StreamJobsChecksum
package import StreamJobsCompression

/// Builds one batch after another.
package final class BatchBuilder {
    /// The part that takes records.
    package let writer: BatchWriter
    /// Made with the first batch that is compressed.
    private var compressor: Compressor?
    /// The batch as it was sealed: in the writer's memory or, compressed, in `compressed`.
    private var sealedBytes: UnsafeMutableRawBufferPointer?
    /// Header and compressed records of the batch sealed last.
    private var compressed: UnsafeMutableRawBufferPointer?

    /// - Parameters:
    ///   - capacity: Bytes to begin with; the memory grows with the batch.
    ///   - bytesMax: Bytes of the largest batch, header included: the topic's `max.message.bytes`.
    ///   - bytesTarget: Bytes from which on `writer.appendShort` takes no more.
    package init(
        capacity: Int = 4096, bytesMax: Int = Limits.batchBytesMax, bytesTarget: Int = .max
    ) {
        precondition(capacity >= BatchHeader.byteCount && bytesMax >= BatchHeader.byteCount)
        writer = BatchWriter(
            capacity: Swift.min(capacity, bytesMax), bytesMax: bytesMax, bytesTarget: bytesTarget)
    }

    deinit {
        compressed?.deallocate()
        writer.deallocate()
    }

    /// Bytes of the batch so far, header included, not compressed.
    package var byteCount: Int { writer.byteCount }
    /// Bytes of memory that the builder holds.
    package var capacity: Int { writer.capacity + (compressed?.count ?? 0) }
    package var recordCount: Int { writer.recordCount }
    package var isEmpty: Bool { recordCount == 0 }

    /// Adds a record. Throws `recordTooLarge` for one that this batch cannot hold (none can if it is
    /// empty); nothing is added then.
    package func append(
        key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, timestamp: Timestamp,
        headers: [Header] = []
    ) throws {
        try writer.append(key: key, value: value, timestamp: timestamp, headers: headers)
    }

    /// Whether a record of about `bytes` in key and value would still fit a batch of the wanted size.
    package func hasRoom(for bytes: Int, headers: [Header] = []) -> Bool {
        let size = headers.reduce(byteCount + bytes) { $0 + $1.byteCount }
        let isWithinMax = size + Limits.recordOverheadMax <= writer.bytesMax
        return isEmpty || size <= Limits.batchBytesTarget && isWithinMax
    }

    /// Writes header and checksum and gives the whole batch, which is valid until the next change.
    /// The base offset and the leader epoch are the log's to set.
    ///
    /// - Parameters:
    ///   - baseSequence: The producer's number of the first record; -1 if it does not count them.
    ///   - compression: The codec; a batch that it would not make smaller is left as it is.
    ///   - level: Of the codec; nil for its default.
    ///   - isRequired: Then it is compressed also where that makes it larger, up to the limit.
    package func seal(
        producer: ProducerStamp? = nil, baseSequence: Int32 = -1, isTransactional: Bool = false,
        compression: CompressionCodec = .none, level: Int? = nil, isRequired: Bool = false
    ) -> UnsafeMutableRawBufferPointer {
        var attributes: BatchHeader.Attributes = isTransactional ? .transactional : []
        var batch = writer.bytes
        if compression != .none, let smaller = compress(with: compression, level, isRequired) {
            attributes.formUnion(BatchHeader.Attributes(rawValue: Int16(compression.rawValue)))
            batch = smaller
        }
        return seal(
            batch, producer: producer, baseSequence: baseSequence, attributes: attributes)
    }

    /// A batch with one control record: a transaction's marker.
    package static func sealMarker(_ marker: TransactionMarker, of producer: ProducerStamp)
        -> BatchBuilder
    {
        let builder = BatchBuilder(capacity: 128)
        marker.withRecord { key, value in
            do {
                try builder.append(key: key, value: value, timestamp: .now())
            } catch {
                preconditionFailure("a marker is smaller than a batch: \(error)")
            }
        }
        _ = builder.seal(
            builder.writer.bytes, producer: producer, baseSequence: -1,
            attributes: [.transactional, .control])
        return builder
    }

    /// The bytes as sealed, until the next change.
    package var sealed: UnsafeMutableRawBufferPointer {
        guard let sealedBytes else { preconditionFailure("the batch was not sealed") }
        return sealedBytes
    }

    /// The limit of a batch, as for a topic of which an error is to speak.
    package static func refusal(of error: LogError, by topic: String) -> LogError {
        guard error.code == .recordTooLarge else { return error }
        return LogError(
            .recordTooLarge,
            "\(error.message) of the topic '\(topic)' (max.message.bytes, less "
                + "\(BatchHeader.byteCount) for a batch's header); raise that, or split the record")
    }

    /// Throws `recordTooLarge`, as sending it to `topic` would, for a record that is too large for a batch
    /// of its own.
    package static func requireRoom(
        key: [UInt8]?, value: [UInt8]?, headers: [Header] = [], in topic: Topic
    ) throws {
        let bytes = BatchWriter.loneByteCount(key?.count ?? -1, value?.count ?? -1, headers)
        let limit = topic.settings.builderBytesMax - BatchHeader.byteCount
        guard bytes > limit else { return }
        throw refusal(of: BatchWriter.tooLarge(bytes, limit: limit), by: topic.name)
    }

    package func reset() {
        sealedBytes = nil
        writer.reset()
    }

    private func seal(
        _ batch: UnsafeMutableRawBufferPointer, producer: ProducerStamp?, baseSequence: Int32,
        attributes: BatchHeader.Attributes
    ) -> UnsafeMutableRawBufferPointer {
        precondition(!isEmpty, "a batch has at least one record")
        guard let memory = batch.baseAddress else { preconditionFailure("a batch has bytes") }
        typealias Position = BatchHeader.Position
        let length = Int32(batch.count - BatchHeader.lengthOverhead)
        memory.storeBigEndian(Int64(0), at: Position.baseOffset)
        memory.storeBigEndian(length, at: Position.batchLength)
        memory.storeBigEndian(Int32(0), at: Position.leaderEpoch)
        memory.storeBigEndian(BatchHeader.currentMagic, at: Position.magic)
        memory.storeBigEndian(attributes.rawValue, at: Position.attributes)
        memory.storeBigEndian(Int32(recordCount - 1), at: Position.lastOffsetDelta)
        memory.storeBigEndian(writer.baseTimestamp, at: Position.baseTimestamp)
        memory.storeBigEndian(writer.maxTimestamp, at: Position.maxTimestamp)
        memory.storeBigEndian(producer?.id ?? -1, at: Position.producerID)
        memory.storeBigEndian(producer?.epoch ?? -1, at: Position.producerEpoch)
        memory.storeBigEndian(baseSequence, at: Position.baseSequence)
        memory.storeBigEndian(Int32(recordCount), at: Position.recordsCount)
        let covered = UnsafeRawBufferPointer(rebasing: batch[Position.attributes...])
        memory.storeBigEndian(CRC32C.checksum(covered), at: Position.crc)
        sealedBytes = batch
        return batch
    }

    /// As `seal`, with the codec that the topic asks for, or where it leaves that open, with `compression`.
    package func seal(
        for settings: TopicSettings, producer: ProducerStamp?, baseSequence: Int32 = -1,
        isTransactional: Bool = false, compression: CompressionCodec = .none, level: Int? = nil
    ) -> UnsafeMutableRawBufferPointer {
        let codec = settings.compression.codec
        return seal(
            producer: producer, baseSequence: baseSequence, isTransactional: isTransactional,
            compression: codec ?? compression,
            level: codec == nil || codec == compression ? level : nil, isRequired: codec != nil)
    }

    /// A batch of the records compressed, behind room for its header; nil if that is no smaller, or more
    /// than a reader decompresses.
    private func compress(with codec: CompressionCodec, _ level: Int?, _ isRequired: Bool)
        -> UnsafeMutableRawBufferPointer?
    {
        let compressor = self.compressor ?? Compressor()
        self.compressor = compressor
        let records = UnsafeRawBufferPointer(
            rebasing: UnsafeRawBufferPointer(writer.bytes)[BatchHeader.byteCount...])
        guard records.count <= Limits.decompressedBatchBytesMax else { return nil }
        let bytes: UnsafeRawBufferPointer
        do {
            bytes = try compressor.compress(records, with: codec, level: level)
        } catch {
            // A codec without memory or of another level: the records are as good uncompressed.
            return nil
        }
        let count = BatchHeader.byteCount + bytes.count
        guard bytes.count < records.count || isRequired && count <= writer.bytesMax else {
            return nil
        }
        if (compressed?.count ?? 0) < count {
            compressed?.deallocate()
            compressed = .allocate(byteCount: Swift.max(count, 4096), alignment: 16)
        }
        guard let memory = compressed else { return nil }
        UnsafeMutableRawBufferPointer(rebasing: memory[BatchHeader.byteCount..<count])
            .copyMemory(from: bytes)
        return UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
    }
}
