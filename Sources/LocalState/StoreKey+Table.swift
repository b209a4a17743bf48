// What a store's table asks of a key, with answers for keys of every kind and for the common ones.

extension StoreKey {
    @inlinable
    public static var orderedWidth: Int { 0 }

    @inlinable
    public var orderedBits: UInt64 { 0 }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 {
        var hasher = Hasher()
        hashKey(into: &hasher)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}

/// The two halves of a product: cheap, and good in its upper half.
@inlinable
@inline(__always)
func mixHash(_ bits: UInt64, _ seed: UInt64) -> UInt64 {
    let product = (bits ^ seed).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    return product.high ^ product.low
}

extension Int64 {
    @inlinable
    public static var orderedWidth: Int { 8 }

    @inlinable
    public var orderedBits: UInt64 { UInt64(bitPattern: self) ^ (1 << 63) }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 { mixHash(UInt64(bitPattern: self), seed) }
}

extension Int {
    @inlinable
    public static var orderedWidth: Int { 8 }

    @inlinable
    public var orderedBits: UInt64 { Int64(self).orderedBits }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 { Int64(self).storeHash(seed: seed) }
}

extension UInt64 {
    @inlinable
    public static var orderedWidth: Int { 8 }

    @inlinable
    public var orderedBits: UInt64 { self }

    @inlinable
    public func storeHash(seed: UInt64) -> UInt64 { mixHash(self, seed) }
}

extension String {
    /// Of the bytes, eight at a time: equal bytes are what makes two keys equal.
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
    // Twice: the seed of the next word must not cancel what this one says.
    return mixHash(mixHash(rest, state), seed)
}
