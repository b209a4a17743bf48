// Big-endian integers and variable-length integers in raw memory. The caller has made sure that there
// is room (writing); reading checks its bounds itself.

extension UnsafeRawBufferPointer {
    func loadBigEndian<T: FixedWidthInteger>(_ type: T.Type, at position: Int) -> T {
        T(bigEndian: loadUnaligned(fromByteOffset: position, as: type))
    }
}

extension UnsafeMutableRawPointer {
    func storeBigEndian<T: FixedWidthInteger>(_ value: T, at position: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: position, as: T.self)
    }
}

/// Protocol Buffers' zigzag variable-length integers, as records use them (KIP-98).
enum Varint {
    /// Bytes of the longest.
    static let byteCountMax = 10

    static func byteCount(_ value: Int64) -> Int {
        let bits = 64 - zigzag(value).leadingZeroBitCount
        return Swift.max(1, (bits + 6) / 7)
    }

    /// Writes at `pointer` and moves it on. The caller has made sure of `byteCount(value)` bytes.
    static func write(_ value: Int64, to pointer: inout UnsafeMutableRawPointer) {
        var rest = zigzag(value)
        while rest >= 0x80 {
            pointer.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, as: UInt8.self)
            pointer += 1
            rest >>= 7
        }
        pointer.storeBytes(of: UInt8(truncatingIfNeeded: rest), as: UInt8.self)
        pointer += 1
    }

    private static func zigzag(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: (value << 1) ^ (value >> 63))
    }
}

/// Reads forward through bytes that nobody has checked.
struct ByteReader {
    private(set) var position: Int
    let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer, from position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    var remaining: Int { bytes.count - position }

    mutating func varint() throws(MalformedBatch) -> Int64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64 {
            guard position < bytes.count else { throw .cutShort }
            let byte = bytes[position]
            position += 1
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 {
                return Int64(bitPattern: result >> 1) ^ -Int64(bitPattern: result & 1)
            }
            shift += 7
        }
        throw .field("a variable-length integer has more than \(Varint.byteCountMax) bytes")
    }

    mutating func take(_ count: Int) throws(MalformedBatch) -> UnsafeRawBufferPointer {
        guard count >= 0 else { throw .field("a length is \(count)") }
        guard count <= remaining else { throw .cutShort }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    /// A length and so many bytes; -1 is null.
    mutating func nullableBytes() throws(MalformedBatch) -> UnsafeRawBufferPointer? {
        let length = try varint()
        if length == -1 { return nil }
        guard length >= 0, length <= Int64(remaining) else { throw .field("a length is \(length)") }
        return try take(Int(length))
    }
}
