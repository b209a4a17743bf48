// Floating point numbers as keys: the bits of IEEE 754, big endian, turned round so that they sort as the
// numbers do. A positive number gets its sign bit set, of a negative one all bits are inverted.
//
// As `==` has it, -0 and 0 are one key, which comes back as 0. Unlike `==`, NaN is a key like another
// (all of its bit patterns are one) and sorts behind infinity: an entry must be found again.

extension Double: StoreKey {
    public static var codecName: String { "double" }

    @inlinable
    public static var orderedByteCount: Int? { 8 }

    @inlinable
    public var orderedBits: UInt64 {
        let bits = (isNaN ? .nan : self == 0 ? 0 : self).bitPattern
        return bits >> 63 == 0 ? bits ^ (1 << 63) : ~bits
    }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        orderedBits.appendBigEndian(to: &buffer)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        let bits = try UInt64(bigEndianBytes: orderedBytes, as: Self.codecName)
        self.init(bitPattern: bits >> 63 == 0 ? ~bits : bits ^ (1 << 63))
    }

    @inlinable
    public static func isSameKey(_ one: Double, _ other: Double) -> Bool {
        one.orderedBits == other.orderedBits
    }

    @inlinable
    public func hashKey(into hasher: inout Hasher) { hasher.combine(orderedBits) }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 { mixHash(orderedBits, seed) }
}

extension Float: StoreKey {
    public static var codecName: String { "float" }

    @inlinable
    public static var orderedByteCount: Int? { 4 }

    @inlinable
    public var orderedBits: UInt64 {
        let bits = (isNaN ? .nan : self == 0 ? 0 : self).bitPattern
        return UInt64(bits >> 31 == 0 ? bits ^ (1 << 31) : ~bits) << 32
    }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        UInt32(truncatingIfNeeded: orderedBits >> 32).appendBigEndian(to: &buffer)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        let bits = try UInt32(bigEndianBytes: orderedBytes, as: Self.codecName)
        self.init(bitPattern: bits >> 31 == 0 ? ~bits : bits ^ (1 << 31))
    }

    @inlinable
    public static func isSameKey(_ one: Float, _ other: Float) -> Bool {
        one.orderedBits == other.orderedBits
    }

    @inlinable
    public func hashKey(into hasher: inout Hasher) { hasher.combine(orderedBits) }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 { mixHash(orderedBits, seed) }
}
