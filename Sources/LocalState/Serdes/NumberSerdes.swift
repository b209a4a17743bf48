// Numbers and truth values as Kafka's own serializers write them: big endian, of a fixed length. Unlike keys
// of stores (Keys/) they do not sort.

extension Serde where Value: FixedWidthInteger & SendableMetatype {
    /// The bytes of an integer, the highest first, two's complement.
    @inlinable
    static func bigEndian(_ name: String) -> Serde<Value> {
        Serde(
            name: name,
            encode: { value, buffer in value.appendBigEndian(to: &buffer) },
            decode: { bytes in try Value(bigEndianBytes: bytes, as: name) })
    }
}

extension Serde where Value == Int16 {
    /// Two bytes, big endian, two's complement: as Kafka's `ShortSerializer`.
    @inlinable
    public static var int16: Serde<Int16> { bigEndian("int16") }
}

extension Serde where Value == Int32 {
    /// Four bytes, big endian, two's complement: as Kafka's `IntegerSerializer`.
    @inlinable
    public static var int32: Serde<Int32> { bigEndian("int32") }
}

extension Serde where Value == Double {
    /// The eight bytes of IEEE 754, big endian: as Kafka's `DoubleSerializer`.
    @inlinable
    public static var double: Serde<Double> {
        Serde(
            name: "double",
            encode: { value, buffer in value.bitPattern.appendBigEndian(to: &buffer) },
            decode: { bytes in
                Double(bitPattern: try UInt64(bigEndianBytes: bytes, as: "double"))
            })
    }
}

extension Serde where Value == Float {
    /// The four bytes of IEEE 754, big endian: as Kafka's `FloatSerializer`.
    @inlinable
    public static var float: Serde<Float> {
        Serde(
            name: "float",
            encode: { value, buffer in value.bitPattern.appendBigEndian(to: &buffer) },
            decode: { bytes in Float(bitPattern: try UInt32(bigEndianBytes: bytes, as: "float")) })
    }
}

extension Serde where Value == Bool {
    /// One byte, 0 or 1: as Kafka's `BooleanSerializer`. Other bytes throw.
    @inlinable
    public static var bool: Serde<Bool> {
        Serde(
            name: "bool",
            encode: { value, buffer in buffer.append(value ? 1 : 0) },
            decode: { bytes in try Bool(orderedBytes: bytes) })
    }
}

extension Serde where Value == UUIDBytes {
    /// 36 characters as UTF-8, hyphens among them: as Kafka's `UUIDSerializer`.
    @inlinable
    public static var uuidBytes: Serde<UUIDBytes> {
        Serde(
            name: "uuid",
            encode: { value, buffer in buffer.append(contentsOf: value.description.utf8) },
            decode: { bytes in try UUIDBytes(textBytes: bytes) })
    }
}

extension UUIDBytes {
    /// A UUID of its text; other bytes throw.
    @usableFromInline
    package init(textBytes bytes: RawSpan) throws {
        let text = try String(strictUTF8: bytes)
        guard let value = UUIDBytes(text) else {
            throw SerdeError("'\(text.prefix(50))' is no uuid, which has 36 characters.")
        }
        self = value
    }
}
