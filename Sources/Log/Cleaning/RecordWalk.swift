// The records of one batch as bytes, for copying some of them into another batch. Where a reader wants
// keys and values, compaction wants to know where each record lies and what of it may stay as it is.

/// One record where it lies. Points into memory that must outlive it.
struct RecordParts {
    /// The whole record, its length included.
    let bytes: UnsafeRawBufferPointer
    let attributes: UInt8
    let timestampDelta: Int64
    let offsetDelta: Int64
    /// Key, value and headers as they are encoded.
    let rest: UnsafeRawBufferPointer
    /// Nil for a null key.
    let key: UnsafeRawBufferPointer?
    /// The value is null: the key is deleted.
    let isTombstone: Bool

    /// Bytes of the record with another timestamp delta, without its length.
    func byteCount(timestampDelta: Int64) -> Int {
        1 + Varint.byteCount(timestampDelta) + Varint.byteCount(offsetDelta) + rest.count
    }

    /// Writes the record with another timestamp delta and moves `pointer` on. The caller has made sure of
    /// `byteCount(timestampDelta:)` bytes and a length of `Varint.byteCountMax`.
    func write(timestampDelta: Int64, to pointer: inout UnsafeMutableRawPointer) {
        Varint.write(Int64(byteCount(timestampDelta: timestampDelta)), to: &pointer)
        pointer.storeBytes(of: attributes, as: UInt8.self)
        pointer += 1
        Varint.write(timestampDelta, to: &pointer)
        Varint.write(offsetDelta, to: &pointer)
        pointer.copy(rest)
    }
}

/// Walks the records behind a batch's header, decompressed.
struct RecordWalk {
    private var reader: ByteReader
    private var left: Int32
    private var lastDelta: Int64 = -1
    private let lastOffsetDelta: Int64

    init(_ records: UnsafeRawBufferPointer, of header: BatchHeader) {
        reader = ByteReader(records)
        left = header.recordsCount
        lastOffsetDelta = Int64(header.lastOffsetDelta)
    }

    /// Nil behind the last record. Throws where a length or an offset cannot be true, or bytes are left
    /// over: readers refuse them, so that they are not to be dropped here.
    mutating func next() throws(MalformedBatch) -> RecordParts? {
        guard left > 0 else {
            guard reader.remaining == 0 else { throw .field("bytes follow the last record") }
            return nil
        }
        left -= 1
        let start = reader.position
        let length = try reader.varint()
        guard length > 0, length <= Int64(reader.remaining) else {
            throw .field("a record's length is \(length)")
        }
        var body = ByteReader(try reader.take(Int(length)))
        let attributes = try body.take(1)[0]
        let timestampDelta = try body.varint()
        let offsetDelta = try body.varint()
        guard offsetDelta > lastDelta, offsetDelta <= lastOffsetDelta else {
            throw .field("a record's offset delta is \(offsetDelta)")
        }
        lastDelta = offsetDelta
        var rest = body
        let key = try body.nullableBytes()
        let value = try body.nullableBytes()
        return RecordParts(
            bytes: UnsafeRawBufferPointer(rebasing: reader.bytes[start..<reader.position]),
            attributes: attributes, timestampDelta: timestampDelta, offsetDelta: offsetDelta,
            rest: try rest.take(rest.remaining), key: key, isTombstone: value == nil)
    }
}
