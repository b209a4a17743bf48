// How a value becomes bytes and back: for keys and values of records and for values of stores.
// A serde is a value made of closures that are formed where the type is known, so that they
// specialise. Null is not a byte sequence: only `.optional` knows it, and it is kept outside.

/// How a value becomes bytes and back. Used for record keys and values and for store values.
@frozen
public struct Serde<Value>: Sendable {
    /// The name of the format, such as `string` or `json(Flight)`. It is kept with the data of a
    /// store, and opening the store with a serde of another name is refused.
    public let name: String
    /// Appends the bytes of a value to a buffer. Not called for a value that is null.
    public let encode: @Sendable (Value, inout [UInt8]) throws -> Void
    /// Makes a value of all the bytes given; throws where they are none.
    public let decode: @Sendable (RawSpan) throws -> Value
    /// The value that stands for null; nil where null is not a value (all but `.optional`).
    public let decodeNull: (@Sendable () -> Value)?
    /// Whether a value is written as null instead of bytes; false for all but `.optional`.
    public let isNull: @Sendable (Value) -> Bool
    @usableFromInline let ownForm: JSONForm?

    /// How the bytes are shown where the type is not known.
    public var jsonForm: JSONForm { ownForm ?? .values(named: name) }

    /// A serde of one's own.
    /// - Parameters:
    ///   - name: names the format; change it when the bytes change.
    ///   - encode: appends the bytes of a value, and changes nothing before them.
    ///   - decode: the reverse; throws ``SerdeError`` where the bytes are no value.
    ///   - jsonForm: how the bytes are shown where the type is not known; as the serdes of this
    ///     library with that name are, or as bytes, unless given.
    @inlinable
    public init(
        name: String,
        encode: @escaping @Sendable (Value, inout [UInt8]) throws -> Void,
        decode: @escaping @Sendable (RawSpan) throws -> Value,
        jsonForm: JSONForm? = nil
    ) {
        self.init(
            name: name, encode: encode, decode: decode, decodeNull: nil, isNull: { _ in false },
            jsonForm: jsonForm)
    }

    @inlinable
    init(
        name: String,
        encode: @escaping @Sendable (Value, inout [UInt8]) throws -> Void,
        decode: @escaping @Sendable (RawSpan) throws -> Value,
        decodeNull: (@Sendable () -> Value)?,
        isNull: @escaping @Sendable (Value) -> Bool,
        jsonForm: JSONForm? = nil
    ) {
        self.name = name
        self.encode = encode
        self.decode = decode
        self.decodeNull = decodeNull
        self.isNull = isNull
        ownForm = jsonForm
    }
}

extension Serde {
    /// The value of an entry of a store, whatever its generation.
    package func decode(_ kind: ValueKind, _ payload: UnsafeRawBufferPointer) throws -> Value {
        guard kind.isNull else { return try decode(payload.bytes) }
        guard let decodeNull else { throw SerdeError("null is not a value of \(name).") }
        return decodeNull()
    }
}

/// Bytes that are no value of a serde, or a value that has no bytes.
public struct SerdeError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, and where in the bytes.
    public let message: String

    public init(_ message: String) {
        self.message = message
    }

    public var description: String { message }
}

extension Serde where Value == String {
    /// UTF-8, strictly: bytes that are not UTF-8 throw.
    @inlinable
    public static var string: Serde<String> {
        Serde(
            name: "string",
            encode: { value, buffer in buffer.append(contentsOf: value.utf8) },
            decode: { bytes in try String(strictUTF8: bytes) })
    }
}

extension Serde where Value == [UInt8] {
    /// The bytes as they are.
    @inlinable
    public static var bytes: Serde<[UInt8]> {
        Serde(
            name: "bytes",
            encode: { value, buffer in buffer.append(contentsOf: value) },
            decode: { bytes in bytes.withUnsafeBytes { [UInt8]($0) } })
    }
}

extension Serde where Value == Int64 {
    /// Eight bytes, big endian, two's complement: as Kafka's `LongSerializer`.
    @inlinable
    public static var int64: Serde<Int64> {
        Serde(
            name: "int64",
            encode: { value, buffer in value.appendBigEndian(to: &buffer) },
            decode: { bytes in try Int64(bigEndianBytes: bytes, as: "int64") })
    }
}

extension Serde where Value == Void {
    /// Looks at no byte, null or not; writes none. For the keys or values of an input that its task does
    /// not need decoded.
    @inlinable
    public static var ignored: Serde<Void> {
        Serde(
            name: "ignored", encode: { _, _ in }, decode: { _ in }, decodeNull: {},
            isNull: { _ in false })
    }
}

extension Serde {
    /// Values that may be nil: nil is written as null (a record without value is a tombstone), and
    /// everything else as the wrapped serde does.
    @inlinable
    public static func optional<Wrapped>(_ wrapped: Serde<Wrapped>) -> Serde<Wrapped?>
    where Value == Wrapped? {
        Serde<Wrapped?>(
            name: "optional(\(wrapped.name))",
            encode: { value, buffer in
                if let value { try wrapped.encode(value, &buffer) }
            },
            decode: { bytes in try wrapped.decode(bytes) },
            decodeNull: { nil },
            isNull: { $0 == nil },
            jsonForm: wrapped.ownForm.map { .optional($0) })
    }
}

extension String {
    /// A string of UTF-8 bytes; bytes that are not UTF-8 throw with their position.
    @usableFromInline
    init(strictUTF8 bytes: RawSpan) throws {
        let valid = bytes.withUnsafeBytes { String(validating: $0, as: UTF8.self) }
        guard let valid else {
            throw SerdeError(
                "\(bytes.byteCount) bytes are not a string: byte "
                    + "\(bytes.withUnsafeBytes { Self.firstInvalidByte($0) }) is not UTF-8. "
                    + "Use the serde .bytes for data that is not text.")
        }
        self = valid
    }

    private static func firstInvalidByte(_ bytes: UnsafeRawBufferPointer) -> Int {
        var decoder = Unicode.UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var position = 0
        while true {
            switch decoder.parseScalar(from: &iterator) {
            case .valid(let scalar): position += scalar.count
            case .error, .emptyInput: return position
            }
        }
    }
}

extension FixedWidthInteger {
    /// Appends the bytes of the integer, the highest first.
    @inlinable
    func appendBigEndian(to buffer: inout [UInt8]) {
        withUnsafeBytes(of: bigEndian) { buffer.append(contentsOf: $0) }
    }

    /// The integer of exactly as many bytes as it has, the highest first; others throw.
    @inlinable
    init(bigEndianBytes bytes: RawSpan, as name: String) throws {
        guard bytes.byteCount == Self.bitWidth / 8 else {
            throw SerdeError(
                "\(bytes.byteCount) bytes are not an \(name), which has \(Self.bitWidth / 8).")
        }
        self = bytes.withUnsafeBytes { Self(bigEndian: $0.loadUnaligned(as: Self.self)) }
    }
}
