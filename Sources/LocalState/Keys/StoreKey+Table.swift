// What a store's table asks of a key, with answers for keys of every kind and cheap ones for the common.

extension StoreKey {
    /// Bytes of every key, if all have the same 1 to 8; else 0.
    @inlinable
    static var orderedWidth: Int {
        guard let count = orderedByteCount, count >= 1, count <= 8 else { return 0 }
        return count
    }

    @inlinable
    public var orderedBits: UInt64 {
        var buffer: [UInt8] = []
        encodeOrdered(into: &buffer)
        var bits: UInt64 = 0
        for place in 0..<8 { bits = bits << 8 | UInt64(place < buffer.count ? buffer[place] : 0) }
        return bits
    }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 {
        var hasher = Hasher()
        hashKey(into: &hasher)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}

extension StoreKey where Self: FixedWidthInteger {
    @inlinable
    public var orderedBits: UInt64 {
        UInt64(truncatingIfNeeded: self ^ .min) << UInt64(64 - Self.bitWidth)
    }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 {
        mixHash(UInt64(truncatingIfNeeded: self), seed)
    }
}

extension StoreKey where Self: RawRepresentable, RawValue: StoreKey {
    @inlinable
    public var orderedBits: UInt64 { rawValue.orderedBits }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 { rawValue.storeHash(seed: seed) }
}

extension String {
    /// Of the bytes: two keys are one if those are equal.
    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 {
        var text = self
        return text.withUTF8 { hashBytes(UnsafeRawBufferPointer($0), seed) }
    }
}

extension Array where Element == UInt8 {
    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 {
        withUnsafeBytes { hashBytes($0, seed) }
    }
}

/// The two halves of a product: cheap, and good in its upper half.
@inlinable
@inline(__always)
func mixHash(_ bits: UInt64, _ seed: UInt64) -> UInt64 {
    let product = (bits ^ seed).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    return product.high ^ product.low
}

@inlinable
func hashBytes(_ bytes: UnsafeRawBufferPointer, _ seed: UInt64) -> UInt64 {
    var state = seed &+ UInt64(truncatingIfNeeded: bytes.count)
    var position = 0
    while position &+ 8 <= bytes.count {
        state = mixHash(bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self), state)
        position &+= 8
    }
    var rest: UInt64 = 0
    while position < bytes.count {
        rest = rest << 8 | UInt64(bytes[position])
        position &+= 1
    }
    return mixHash(mixHash(rest, state), seed)
}
