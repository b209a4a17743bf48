// Big-endian integers and variable-length integers in raw memory. The caller has made sure that there
// is room (writing); reading checks its bounds itself. What a record costs is spent here: all of it is
// inlined, numbers of one and two bytes first.

extension UnsafeRawBufferPointer {
    func loadBigEndian<T: FixedWidthInteger>(_ type: T.Type, at position: Int) -> T {
        T(bigEndian: loadUnaligned(fromByteOffset: position, as: type))
    }
}

extension UnsafeMutableRawPointer {
    func storeBigEndian<T: FixedWidthInteger>(_ value: T, at position: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: position, as: T.self)
    }

    /// Copies `bytes` here and moves on behind them.
    @inline(__always)
    mutating func copy(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        copyMemory(from: base, byteCount: bytes.count)
        self += bytes.count
    }

    /// As `copy`, for keys: those of 8 to 16 bytes without a call, as two overlapping words.
    @inline(__always)
    mutating func copyShort(_ bytes: UnsafeRawBufferPointer) {
        let count = bytes.count
        guard let base = bytes.baseAddress, count &- 8 <= 8, count >= 8 else {
            return copy(bytes)
        }
        let first = base.loadUnaligned(as: UInt64.self)
        let last = base.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
        storeBytes(of: first, as: UInt64.self)
        storeBytes(of: last, toByteOffset: count - 8, as: UInt64.self)
        self += count
    }
}

/// Protocol Buffers' zigzag variable-length integers, as records use them (KIP-98).
@usableFromInline
enum Varint {
    /// Bytes of the longest.
    @usableFromInline static var byteCountMax: Int { 10 }

    /// Zigzag numbers below take one byte.
    static var byteMax: UInt64 { 1 << 7 }
    /// Zigzag numbers below take one or two bytes.
    static var shortMax: UInt64 { 1 << 14 }

    @inline(__always)
    static func byteCount(_ value: Int64) -> Int { byteCount(zigzag: zigzag(value)) }

    @inline(__always)
    static func byteCount(zigzag value: UInt64) -> Int {
        // Ceiling of the bits by seven, without a division: exact for 1 to 64 bits.
        let bits = 64 &- (value | 1).leadingZeroBitCount
        return (bits &* 9 &+ 64) &>> 6
    }

    /// Of a number below `shortMax`.
    @inline(__always)
    static func shortByteCount(_ value: UInt64) -> Int { value < byteMax ? 1 : 2 }

    /// Writes at `pointer` and moves it on. The caller has made sure of `byteCount(value)` bytes.
    @inline(__always)
    static func write(_ value: Int64, to pointer: inout UnsafeMutableRawPointer) {
        write(zigzag: zigzag(value), to: &pointer)
    }

    @inline(__always)
    static func write(zigzag value: UInt64, to pointer: inout UnsafeMutableRawPointer) {
        var rest = value
        while rest >= 0x80 {
            pointer.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, as: UInt8.self)
            pointer += 1
            rest >>= 7
        }
        pointer.storeBytes(of: UInt8(truncatingIfNeeded: rest), as: UInt8.self)
        pointer += 1
    }

    /// The bytes of a number below `shortMax`, the first one lowest.
    @inline(__always)
    static func shortBytes(_ value: UInt64) -> UInt64 {
        let isTwo: UInt64 = value < 0x80 ? 0 : 1
        return (value & 0x7f) | isTwo &<< 7 | (value &>> 7) &<< 8
    }

    @inline(__always)
    static func zigzag(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: (value << 1) ^ (value >> 63))
    }

    /// Reads at `pointer`, below `end`, and moves it on. False where there is none: it would go beyond
    /// `end` or has more than ten bytes; the pointer may have moved then. Bits above the 64th are dropped,
    /// as Kafka does.
    @inlinable @inline(__always)
    static func read(
        _ pointer: inout UnsafeRawPointer, below end: UnsafeRawPointer, _ value: inout Int64
    ) -> Bool {
        guard pointer < end else { return false }
        let first = UInt64(pointer.load(as: UInt8.self))
        if first < 0x80 {
            pointer += 1
            value = unzigzag(first)
            return true
        }
        guard end - pointer >= 2 else { return false }
        let second = UInt64(pointer.load(fromByteOffset: 1, as: UInt8.self))
        if second < 0x80 {
            pointer += 2
            value = unzigzag(first & 0x7f | second << 7)
            return true
        }
        return readLong(&pointer, below: end, &value)
    }

    @usableFromInline @inline(never)
    static func readLong(
        _ pointer: inout UnsafeRawPointer, below end: UnsafeRawPointer, _ value: inout Int64
    ) -> Bool {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64, pointer < end {
            let byte = pointer.load(as: UInt8.self)
            pointer += 1
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 {
                value = unzigzag(result)
                return true
            }
            shift += 7
        }
        return false
    }

    @inlinable @inline(__always)
    static func unzigzag(_ value: UInt64) -> Int64 {
        Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
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
        guard let base = bytes.baseAddress, remaining > 0 else { throw .cutShort }
        var pointer = base + position
        var value: Int64 = 0
        guard Varint.read(&pointer, below: base + bytes.count, &value) else {
            guard remaining >= Varint.byteCountMax else { throw .cutShort }
            throw .field("a variable-length integer has more than \(Varint.byteCountMax) bytes")
        }
        position = pointer - base
        return value
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
