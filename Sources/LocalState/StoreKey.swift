// Keys of stores: types whose bytes sort as their values do, so that a store can be read in order.
// Two keys are one key exactly if their bytes are equal (see `isSameKey`).

/// A key of a store: its bytes sort, compared one by one without sign, as the values do.
///
/// A key may have any length, none included. Of a key longer than 510 bytes the first 494 stand in
/// the tree and the rest beside the value: stores with many such keys that are equal in their first
/// 494 bytes are read and written in memory, a group at a time.
public protocol StoreKey: Hashable, Sendable {
    /// The name of the format; opening a store with a key of another name is refused.
    static var codecName: String { get }
    /// Appends the bytes of the key.
    func encodeOrdered(into buffer: inout [UInt8])
    /// The reverse of ``encodeOrdered(into:)``; throws ``SerdeError`` where the bytes are no key.
    init(orderedBytes: RawSpan) throws
    /// Whether two keys have the same bytes. By default `==`.
    static func isSameKey(_ one: Self, _ other: Self) -> Bool
    /// Hashes such that keys with the same bytes have the same hash. By default `hash(into:)`.
    func hashKey(into hasher: inout Hasher)
    /// The number of bytes of every key, where they are 1 to 8 for all keys of the type; then
    /// ``orderedBits`` tells them. By default 0: keys of any length.
    static var orderedWidth: Int { get }
    /// The bytes of a key of fixed width as a number, the first one highest, filled up with zeros.
    var orderedBits: UInt64 { get }
    /// A hash whose upper half is good; equal for keys with the same bytes. By default of `hashKey(into:)`.
    func storeHash(seed: UInt64) -> UInt64
}

extension StoreKey {
    @inlinable
    public static func isSameKey(_ one: Self, _ other: Self) -> Bool { one == other }

    @inlinable
    public func hashKey(into hasher: inout Hasher) { hash(into: &hasher) }
}

/// Strings sort by their Unicode scalars (UTF-8 sorts like them), and are one key only if they
/// have the same scalars: `==` also holds between "é" and "e" with an accent, whose bytes differ.
extension String: StoreKey {
    public static var codecName: String { "string" }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        buffer.append(contentsOf: utf8)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        try self.init(strictUTF8: orderedBytes)
    }

    @inlinable
    public static func isSameKey(_ one: String, _ other: String) -> Bool {
        guard one == other else { return false }
        return one.utf8.elementsEqual(other.utf8)
    }

    // `hash(into:)` hashes the canonical form: equal bytes have equal hashes, which is enough.
}

/// Bytes sort one by one, without sign; a prefix comes before what it begins.
extension Array: StoreKey where Element == UInt8 {
    public static var codecName: String { "bytes" }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        buffer.append(contentsOf: self)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        self = orderedBytes.withUnsafeBytes { [UInt8]($0) }
    }
}

/// Eight bytes, big endian, with the sign bit turned round so that negative keys come first.
extension Int64: StoreKey {
    public static var codecName: String { "int64" }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        (UInt64(bitPattern: self) ^ (1 << 63)).appendBigEndian(to: &buffer)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        let bits = try UInt64(bigEndianBytes: orderedBytes, as: Self.codecName)
        self.init(bitPattern: bits ^ (1 << 63))
    }
}

/// As `Int64`, whose data it can read.
extension Int: StoreKey {
    public static var codecName: String { Int64.codecName }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        Int64(self).encodeOrdered(into: &buffer)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        self.init(try Int64(orderedBytes: orderedBytes))
    }
}

/// Eight bytes, big endian.
extension UInt64: StoreKey {
    public static var codecName: String { "uint64" }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        appendBigEndian(to: &buffer)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        self = try UInt64(bigEndianBytes: orderedBytes, as: Self.codecName)
    }
}
