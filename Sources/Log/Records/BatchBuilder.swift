// Gathers records into one batch in memory, encoded as they come. The memory is kept for the next
// batch. Belongs to one thread; the log copies nothing: it writes the sealed bytes as they stand.
//
// A record: length, attributes (1 byte, unused), timestamp delta, offset delta, key, value, headers;
// all numbers variable-length (Kafka: DefaultRecord).

import StreamJobsChecksum

/// Builds one batch after another.
package final class BatchBuilder {
    private var memory: UnsafeMutableRawPointer
    private var capacity: Int
    /// Bytes of the batch so far, header included.
    package private(set) var byteCount = BatchHeader.byteCount
    package private(set) var recordCount = 0
    private var baseTimestamp: Int64 = 0
    private var maxTimestamp: Int64 = 0

    package init(capacity: Int = 4096) {
        precondition(capacity >= BatchHeader.byteCount)
        self.capacity = capacity
        memory = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { memory.deallocate() }

    package var isEmpty: Bool { recordCount == 0 }

    /// Adds a record. Throws `recordTooLarge` for one that this batch cannot hold (none can if it is
    /// empty); nothing is added then.
    package func append(
        key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, timestamp: Timestamp,
        headers: [Header] = []
    ) throws {
        if isEmpty {
            baseTimestamp = timestamp.milliseconds
            maxTimestamp = timestamp.milliseconds
        }
        let timestampDelta = timestamp.milliseconds &- baseTimestamp
        let bodyCount = bodyByteCount(key, value, timestampDelta, headers)
        let recordBytes = Varint.byteCount(Int64(bodyCount)) + bodyCount
        guard byteCount + recordBytes <= Limits.batchBytesMax else {
            throw LogError(
                .recordTooLarge,
                "a record of \(recordBytes) bytes is over the limit of "
                    + "\(Limits.batchBytesMax - byteCount) bytes")
        }
        reserve(recordBytes)
        var pointer = memory + byteCount
        Varint.write(Int64(bodyCount), to: &pointer)
        pointer.storeBytes(of: 0, as: UInt8.self)
        pointer += 1
        Varint.write(timestampDelta, to: &pointer)
        Varint.write(Int64(recordCount), to: &pointer)
        write(key, to: &pointer)
        write(value, to: &pointer)
        Varint.write(Int64(headers.count), to: &pointer)
        for header in headers { header.write(to: &pointer) }
        precondition(pointer == memory + byteCount + recordBytes, "the size was computed wrongly")
        byteCount += recordBytes
        recordCount += 1
        maxTimestamp = Swift.max(maxTimestamp, timestamp.milliseconds)
    }

    /// Whether a record of about `bytes` in key and value would still fit a batch of the wanted size.
    package func hasRoom(for bytes: Int, headers: [Header] = []) -> Bool {
        let headerBytes = headers.reduce(0) { $0 + $1.byteCount }
        return isEmpty || byteCount + bytes + headerBytes <= Limits.batchBytesTarget
    }

    /// Writes header and checksum and gives the whole batch, which is valid until the next change.
    /// The base offset and the leader epoch are the log's to set.
    package func seal(producer: ProducerStamp? = nil, isTransactional: Bool = false)
        -> UnsafeMutableRawBufferPointer
    {
        seal(producer: producer, attributes: isTransactional ? .transactional : [])
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
        _ = builder.seal(producer: producer, attributes: [.transactional, .control])
        return builder
    }

    /// The bytes as sealed.
    package var sealed: UnsafeMutableRawBufferPointer { .init(start: memory, count: byteCount) }

    package func reset() {
        byteCount = BatchHeader.byteCount
        recordCount = 0
    }

    private func seal(producer: ProducerStamp?, attributes: BatchHeader.Attributes)
        -> UnsafeMutableRawBufferPointer
    {
        precondition(!isEmpty, "a batch has at least one record")
        typealias Position = BatchHeader.Position
        let length = Int32(byteCount - BatchHeader.lengthOverhead)
        memory.storeBigEndian(Int64(0), at: Position.baseOffset)
        memory.storeBigEndian(length, at: Position.batchLength)
        memory.storeBigEndian(Int32(0), at: Position.leaderEpoch)
        memory.storeBigEndian(BatchHeader.currentMagic, at: Position.magic)
        memory.storeBigEndian(attributes.rawValue, at: Position.attributes)
        memory.storeBigEndian(Int32(recordCount - 1), at: Position.lastOffsetDelta)
        memory.storeBigEndian(baseTimestamp, at: Position.baseTimestamp)
        memory.storeBigEndian(maxTimestamp, at: Position.maxTimestamp)
        memory.storeBigEndian(producer?.id ?? -1, at: Position.producerID)
        memory.storeBigEndian(producer?.epoch ?? -1, at: Position.producerEpoch)
        memory.storeBigEndian(Int32(-1), at: Position.baseSequence)
        memory.storeBigEndian(Int32(recordCount), at: Position.recordsCount)
        let covered = UnsafeRawBufferPointer(
            start: memory + Position.attributes, count: byteCount - Position.attributes)
        memory.storeBigEndian(CRC32C.checksum(covered), at: Position.crc)
        return sealed
    }

    private func bodyByteCount(
        _ key: UnsafeRawBufferPointer?, _ value: UnsafeRawBufferPointer?, _ timestampDelta: Int64,
        _ headers: [Header]
    ) -> Int {
        var count = 1 + Varint.byteCount(timestampDelta) + Varint.byteCount(Int64(recordCount))
        count += Varint.byteCount(Int64(key?.count ?? -1)) + (key?.count ?? 0)
        count += Varint.byteCount(Int64(value?.count ?? -1)) + (value?.count ?? 0)
        count += Varint.byteCount(Int64(headers.count))
        for header in headers { count += header.byteCount }
        return count
    }

    private func write(_ bytes: UnsafeRawBufferPointer?, to pointer: inout UnsafeMutableRawPointer)
    {
        Varint.write(Int64(bytes?.count ?? -1), to: &pointer)
        if let bytes { pointer.copy(bytes) }
    }

    private func reserve(_ bytes: Int) {
        guard byteCount + bytes > capacity else { return }
        capacity = Swift.max(capacity * 2, byteCount + bytes)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: memory, byteCount: byteCount)
        memory.deallocate()
        memory = larger
    }
}
