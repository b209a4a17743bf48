// From the key of an entry to the key in the tree, which LMDB limits to 1...511 bytes.
//
//     full key    prefix 0x01 | bytes of the store's key, any number
//     stored key  the full key                                        if it has 1...510 bytes
//                 first 495 bytes of the full key | 16 bytes of hash  if it is longer: 511 bytes
//
// So the length tells which it is, and both sort together by their first 495 bytes. A stored key
// that was cut holds a bucket of all entries with that stored key, full keys included.

/// Makes stored keys of full keys.
package enum KeyEncoding {
    /// Whether the tree holds something shorter than this full key.
    package static func isCut(fullKeyCount: Int) -> Bool { fullKeyCount > Limits.wholeKeyBytesMax }

    /// Whether a key of the tree is a cut one.
    package static func isCut(storedKeyCount: Int) -> Bool {
        storedKeyCount > Limits.wholeKeyBytesMax
    }

    /// The key in the tree of a full key that is too long for it.
    package static func cut(_ fullKey: UnsafeRawBufferPointer) -> [UInt8] {
        precondition(isCut(fullKeyCount: fullKey.count), "only keys that are too long are cut")
        var stored: [UInt8] = []
        stored.reserveCapacity(Limits.lmdbKeyBytesMax)
        stored.append(contentsOf: fullKey.prefix(Limits.keyLeadBytes))
        let hash = hash(fullKey)
        withUnsafeBytes(of: hash.0.littleEndian) { stored.append(contentsOf: $0) }
        withUnsafeBytes(of: hash.1.littleEndian) { stored.append(contentsOf: $0) }
        assert(stored.count == Limits.lmdbKeyBytesMax)
        return stored
    }

    /// 128 bits of hash: two lanes of multiply and fold over little-endian words of eight bytes,
    /// the last one filled up with zeros, then the length. Part of the format; collisions are
    /// harmless.
    package static func hash(_ bytes: UnsafeRawBufferPointer) -> (UInt64, UInt64) {
        var one: UInt64 = 0x9e37_79b9_7f4a_7c15
        var other: UInt64 = 0xc2b2_ae3d_27d4_eb4f
        func mix(_ word: UInt64) {
            one = (one ^ word) &* 0xff51_afd7_ed55_8ccd
            one ^= one >> 32
            other = (other ^ word) &* 0xc4ce_b9fe_1a85_ec53
            other ^= other >> 29
        }
        var position = 0
        while position + 8 <= bytes.count {
            mix(
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            )
            position += 8
        }
        var last: UInt64 = 0
        for (place, byte) in bytes[position...].enumerated() {
            last |= UInt64(byte) << UInt64(8 * place)
        }
        mix(last)
        mix(UInt64(bytes.count))
        return (one, other)
    }
}
