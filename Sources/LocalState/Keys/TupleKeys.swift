// Keys of two and of three parts, ordered by the first part, then by the next: what belongs to one first
// part lies together, and a prefix scan reads it (KeyValueStore+Prefix.swift). Bytes: KeyParts.swift.

/// A key of two parts, ordered by the first, then by the second.
@frozen
public struct KeyPair<First: StoreKey, Second: StoreKey>: StoreKey {
    public var first: First
    public var second: Second

    @inlinable
    public init(_ first: First, _ second: Second) {
        self.first = first
        self.second = second
    }

    public static var codecName: String { "pair(\(First.codecName), \(Second.codecName))" }

    @inlinable
    public static var orderedByteCount: Int? {
        guard let first = First.orderedByteCount, let second = Second.orderedByteCount else {
            return nil
        }
        return first + second
    }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        first.encodeOrderedPart(into: &buffer)
        second.encodeOrdered(into: &buffer)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        var position = 0
        first = try First.takeOrderedPart(of: orderedBytes, at: &position)
        second = try Second(orderedBytes: orderedBytes.extracting(position...))
    }

    @inlinable
    public func encodeOrderedPart(into buffer: inout [UInt8]) {
        first.encodeOrderedPart(into: &buffer)
        second.encodeOrderedPart(into: &buffer)
    }

    @inlinable
    public static func takeOrderedPart(of bytes: RawSpan, at position: inout Int) throws -> Self {
        let first = try First.takeOrderedPart(of: bytes, at: &position)
        return KeyPair(first, try Second.takeOrderedPart(of: bytes, at: &position))
    }

    @inlinable
    public static func isSameKey(_ one: Self, _ other: Self) -> Bool {
        First.isSameKey(one.first, other.first) && Second.isSameKey(one.second, other.second)
    }

    @inlinable
    public func hashKey(into hasher: inout Hasher) {
        first.hashKey(into: &hasher)
        second.hashKey(into: &hasher)
    }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 {
        second.storeHash(seed: first.storeHash(seed: seed))
    }
}

/// A key of three parts, ordered by the first, then by the second, then by the third.
@frozen
public struct KeyTriple<First: StoreKey, Second: StoreKey, Third: StoreKey>: StoreKey {
    public var first: First
    public var second: Second
    public var third: Third

    @inlinable
    public init(_ first: First, _ second: Second, _ third: Third) {
        self.first = first
        self.second = second
        self.third = third
    }

    public static var codecName: String {
        "triple(\(First.codecName), \(Second.codecName), \(Third.codecName))"
    }

    @inlinable
    public static var orderedByteCount: Int? {
        guard let start = KeyPair<First, Second>.orderedByteCount,
            let third = Third.orderedByteCount
        else { return nil }
        return start + third
    }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        first.encodeOrderedPart(into: &buffer)
        second.encodeOrderedPart(into: &buffer)
        third.encodeOrdered(into: &buffer)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        var position = 0
        first = try First.takeOrderedPart(of: orderedBytes, at: &position)
        second = try Second.takeOrderedPart(of: orderedBytes, at: &position)
        third = try Third(orderedBytes: orderedBytes.extracting(position...))
    }

    @inlinable
    public func encodeOrderedPart(into buffer: inout [UInt8]) {
        first.encodeOrderedPart(into: &buffer)
        second.encodeOrderedPart(into: &buffer)
        third.encodeOrderedPart(into: &buffer)
    }

    @inlinable
    public static func takeOrderedPart(of bytes: RawSpan, at position: inout Int) throws -> Self {
        let first = try First.takeOrderedPart(of: bytes, at: &position)
        let second = try Second.takeOrderedPart(of: bytes, at: &position)
        return KeyTriple(first, second, try Third.takeOrderedPart(of: bytes, at: &position))
    }

    @inlinable
    public static func isSameKey(_ one: Self, _ other: Self) -> Bool {
        First.isSameKey(one.first, other.first) && Second.isSameKey(one.second, other.second)
            && Third.isSameKey(one.third, other.third)
    }

    @inlinable
    public func hashKey(into hasher: inout Hasher) {
        first.hashKey(into: &hasher)
        second.hashKey(into: &hasher)
        third.hashKey(into: &hasher)
    }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 {
        third.storeHash(seed: second.storeHash(seed: first.storeHash(seed: seed)))
    }
}

extension KeyPair: Comparable where First: Comparable, Second: Comparable {
    @inlinable
    public static func < (one: Self, other: Self) -> Bool {
        (one.first, one.second) < (other.first, other.second)
    }
}

extension KeyTriple: Comparable where First: Comparable, Second: Comparable, Third: Comparable {
    @inlinable
    public static func < (one: Self, other: Self) -> Bool {
        (one.first, one.second, one.third) < (other.first, other.second, other.third)
    }
}
