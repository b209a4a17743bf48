// Universally unique identifiers without Foundation. Foundation's `UUID` is a key as well, with the same
// bytes and codec name, where Foundation is at hand (StreamJobs).

/// The sixteen bytes of a UUID. They sort one by one, as those of Foundation's `UUID` do, so that UUIDs
/// of version 7 sort by time.
@frozen
public struct UUIDBytes: StoreKey, Comparable, CustomStringConvertible {
    /// The first eight bytes, the first one highest.
    public let high: UInt64
    /// The last eight.
    public let low: UInt64

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    public static var codecName: String { "uuid" }

    @inlinable
    public static var orderedByteCount: Int? { 16 }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        high.appendBigEndian(to: &buffer)
        low.appendBigEndian(to: &buffer)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        guard orderedBytes.byteCount == 16 else {
            throw SerdeError("\(orderedBytes.byteCount) bytes are not a uuid, which has 16.")
        }
        high = try UInt64(bigEndianBytes: orderedBytes.extracting(0..<8), as: Self.codecName)
        low = try UInt64(bigEndianBytes: orderedBytes.extracting(8..<16), as: Self.codecName)
    }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 { mixHash(low, mixHash(high, seed)) }

    @inlinable
    public static func < (one: UUIDBytes, other: UUIDBytes) -> Bool {
        (one.high, one.low) < (other.high, other.low)
    }

    /// 36 characters with hyphens, in capitals or not; nil for any other text.
    public init?(_ text: String) {
        let groups = text.split(separator: "-", omittingEmptySubsequences: false)
        guard groups.map(\.utf8.count) == [8, 4, 4, 4, 12] else { return nil }
        let digits = groups.joined()
        guard digits.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let high = UInt64(digits.prefix(16), radix: 16),
            let low = UInt64(digits.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    /// 36 characters, in lower case as Java's.
    public var description: String {
        var digits = Self.digits(high) + Self.digits(low)
        for place in [20, 16, 12, 8] {
            digits.insert("-", at: digits.index(digits.startIndex, offsetBy: place))
        }
        return digits
    }

    private static func digits(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
