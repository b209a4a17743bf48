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

    /// How many bytes every key has; nil, the default, if that differs from key to key.
    static var orderedByteCount: Int? { get }
    /// Appends the bytes of the key as a part of a tuple that more parts follow. By default those
    /// of ``encodeOrdered(into:)``, with an end that sorts before every continuation.
    func encodeOrderedPart(into buffer: inout [UInt8])
    /// The reverse: takes a part that begins at `position`, and moves `position` behind it.
    static func takeOrderedPart(of bytes: RawSpan, at position: inout Int) throws -> Self

    /// The bytes of a key as a number, the first one highest, filled up with zeros. Asked only of types all
    /// of whose keys have 1 to 8 bytes; by default they are encoded.
    var orderedBits: UInt64 { get }
    /// A hash whose upper half is good; equal for keys with the same bytes. By default that of
    /// `hashKey(into:)`.
    func storeHash(seed: UInt64) -> UInt64
}

extension StoreKey {
    @inlinable
    public static func isSameKey(_ one: Self, _ other: Self) -> Bool { one == other }

    @inlinable
    public func hashKey(into hasher: inout Hasher) { hash(into: &hasher) }

    @inlinable
    public static var orderedByteCount: Int? { nil }

    @inlinable
    public func encodeOrderedPart(into buffer: inout [UInt8]) {
        let start = buffer.count
        encodeOrdered(into: &buffer)
        if Self.orderedByteCount == nil { KeyParts.end(&buffer, from: start) }
    }

    @inlinable
    public static func takeOrderedPart(of bytes: RawSpan, at position: inout Int) throws -> Self {
        guard let count = orderedByteCount else {
            let part = try KeyParts.findEnd(of: bytes, from: position)
            defer { position = part.next }
            guard let unescaped = part.unescaped else {
                return try Self(orderedBytes: bytes.extracting(position..<part.end))
            }
            return try Self(orderedBytes: unescaped.span.bytes)
        }
        guard count <= bytes.byteCount - position else {
            throw SerdeError("the key ends within a part that is \(codecName).")
        }
        defer { position += count }
        return try Self(orderedBytes: bytes.extracting(position..<position + count))
    }
}

/// Enumerations and other types with raw values are kept, named and ordered as their raw values are: all
/// there is to write is `enum Side: String, StoreKey`.
extension StoreKey where Self: RawRepresentable, RawValue: StoreKey {
    public static var codecName: String { RawValue.codecName }

    @inlinable
    public static var orderedByteCount: Int? { RawValue.orderedByteCount }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        rawValue.encodeOrdered(into: &buffer)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        let rawValue = try RawValue(orderedBytes: orderedBytes)
        guard let value = Self(rawValue: rawValue) else {
            throw SerdeError("\(rawValue) is no \(Self.self).")
        }
        self = value
    }

    @inlinable
    public static func isSameKey(_ one: Self, _ other: Self) -> Bool {
        RawValue.isSameKey(one.rawValue, other.rawValue)
    }

    @inlinable
    public func hashKey(into hasher: inout Hasher) { rawValue.hashKey(into: &hasher) }
}
