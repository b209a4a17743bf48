// Types of Foundation and of the log as keys and values of stores and records.

public import FoundationEssentials
public import LocalState
public import StreamJobsLog

/// Milliseconds since 1970, ordered by time; the bytes are those of an `Int64`.
extension Timestamp: StoreKey {
    public static var codecName: String { "timestamp" }

    @inlinable
    public static var orderedByteCount: Int? { Int64.orderedByteCount }

    @inlinable
    public var orderedBits: UInt64 { milliseconds.orderedBits }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 { milliseconds.storeHash(seed: seed) }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        milliseconds.encodeOrdered(into: &buffer)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        self.init(milliseconds: try Int64(orderedBytes: orderedBytes))
    }
}

/// The bytes of the UUID one by one, as Foundation compares them.
extension UUID: StoreKey {
    public static var codecName: String { UUIDBytes.codecName }

    @inlinable
    public static var orderedByteCount: Int? { UUIDBytes.orderedByteCount }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        withUnsafeBytes(of: uuid) { buffer.append(contentsOf: $0) }
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        self.init(try UUIDBytes(orderedBytes: orderedBytes))
    }

    @inlinable
    init(_ bytes: UUIDBytes) {
        self = withUnsafeBytes(of: (bytes.high.bigEndian, bytes.low.bigEndian)) {
            UUID(uuid: $0.loadUnaligned(as: uuid_t.self))
        }
    }
}

/// The seconds as a `Double`, which is what a date is: no fraction of a millisecond is lost, and each date
/// comes back as itself.
extension Date: StoreKey {
    public static var codecName: String { "date" }

    @inlinable
    public static var orderedByteCount: Int? { Double.orderedByteCount }

    @inlinable
    public var orderedBits: UInt64 { timeIntervalSinceReferenceDate.orderedBits }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 {
        timeIntervalSinceReferenceDate.storeHash(seed: seed)
    }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        timeIntervalSinceReferenceDate.encodeOrdered(into: &buffer)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        self.init(timeIntervalSinceReferenceDate: try Double(orderedBytes: orderedBytes))
    }

    @inlinable
    public static func isSameKey(_ one: Date, _ other: Date) -> Bool {
        Double.isSameKey(
            one.timeIntervalSinceReferenceDate, other.timeIntervalSinceReferenceDate)
    }

    @inlinable
    public func hashKey(into hasher: inout Hasher) {
        timeIntervalSinceReferenceDate.hashKey(into: &hasher)
    }
}

extension Serde where Value == Timestamp {
    /// Milliseconds since 1970 in eight bytes, big endian: as Kafka's `LongSerializer`.
    public static var timestamp: Serde<Timestamp> {
        let number = Serde<Int64>.int64
        return Serde(
            name: "timestamp",
            encode: { value, buffer in try number.encode(value.milliseconds, &buffer) },
            decode: { Timestamp(milliseconds: try number.decode($0)) })
    }
}

extension Serde where Value == UUID {
    /// 36 characters as UTF-8, hyphens among them: as Kafka's `UUIDSerializer`.
    public static var uuid: Serde<UUID> {
        Serde(
            name: "uuid",
            encode: { value, buffer in
                buffer.append(contentsOf: value.uuidString.lowercased().utf8)
            },
            decode: { UUID(try UUIDBytes(textBytes: $0)) })
    }
}
