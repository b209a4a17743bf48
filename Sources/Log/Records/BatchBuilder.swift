// Gathers records into one batch in memory, encoded as they come. The memory is kept for the next
// batch. Belongs to one thread; the log copies nothing: it writes the sealed bytes as they stand.
//
// A record: length, attributes (1 byte, unused), timestamp delta, offset delta, key, value, headers;
// all numbers variable-length (Kafka: DefaultRecord).

import StreamJobsChecksum
package import StreamJobsCompression

/// Builds one batch after another.
package final class BatchBuilder {
    /// What changes with each record, behind a pointer of the builder's own: reached without the
    /// runtime's check for overlapping access that a class's own properties would take at each record.
    private struct State {
        var memory: UnsafeMutableRawPointer
        var capacity: Int
        var byteCount = BatchHeader.byteCount
        var recordCount = 0
        var baseTimestamp: Int64 = 0
        var maxTimestamp: Int64 = 0
    }

    // Allocated in init, freed in deinit, never given away.
    private let state: UnsafeMutablePointer<State>
    /// Bytes of the largest batch that this builder makes: the topic's `max.message.bytes`.
    package let bytesMax: Int
    /// Made with the first batch that is compressed.
    private var compressor: Compressor?
    /// The batch as it was sealed: in `state`'s memory or, compressed, in `compressed`.
    private var sealedBytes: UnsafeMutableRawBufferPointer?
    /// Header and compressed records of the batch sealed last.
    private var compressed: UnsafeMutableRawBufferPointer?

    /// - Parameters:
    ///   - capacity: Bytes to begin with; the memory grows with the batch.
    ///   - bytesMax: Bytes of the largest batch, header included.
    package init(capacity: Int = 4096, bytesMax: Int = Limits.batchBytesMax) {
        precondition(capacity >= BatchHeader.byteCount && bytesMax >= BatchHeader.byteCount)
        let capacity = Swift.min(capacity, bytesMax)
        self.bytesMax = bytesMax
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(
                memory: .allocate(byteCount: capacity, alignment: 16), capacity: capacity))
    }

    deinit {
        compressed?.deallocate()
        state.pointee.memory.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Bytes of the batch so far, header included, not compressed.
    package var byteCount: Int { state.pointee.byteCount }
    /// Bytes of memory that the builder holds.
    package var capacity: Int { state.pointee.capacity }
    package var recordCount: Int { state.pointee.recordCount }
    package var isEmpty: Bool { recordCount == 0 }

    /// Adds a record. Throws `recordTooLarge` for one that this batch cannot hold (none can if it is
    /// empty); nothing is added then.
    package func append(
        key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, timestamp: Timestamp,
        headers: [Header]
    ) throws {
        guard !headers.isEmpty else {
            return try append(key: key, value: value, timestamp: timestamp)
        }
        var headerBytes = Varint.byteCount(Int64(headers.count))
        for header in headers { headerBytes += header.byteCount }
        var pointer = try appendFields(key, value, timestamp, headerBytes: headerBytes)
        Varint.write(Int64(headers.count), to: &pointer)
        for header in headers { header.write(to: &pointer) }
        precondition(
            pointer == state.pointee.memory + byteCount, "the size was computed wrongly")
    }

    /// Adds a record without headers: as above, and as fast as it gets. Allocates only to grow.
    @inline(__always)
    package func append(
        key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, timestamp: Timestamp
    ) throws {
        let pointer = try appendFields(key, value, timestamp, headerBytes: 1)
        pointer.storeBytes(of: 0, as: UInt8.self)
    }

    /// Writes all of a record but its headers, for which it leaves room, and counts it as added. Gives
    /// where the headers belong.
    @inline(__always)
    private func appendFields(
        _ key: UnsafeRawBufferPointer?, _ value: UnsafeRawBufferPointer?, _ timestamp: Timestamp,
        headerBytes: Int
    ) throws -> UnsafeMutableRawPointer {
        let state = state
        let recordCount = state.pointee.recordCount
        let base = recordCount == 0 ? timestamp.milliseconds : state.pointee.baseTimestamp
        let timestampDelta = timestamp.milliseconds &- base
        let keyCount = key.map { $0.count } ?? -1
        let valueCount = value.map { $0.count } ?? -1
        let bodyCount =
            1 + Varint.byteCount(timestampDelta) + Varint.byteCount(Int64(recordCount))
            + Varint.byteCount(Int64(keyCount)) + Swift.max(0, keyCount)
            + Varint.byteCount(Int64(valueCount)) + Swift.max(0, valueCount) + headerBytes
        let end = state.pointee.byteCount + Varint.byteCount(Int64(bodyCount)) + bodyCount
        if end > state.pointee.capacity { try grow(to: end) }
        let start = state.pointee.memory + state.pointee.byteCount
        var pointer = start
        Varint.write(Int64(bodyCount), to: &pointer)
        pointer.storeBytes(of: 0, as: UInt8.self)
        pointer += 1
        Varint.write(timestampDelta, to: &pointer)
        Varint.write(Int64(recordCount), to: &pointer)
        Varint.write(Int64(keyCount), to: &pointer)
        if let key { pointer.copyShort(key) }
        Varint.write(Int64(valueCount), to: &pointer)
        if let value { pointer.copy(value) }
        precondition(
            pointer + headerBytes == state.pointee.memory + end, "the size was computed wrongly")
        state.pointee.byteCount = end
        state.pointee.recordCount = recordCount + 1
        state.pointee.baseTimestamp = base
        if recordCount == 0 || timestamp.milliseconds > state.pointee.maxTimestamp {
            state.pointee.maxTimestamp = timestamp.milliseconds
        }
        return pointer
    }

    /// Makes room for a batch of `bytes`. The capacity never exceeds the limit, so that an append which
    /// fits needs no second check.
    @inline(never)
    private func grow(to bytes: Int) throws {
        guard bytes <= bytesMax else {
            throw LogError(
                .recordTooLarge,
                "a record of \(bytes - byteCount) bytes is over the limit of "
                    + "\(bytesMax - byteCount) bytes")
        }
        let capacity = Swift.min(Swift.max(state.pointee.capacity * 2, bytes), bytesMax)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: state.pointee.memory, byteCount: byteCount)
        state.pointee.memory.deallocate()
        state.pointee.memory = larger
        state.pointee.capacity = capacity
    }

    /// Whether a record of about `bytes` in key and value would still fit a batch of the wanted size.
    package func hasRoom(for bytes: Int, headers: [Header] = []) -> Bool {
        let headerBytes = headers.reduce(0) { $0 + $1.byteCount }
        return isEmpty || byteCount + bytes + headerBytes <= Limits.batchBytesTarget
    }

    /// Writes header and checksum and gives the whole batch, which is valid until the next change.
    /// The base offset and the leader epoch are the log's to set.
    ///
    /// - Parameters:
    ///   - baseSequence: The producer's number of the first record; -1 if it does not count them.
    ///   - compression: The codec; a batch that it would not make smaller is left as it is.
    ///   - level: Of the codec; nil for its default.
    package func seal(
        producer: ProducerStamp? = nil, baseSequence: Int32 = -1, isTransactional: Bool = false,
        compression: CompressionCodec = .none, level: Int? = nil
    ) -> UnsafeMutableRawBufferPointer {
        var attributes: BatchHeader.Attributes = isTransactional ? .transactional : []
        var batch = UnsafeMutableRawBufferPointer(start: state.pointee.memory, count: byteCount)
        if compression != .none, let smaller = compress(with: compression, level) {
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
            UnsafeMutableRawBufferPointer(
                start: builder.state.pointee.memory, count: builder.byteCount),
            producer: producer, baseSequence: -1, attributes: [.transactional, .control])
        return builder
    }

    /// The bytes as sealed, until the next change.
    package var sealed: UnsafeMutableRawBufferPointer {
        guard let sealedBytes else { preconditionFailure("the batch was not sealed") }
        return sealedBytes
    }

    package func reset() {
        sealedBytes = nil
        state.pointee.byteCount = BatchHeader.byteCount
        state.pointee.recordCount = 0
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
        memory.storeBigEndian(state.pointee.baseTimestamp, at: Position.baseTimestamp)
        memory.storeBigEndian(state.pointee.maxTimestamp, at: Position.maxTimestamp)
        memory.storeBigEndian(producer?.id ?? -1, at: Position.producerID)
        memory.storeBigEndian(producer?.epoch ?? -1, at: Position.producerEpoch)
        memory.storeBigEndian(baseSequence, at: Position.baseSequence)
        memory.storeBigEndian(Int32(recordCount), at: Position.recordsCount)
        let covered = UnsafeRawBufferPointer(rebasing: batch[Position.attributes...])
        memory.storeBigEndian(CRC32C.checksum(covered), at: Position.crc)
        sealedBytes = batch
        return batch
    }

    /// A batch of the records compressed, behind room for its header; nil if that is no smaller.
    private func compress(with codec: CompressionCodec, _ level: Int?)
        -> UnsafeMutableRawBufferPointer?
    {
        let compressor = self.compressor ?? Compressor()
        self.compressor = compressor
        let records = UnsafeRawBufferPointer(
            start: state.pointee.memory + BatchHeader.byteCount,
            count: byteCount - BatchHeader.byteCount)
        let bytes: UnsafeRawBufferPointer
        do {
            bytes = try compressor.compress(records, with: codec, level: level)
        } catch {
            // A codec without memory or of another level: the records are as good uncompressed.
            return nil
        }
        guard bytes.count < records.count else { return nil }
        let count = BatchHeader.byteCount + bytes.count
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
