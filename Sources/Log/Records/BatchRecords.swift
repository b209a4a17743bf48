// Walks the records of one batch. A reader does this for every record there is: it is inlined into the
// loop that looks at the records, also of another package, allocates nothing, and still believes no
// length: a good checksum says only that the bytes are those that somebody wrote.
//
// A record: length, attributes (1 byte, unused), timestamp delta, offset delta, key, value, headers;
// all numbers variable-length (Kafka: DefaultRecord).

package import StreamJobsCompression

/// The records of one batch from the first to the last. Points into memory that must outlive it.
@usableFromInline
package struct BatchRecords {
    /// The next record, and the end of the batch.
    @usableFromInline var pointer: UnsafeRawPointer
    @usableFromInline let end: UnsafeRawPointer
    /// Records still to come, as the header counts them.
    @usableFromInline package private(set) var left: Int
    /// The offset delta of the record read last; -1 before the first. Deltas rise, with gaps where
    /// compaction has taken records out.
    @usableFromInline var lastDelta: Int64 = -1
    @usableFromInline let baseOffset: Int64
    @usableFromInline let lastOffsetDelta: Int64
    @usableFromInline let baseTimestamp: Int64
    /// No bit where the log has given all records the time of their append.
    @usableFromInline let timestampMask: Int64

    /// - Parameters:
    ///   - records: What stands behind the batch's header, decompressed.
    package init(records: UnsafeRawBufferPointer, _ header: BatchHeader) {
        // An empty buffer may have no address; none of it is ever read then.
        let start = records.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!
        pointer = start
        end = start + records.count
        left = Int(header.recordsCount)
        baseOffset = header.baseOffset
        lastOffsetDelta = Int64(header.lastOffsetDelta)
        let isAppendTime = header.attributes.contains(.logAppendTime)
        baseTimestamp = isAppendTime ? header.maxTimestamp : header.baseTimestamp
        timestampMask = isAppendTime ? 0 : -1
    }

    /// - Parameter batch: A whole batch that is not compressed.
    package init(_ batch: UnsafeRawBufferPointer, _ header: BatchHeader) {
        self.init(records: header.recordBytes(of: batch), header)
    }

    /// Of a whole batch, compressed or not; decompressed records are valid until `decompressor` is used
    /// again. Throws where the codec is unknown, the bytes are not what it has written, or there are
    /// more than `limit`.
    package init(
        _ batch: UnsafeRawBufferPointer, _ header: BatchHeader, _ decompressor: Decompressor,
        limit: Int = Limits.decompressedBatchBytesMax
    ) throws(MalformedBatch) {
        var records = header.recordBytes(of: batch)
        let codec = try header.compression
        if codec != .none {
            do {
                records = try decompressor.decompress(records, from: codec, limit: limit)
            } catch {
                throw .field("its records cannot be decompressed with \(codec.name): \(error)")
            }
        }
        self.init(records: records, header)
    }

    /// Whether no byte is left over.
    package var isAtEnd: Bool { pointer == end }

    /// The offset behind the record read last, or of the batch's first.
    @inlinable package var position: Int64 { baseOffset + lastDelta + 1 }
    /// The offset behind the batch.
    package var nextOffset: Int64 { baseOffset + lastOffsetDelta + 1 }

    /// Nil behind the last record. Throws where a length or an offset cannot be true, or bytes are left
    /// over.
    package mutating func next() throws(MalformedBatch) -> RecordView? {
        guard left > 0 else {
            guard pointer == end else { throw .field("bytes follow the last record") }
            return nil
        }
        return try read()
    }

    /// The next record; there must be one (`left`).
    @inlinable @inline(__always)
    package mutating func read() throws(MalformedBatch) -> RecordView {
        var next = pointer
        var length: Int64 = 0
        guard Varint.read(&next, below: end, &length), length > 0, length <= Int64(end - next)
        else { throw malformed(.length) }
        let bodyEnd = next + Int(length)
        next += 1
        var timestampDelta: Int64 = 0
        guard Varint.read(&next, below: bodyEnd, &timestampDelta) else {
            throw malformed(.timestampDelta)
        }
        var offsetDelta: Int64 = 0
        guard Varint.read(&next, below: bodyEnd, &offsetDelta), offsetDelta > lastDelta,
            offsetDelta <= lastOffsetDelta
        else { throw malformed(.offsetDelta) }
        var keyCount: Int64 = 0
        guard Varint.read(&next, below: bodyEnd, &keyCount), keyCount >= -1,
            keyCount <= Int64(bodyEnd - next)
        else { throw malformed(.key) }
        let key = next
        if keyCount > 0 { next += Int(keyCount) }
        var valueCount: Int64 = 0
        guard Varint.read(&next, below: bodyEnd, &valueCount), valueCount >= -1,
            valueCount <= Int64(bodyEnd - next)
        else { throw malformed(.value) }
        let value = next
        if valueCount > 0 { next += Int(valueCount) }
        pointer = bodyEnd
        left -= 1
        lastDelta = offsetDelta
        return RecordView(
            offset: Offset(baseOffset &+ offsetDelta),
            timestamp: Timestamp(milliseconds: baseTimestamp &+ (timestampDelta & timestampMask)),
            key: key, keyCount: Int(keyCount), value: value, valueCount: Int(valueCount),
            headers: next, headersCount: bodyEnd - next)
    }

    /// Bytes of the records from here to the place `end` of the same batch.
    package func byteCount(upTo end: BatchRecords) -> Int { end.pointer - pointer }

    /// The records from here to the place `end` of the same batch, copied to `memory`, which has room for
    /// just those bytes and must outlive what is given.
    package func copied(upTo end: BatchRecords, to memory: UnsafeMutableRawBufferPointer)
        -> BatchRecords
    {
        let bytes = UnsafeRawBufferPointer(start: pointer, count: byteCount(upTo: end))
        precondition(bytes.count == memory.count, "the memory fits the records")
        memory.copyMemory(from: bytes)
        return BatchRecords(self, at: UnsafeRawBufferPointer(memory), left: left - end.left)
    }

    /// What `records` says of a batch, for some of its records that lie elsewhere.
    private init(_ records: BatchRecords, at bytes: UnsafeRawBufferPointer, left: Int) {
        // An empty buffer may have no address; none of it is ever read then.
        let start = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!
        pointer = start
        end = start + bytes.count
        self.left = left
        lastDelta = records.lastDelta
        baseOffset = records.baseOffset
        lastOffsetDelta = records.lastOffsetDelta
        baseTimestamp = records.baseTimestamp
        timestampMask = records.timestampMask
    }

    /// Goes to the first record at or above `offset`. Throws as `next`.
    package mutating func skip(to offset: Offset) throws(MalformedBatch) {
        while left > 0, position < offset.rawValue {
            let before = self
            _ = try read()
            if position > offset.rawValue {
                self = before
                return
            }
        }
    }

    @usableFromInline
    enum Field { case length, timestampDelta, offsetDelta, key, value }

    /// Kept out of the loop: what is wrong is put into words only when it is.
    @usableFromInline @inline(never)
    func malformed(_ field: Field) -> MalformedBatch {
        let behind = "of the record behind offset delta \(lastDelta)"
        switch field {
        case .length: return .field("the length \(behind) cannot be true")
        case .timestampDelta: return .field("the timestamp \(behind) is cut short")
        case .offsetDelta:
            return .field("the offset delta \(behind) is not above it, or over \(lastOffsetDelta)")
        case .key: return .field("the key's length \(behind) cannot be true")
        case .value: return .field("the value's length \(behind) cannot be true")
        }
    }
}
