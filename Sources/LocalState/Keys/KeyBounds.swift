// Bounds of scans, as encoded keys or beginnings of them.

/// Makes bounds of scans.
@usableFromInline
package enum KeyBounds {
    /// The bytes of a key as a part that more parts follow.
    @inlinable
    package static func part(_ key: some StoreKey) -> [UInt8] {
        var bytes: [UInt8] = []
        key.encodeOrderedPart(into: &bytes)
        return bytes
    }

    /// The lowest bytes above all that begin with `prefix`; nil if there are none, as with no bytes or
    /// 0xff alone.
    @usableFromInline
    package static func end(ofPrefix prefix: [UInt8]) -> [UInt8]? {
        guard let last = prefix.lastIndex(where: { $0 != 0xff }) else { return nil }
        var end = Array(prefix[...last])
        end[last] += 1
        return end
    }
}
