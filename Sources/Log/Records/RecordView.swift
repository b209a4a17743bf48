// A record where it lies in a fetched batch. Not copyable, and handed out as a borrow, so that it cannot
// outlive the bytes it points to.

/// One record of a fetched batch, valid during the call that it is given to.
public struct RecordView: ~Copyable {
    public let offset: Offset
    public let timestamp: Timestamp
    package let key: UnsafeRawBufferPointer?
    package let value: UnsafeRawBufferPointer?
    /// The encoded headers, count first.
    private let headerBytes: UnsafeRawBufferPointer

    init(
        offset: Offset, timestamp: Timestamp, key: UnsafeRawBufferPointer?,
        value: UnsafeRawBufferPointer?, headerBytes: UnsafeRawBufferPointer
    ) {
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headerBytes = headerBytes
    }

    /// Reads the record that `reader` stands at, of a batch with `header`. Checks every length.
    static func read(_ reader: inout ByteReader, of header: BatchHeader) throws(MalformedBatch)
        -> RecordView
    {
        let length = try reader.varint()
        guard length >= 0, length <= Int64(reader.remaining) else {
            throw .field("a record's length is \(length)")
        }
        var body = ByteReader(try reader.take(Int(length)))
        _ = try body.take(1)
        let timestampDelta = try body.varint()
        let timestamp =
            header.attributes.contains(.logAppendTime)
            ? header.maxTimestamp : header.baseTimestamp &+ timestampDelta
        let offsetDelta = try body.varint()
        guard offsetDelta >= 0, offsetDelta <= Int64(header.lastOffsetDelta) else {
            throw .field("a record's offset delta is \(offsetDelta)")
        }
        let key = try body.nullableBytes()
        let value = try body.nullableBytes()
        return RecordView(
            offset: Offset(header.baseOffset + offsetDelta),
            timestamp: Timestamp(milliseconds: timestamp),
            key: key, value: value,
            headerBytes: try body.take(body.remaining))
    }

    /// The key's bytes, nil for a null key; not to be kept beyond `body`.
    public func withKey<R>(_ body: (UnsafeRawBufferPointer?) throws -> R) rethrows -> R {
        try body(key)
    }

    /// The value's bytes, nil for a null value; not to be kept beyond `body`.
    public func withValue<R>(_ body: (UnsafeRawBufferPointer?) throws -> R) rethrows -> R {
        try body(value)
    }

    public var hasHeaders: Bool { !headerBytes.isEmpty && headerBytes[0] != 0 }

    /// The headers, copied out. Throws `corrupted` if their lengths cannot be true.
    public func headers() throws -> [Header] {
        guard hasHeaders else { return [] }
        do {
            var reader = ByteReader(headerBytes)
            let count = try reader.varint()
            guard count >= 0, count <= Int64(headerBytes.count) else {
                throw MalformedBatch.field("a header count is \(count)")
            }
            var headers: [Header] = []
            headers.reserveCapacity(Int(count))
            for _ in 0..<count {
                guard let key = try reader.nullableBytes() else {
                    throw MalformedBatch.field("a header's key is null")
                }
                let value = try reader.nullableBytes()
                headers.append(
                    Header(String(decoding: key, as: UTF8.self), value.map { Array($0) }))
            }
            return headers
        } catch {
            throw LogError(.corrupted, "the headers of the record at offset \(offset): \(error)")
        }
    }
}
