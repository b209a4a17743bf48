// Kafka's classic (not "flexible") encoding of a schema's fields, which the keys and values of internal
// topics use: big-endian integers, strings with an int16 length, bytes and arrays with an int32 length,
// -1 for null. Not for the hot path: works on arrays, without unsafe pointers.

/// Puts fields one behind the other.
struct SchemaWriter {
    private(set) var bytes: [UInt8] = []

    mutating func integer<T: FixedWidthInteger>(_ value: T) {
        for shift in stride(from: T.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> T(shift)))
        }
    }

    /// The caller has made sure that it has no more than `Limits.schemaStringBytesMax` bytes.
    mutating func string(_ value: String) {
        precondition(value.utf8.count <= Limits.schemaStringBytesMax, "a string is too long")
        integer(Int16(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    mutating func nullableString(_ value: String?) {
        guard let value else { return integer(Int16(-1)) }
        string(value)
    }

    mutating func nullableBytes(_ value: [UInt8]?) {
        integer(Int32(value?.count ?? -1))
        if let value { bytes.append(contentsOf: value) }
    }

    mutating func array<Element>(
        _ elements: some Collection<Element>, _ write: (inout SchemaWriter, Element) -> Void
    ) {
        integer(Int32(elements.count))
        for element in elements { write(&self, element) }
    }
}

/// Why bytes are not what a schema says.
package struct MalformedSchema: Error, CustomStringConvertible {
    package let description: String
    /// Whether the bytes may be right and only too new for this version.
    let isNewer: Bool

    init(_ description: String, isNewer: Bool = false) {
        self.description = description
        self.isNewer = isNewer
    }
}

/// Takes fields one behind the other from bytes that nobody has checked. Nothing is allocated by a
/// claimed size.
struct SchemaReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func integer<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(MalformedSchema)
        -> T
    {
        try take(T.bitWidth / 8).reduce(0) { ($0 << 8) | T(truncatingIfNeeded: $1) }
    }

    mutating func string() throws(MalformedSchema) -> String {
        guard let value = try nullableString() else {
            throw MalformedSchema("a string is null that may not be")
        }
        return value
    }

    mutating func nullableString() throws(MalformedSchema) -> String? {
        let count = Int(try integer(Int16.self))
        if count == -1 { return nil }
        guard let text = String(validating: try take(count), as: UTF8.self) else {
            throw MalformedSchema("a string is not UTF-8")
        }
        return text
    }

    mutating func bytes() throws(MalformedSchema) -> [UInt8] {
        guard let value = try nullableBytes() else {
            throw MalformedSchema("bytes are null that may not be")
        }
        return value
    }

    mutating func nullableBytes() throws(MalformedSchema) -> [UInt8]? {
        let count = Int(try integer(Int32.self))
        if count == -1 { return nil }
        return Array(try take(count))
    }

    mutating func array<Element>(
        _ read: (inout SchemaReader) throws(MalformedSchema) -> Element
    ) throws(MalformedSchema) -> [Element] {
        let count = Int(try integer(Int32.self))
        // Each element takes a byte at least: a larger count cannot be true.
        guard (0...rest.count).contains(count) else {
            throw MalformedSchema("an array has \(count) elements in \(rest.count) bytes")
        }
        var elements: [Element] = []
        for _ in 0..<count { elements.append(try read(&self)) }
        return elements
    }

    private mutating func take(_ count: Int) throws(MalformedSchema) -> ArraySlice<UInt8> {
        guard (0...rest.count).contains(count) else {
            throw MalformedSchema("a length is \(count) where \(rest.count) bytes are left")
        }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}
