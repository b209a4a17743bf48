// Keys of any length: text and bytes. A null, an empty and a very long one are kept apart: `String?` and
// `[UInt8]?` are keys too (OptionalKeys.swift).

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
