// A record where it lies in a fetched batch. Not copyable, and handed out as a borrow, so that it cannot
// outlive the bytes it points to.

/// One record of a fetched batch, valid during the call that it is given to.
@frozen
public struct RecordView: ~Copyable {
    public let offset: Offset
    public let timestamp: Timestamp
    /// Where key and value are, and their lengths: -1 for null. Checked against the record's length by
    /// `BatchRecords`.
    @usableFromInline let keyStart: UnsafeRawPointer
    @usableFromInline let keyCount: Int
    @usableFromInline let valueStart: UnsafeRawPointer
    @usableFromInline let valueCount: Int
    /// The encoded headers, count first.
    @usableFromInline let headersStart: UnsafeRawPointer
    @usableFromInline let headersCount: Int

    @inlinable @inline(__always)
    init(
        offset: Offset, timestamp: Timestamp, key: UnsafeRawPointer, keyCount: Int,
        value: UnsafeRawPointer, valueCount: Int, headers: UnsafeRawPointer, headersCount: Int
    ) {
        self.offset = offset
        self.timestamp = timestamp
        keyStart = key
        self.keyCount = keyCount
        valueStart = value
        self.valueCount = valueCount
        headersStart = headers
        self.headersCount = headersCount
    }

    /// A record without headers of bytes that lie elsewhere, which must outlive the view.
    init(
        offset: Offset, timestamp: Timestamp, key: UnsafeRawBufferPointer?,
        value: UnsafeRawBufferPointer?
    ) {
        // Never read: the count is 0 or -1 where there is no address.
        let nowhere = UnsafeRawPointer(bitPattern: 1)!
        self.init(
            offset: offset, timestamp: timestamp, key: key?.baseAddress ?? nowhere,
            keyCount: key?.count ?? -1, value: value?.baseAddress ?? nowhere,
            valueCount: value?.count ?? -1, headers: nowhere, headersCount: 0)
    }

    @inlinable
    package var key: UnsafeRawBufferPointer? {
        keyCount < 0 ? nil : UnsafeRawBufferPointer(start: keyStart, count: keyCount)
    }

    @inlinable
    package var value: UnsafeRawBufferPointer? {
        valueCount < 0 ? nil : UnsafeRawBufferPointer(start: valueStart, count: valueCount)
    }

    /// The encoded headers, their count first; not to be kept beyond the call that the record is given to.
    package var headerBytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: headersStart, count: headersCount)
    }

    /// The key's bytes, nil for a null key; not to be kept beyond `body`.
    @inlinable
    public func withKey<R>(_ body: (UnsafeRawBufferPointer?) throws -> R) rethrows -> R {
        try body(key)
    }

    /// The value's bytes, nil for a null value; not to be kept beyond `body`.
    @inlinable
    public func withValue<R>(_ body: (UnsafeRawBufferPointer?) throws -> R) rethrows -> R {
        try body(value)
    }

    public var hasHeaders: Bool { !headerBytes.isEmpty && headerBytes[0] != 0 }

    /// The headers, copied out. Throws `corrupted` if their lengths cannot be true.
    public func headers() throws -> [Header] {
        guard hasHeaders else { return [] }
        do {
            return try readHeaders()
        } catch {
            throw LogError(.corrupted, "the headers of the record at offset \(offset): \(error)")
        }
    }

    private func readHeaders() throws(MalformedBatch) -> [Header] {
        var reader = ByteReader(headerBytes)
        let count = try reader.varint()
        // A header takes two bytes at least: a larger count is not believed, nor allocated.
        guard count >= 0, count <= Int64(reader.remaining / 2) else {
            throw .field("a header count is \(count)")
        }
        var headers: [Header] = []
        headers.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let key = try reader.nullableBytes() else {
                throw .field("a header's key is null")
            }
            let value = try reader.nullableBytes()
            headers.append(Header(String(decoding: key, as: UTF8.self), value.map { Array($0) }))
        }
        return headers
    }

    /// Throws unless the headers' lengths fill the record exactly.
    func validateHeaders() throws(MalformedBatch) {
        var reader = ByteReader(headerBytes)
        let count = try reader.varint()
        guard count >= 0, count <= Int64(reader.remaining / 2) else {
            throw .field("a header count is \(count)")
        }
        for _ in 0..<count {
            guard try reader.nullableBytes() != nil else { throw .field("a header's key is null") }
            _ = try reader.nullableBytes()
        }
        guard reader.remaining == 0 else { throw .field("bytes follow a record's headers") }
    }
}
