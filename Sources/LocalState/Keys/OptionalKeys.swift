// Keys that may be nil, which comes first:
//
//     nil      0x00
//     a value  0x01, the bytes of the value
//
// So no key (nil), an empty one and a zero are three keys.

extension Optional: StoreKey where Wrapped: StoreKey {
    public static var codecName: String { "optional(\(Wrapped.codecName))" }

    @inlinable
    public func encodeOrdered(into buffer: inout [UInt8]) {
        buffer.append(self == nil ? 0 : 1)
        self?.encodeOrdered(into: &buffer)
    }

    @inlinable
    public init(orderedBytes: RawSpan) throws {
        let isNil = try Self.isNil(orderedBytes, at: 0)
        guard isNil else {
            self = try Wrapped(orderedBytes: orderedBytes.extracting(1...))
            return
        }
        guard orderedBytes.byteCount == 1 else {
            throw SerdeError("\(orderedBytes.byteCount) bytes are not nil, which has 1.")
        }
        self = nil
    }

    /// The first byte tells where a part ends: there is nothing to be escaped but the value.
    @inlinable
    public func encodeOrderedPart(into buffer: inout [UInt8]) {
        buffer.append(self == nil ? 0 : 1)
        self?.encodeOrderedPart(into: &buffer)
    }

    @inlinable
    public static func takeOrderedPart(of bytes: RawSpan, at position: inout Int) throws -> Self {
        let isNil = try isNil(bytes, at: position)
        position += 1
        return isNil ? nil : try Wrapped.takeOrderedPart(of: bytes, at: &position)
    }

    @usableFromInline
    static func isNil(_ bytes: RawSpan, at position: Int) throws -> Bool {
        guard position < bytes.byteCount else {
            throw SerdeError("the key ends where \(codecName) begins.")
        }
        let byte = bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self)
        guard byte <= 1 else {
            throw SerdeError("\(codecName) begins with 0 or 1, not with \(byte).")
        }
        return byte == 0
    }

    @inlinable
    public static func isSameKey(_ one: Self, _ other: Self) -> Bool {
        switch (one, other) {
        case (nil, nil): true
        case (let one?, let other?): Wrapped.isSameKey(one, other)
        default: false
        }
    }

    @inlinable
    public func hashKey(into hasher: inout Hasher) {
        hasher.combine(self != nil)
        self?.hashKey(into: &hasher)
    }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 { self?.storeHash(seed: seed) ?? seed }
}
