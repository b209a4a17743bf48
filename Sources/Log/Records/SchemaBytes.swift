// Kafka's encodings of a schema's fields, which the keys and values of internal topics use. Classic:
// big-endian integers, strings with an int16 length, bytes and arrays with an int32 length, -1 for null.
// Compact ("flexible"): lengths and counts are unsigned varints of one more than the number, 0 for null, and
// each struct ends with its tagged fields. Not for the hot path: works on arrays, without unsafe pointers.

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

// MARK: Compact

extension SchemaWriter {
    mutating func varint(_ value: Int) {
        precondition(value >= 0)
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func compactString(_ value: String) {
        varint(value.utf8.count + 1)
        bytes.append(contentsOf: value.utf8)
    }

    mutating func compactArray<Element>(
        _ elements: some Collection<Element>, _ write: (inout SchemaWriter, Element) -> Void
    ) {
        varint(elements.count + 1)
        for element in elements { write(&self, element) }
    }

    /// Tags in their order, each with an integer.
    mutating func tags(_ fields: [(tag: Int, value: any FixedWidthInteger)]) {
        varint(fields.count)
        for (tag, value) in fields {
            varint(tag)
            varint(value.bitWidth / 8)
            integer(value)
        }
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
        return count == -1 ? nil : try text(count)
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

    /// Nil for null.
    mutating func nullableArray<Element>(
        _ read: (inout SchemaReader) throws(MalformedSchema) -> Element
    ) throws(MalformedSchema) -> [Element]? {
        let count = Int(try integer(Int32.self))
        return count == -1 ? nil : try elements(count, read)
    }

    mutating func array<Element>(
        _ read: (inout SchemaReader) throws(MalformedSchema) -> Element
    ) throws(MalformedSchema) -> [Element] {
        try elements(Int(try integer(Int32.self)), read)
    }

    /// The version that a value begins with: 0 to `newest`.
    mutating func version(upTo newest: Int16) throws(MalformedSchema) -> Int16 {
        let version = try integer(Int16.self)
        guard (0...newest).contains(version) else {
            throw MalformedSchema(
                "a value has version \(version), this version of the log reads up to \(newest)",
                isNewer: version > newest)
        }
        return version
    }

    mutating func partition() throws(MalformedSchema) -> PartitionID {
        let number = try integer(Int32.self)
        guard number >= 0 else { throw MalformedSchema("a partition is \(number)") }
        return PartitionID(Int(number))
    }

    private mutating func elements<Element>(
        _ count: Int, _ read: (inout SchemaReader) throws(MalformedSchema) -> Element
    ) throws(MalformedSchema) -> [Element] {
        // Each element takes a byte at least: a larger count cannot be true.
        guard (0...rest.count).contains(count) else {
            throw MalformedSchema("an array has \(count) elements in \(rest.count) bytes")
        }
        var elements: [Element] = []
        for _ in 0..<count { elements.append(try read(&self)) }
        return elements
    }

    private mutating func text(_ count: Int) throws(MalformedSchema) -> String {
        guard let text = String(validating: try take(count), as: UTF8.self) else {
            throw MalformedSchema("a string is not UTF-8")
        }
        return text
    }

    private mutating func take(_ count: Int) throws(MalformedSchema) -> ArraySlice<UInt8> {
        guard (0...rest.count).contains(count) else {
            throw MalformedSchema("a length is \(count) where \(rest.count) bytes are left")
        }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}

// MARK: Compact

extension SchemaReader {
    /// Lengths and counts are 32 bits at most.
    mutating func varint() throws(MalformedSchema) -> Int {
        var result = 0
        for shift in stride(from: 0, to: 35, by: 7) {
            let byte = try integer(UInt8.self)
            result |= Int(byte & 0x7f) << shift
            if byte < 0x80 { return result }
        }
        throw MalformedSchema("a variable-length number has more than 5 bytes")
    }

    mutating func compactString() throws(MalformedSchema) -> String {
        let count = try varint()
        guard count > 0 else { throw MalformedSchema("a string is null that may not be") }
        return try text(count - 1)
    }

    /// Nil for null.
    mutating func nullableCompactArray<Element>(
        _ read: (inout SchemaReader) throws(MalformedSchema) -> Element
    ) throws(MalformedSchema) -> [Element]? {
        let count = try varint()
        return count == 0 ? nil : try elements(count - 1, read)
    }

    /// Calls `read` for each tagged field, with a reader of its bytes; tags of later versions are made to
    /// be skipped.
    mutating func tags(
        _ read: (Int, inout SchemaReader) throws(MalformedSchema) -> Void = {
            (_: Int, _: inout SchemaReader) throws(MalformedSchema) in
        }
    ) throws(MalformedSchema) {
        for _ in 0..<(try varint()) {
            let tag = try varint()
            var field = SchemaReader(Array(try take(try varint())))
            try read(tag, &field)
        }
    }
}
