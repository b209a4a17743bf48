// Integers as keys: big endian, with the sign bit turned round so that negative ones come first.

extension StoreKey where Self: FixedWidthInteger {
    @inlinable
    public static var orderedByteCount: Int? { bitWidth / 8 }

    /// `min` has the sign bit alone where there is a sign, and no bit where there is none.
    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        (self ^ .min).appendBigEndian(to: &buffer)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        self = try Self(bigEndianBytes: orderedBytes, as: Self.codecName) ^ .min
    }
}

extension Int8: StoreKey {
    public static var codecName: String { "int8" }
}

extension Int16: StoreKey {
    public static var codecName: String { "int16" }
}

extension Int32: StoreKey {
    public static var codecName: String { "int32" }
}

extension Int64: StoreKey {
    public static var codecName: String { "int64" }
}

/// As `Int64`, whose data it can read.
extension Int: StoreKey {
    public static var codecName: String { Int64.codecName }
}

extension UInt8: StoreKey {
    public static var codecName: String { "uint8" }
}

extension UInt16: StoreKey {
    public static var codecName: String { "uint16" }
}

extension UInt32: StoreKey {
    public static var codecName: String { "uint32" }
}

extension UInt64: StoreKey {
    public static var codecName: String { "uint64" }
}

/// As `UInt64`, whose data it can read.
extension UInt: StoreKey {
    public static var codecName: String { UInt64.codecName }
}

extension Bool: StoreKey {
    public static var codecName: String { "bool" }

    @inlinable
    public static var orderedByteCount: Int? { 1 }

    @inlinable
    public var orderedBits: UInt64 { self ? 1 << 56 : 0 }

    /// False is 0 and true is 1, so that false comes first.
    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        buffer.append(self ? 1 : 0)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        let byte = try UInt8(bigEndianBytes: orderedBytes, as: Self.codecName)
        guard byte <= 1 else { throw SerdeError("the byte \(byte) is no bool, which is 0 or 1.") }
        self = byte == 1
    }
}
