// Brings keys into the order of their bytes: a radix sort of the first eight bytes, and of the next eight
// where those are equal. Not generic, so that it is compiled once.

/// A key to be sorted.
@frozen
@usableFromInline
struct SortItem {
    /// The bytes behind the prefix byte, the first one highest, filled up with zeros.
    @usableFromInline var head: UInt64
    /// Its place in the list of dirty slots.
    @usableFromInline var place: UInt32
    /// The slot that this place names.
    @usableFromInline var slot: UInt32

    @inlinable
    init(head: UInt64, place: UInt32, slot: UInt32) {
        self.head = head
        self.place = place
        self.slot = slot
    }
}

/// The bytes of keys without their prefix byte, one behind the other, by place in the list of dirty slots.
/// Keys of fixed width have none: their head is all of them.
@frozen
@usableFromInline
struct KeyBytes {
    @usableFromInline var bytes: [UInt8] = []
    /// Where each ends.
    @usableFromInline var ends: [Int] = []

    @inlinable init() {}

    @inlinable
    func range(_ place: Int) -> Range<Int> { (place == 0 ? 0 : ends[place - 1])..<ends[place] }
}

/// Sorts items by the bytes of their keys.
struct KeySort {
    private let keys: KeyBytes
    private var spare: [SortItem] = []

    /// Sorts items whose keys are `keys`; empty if their heads are all of them.
    static func sort(_ items: inout [SortItem], keys: KeyBytes) {
        var sort = KeySort(keys: keys)
        if items.count > Limits.smallSortItems { sort.spare = items }
        sort.sort(&items, items.indices, depth: 0)
    }

    private init(keys: KeyBytes) { self.keys = keys }

    /// Sorts a range of items whose keys are equal before `depth` and whose heads are the eight bytes there.
    private mutating func sort(_ items: inout [SortItem], _ range: Range<Int>, depth: Int) {
        guard range.count > Limits.smallSortItems else { return sortSmall(&items, range) }
        sortByHead(&items, range)
        guard !keys.ends.isEmpty else { return }
        var start = range.lowerBound
        while start < range.upperBound {
            let head = items[start].head
            var end = start + 1
            while end < range.upperBound, items[end].head == head { end += 1 }
            if end - start > 1 { sortTies(&items, start..<end, depth: depth + 8) }
            start = end
        }
    }

    /// Sorts items whose keys are equal before `depth`, zeros behind a key's end included.
    private mutating func sortTies(_ items: inout [SortItem], _ range: Range<Int>, depth: Int) {
        guard range.count > Limits.smallSortItems else { return sortSmall(&items, range) }
        let head = items[range.lowerBound].head
        var hasMore = false
        for index in range {
            let key = keys.range(Int(items[index].place))
            if key.count > depth { hasMore = true }
            items[index].head = Self.head(keys.bytes, key, at: depth)
        }
        if hasMore {
            sort(&items, range, depth: depth)
        } else {
            // They differ in the zeros at their ends only.
            let keys = keys
            items[range].sort {
                keys.range(Int($0.place)).count < keys.range(Int($1.place)).count
            }
        }
        for index in range { items[index].head = head }
    }

    private func sortSmall(_ items: inout [SortItem], _ range: Range<Int>) {
        let order = KeyOrder(keys: keys)
        var index = range.lowerBound + 1
        while index < range.upperBound {
            let item = items[index]
            var place = index
            while place > range.lowerBound, order.compare(item, items[place - 1]) < 0 {
                items[place] = items[place - 1]
                place -= 1
            }
            items[place] = item
            index += 1
        }
    }

    /// Byte by byte from the lowest, without those that are alike in all items.
    private mutating func sortByHead(_ items: inout [SortItem], _ range: Range<Int>) {
        var counts = [Int](repeating: 0, count: 8 * 256)
        counts.withUnsafeMutableBufferPointer { counts in
            for index in range {
                var head = items[index].head
                for digit in 0..<8 {
                    counts[digit * 256 + Int(head & 0xff)] += 1
                    head >>= 8
                }
            }
            items.withUnsafeMutableBufferPointer { items in
                spare.withUnsafeMutableBufferPointer { spare in
                    var isInSpare = false
                    for digit in 0..<8 {
                        let counts = UnsafeMutableBufferPointer(
                            rebasing: counts[digit * 256..<digit * 256 + 256])
                        if isInSpare {
                            if Self.pass(spare, items, range, digit, counts) { isInSpare = false }
                        } else {
                            if Self.pass(items, spare, range, digit, counts) { isInSpare = true }
                        }
                    }
                    if isInSpare { for index in range { items[index] = spare[index] } }
                }
            }
        }
    }

    /// Moves the items from one array to the other by one byte of their heads; false, and nothing done, where
    /// that is alike in all of them.
    private static func pass(
        _ from: UnsafeMutableBufferPointer<SortItem>, _ to: UnsafeMutableBufferPointer<SortItem>,
        _ range: Range<Int>, _ digit: Int, _ counts: UnsafeMutableBufferPointer<Int>
    ) -> Bool {
        let shift = UInt64(8 * digit)
        let first = Int(from[range.lowerBound].head >> shift & 0xff)
        if counts[first] == range.count { return false }
        var position = range.lowerBound
        for value in 0..<256 {
            let count = counts[value]
            counts[value] = position
            position += count
        }
        for index in range {
            let item = from[index]
            let value = Int(item.head >> shift & 0xff)
            to[counts[value]] = item
            counts[value] += 1
        }
        return true
    }

    static func head(_ bytes: [UInt8], _ key: Range<Int>, at depth: Int) -> UInt64 {
        let rest = key.count - depth
        guard rest > 0 else { return 0 }
        let start = key.lowerBound + depth
        return bytes.withUnsafeBytes { bytes in
            headOfKey(UnsafeRawBufferPointer(rebasing: bytes[start..<start + rest]))
        }
    }
}

/// The first eight bytes of a key, the first one highest, filled up with zeros.
@inline(__always)
func headOfKey(_ key: UnsafeRawBufferPointer) -> UInt64 {
    if key.count >= 8 { return UInt64(bigEndian: key.loadUnaligned(as: UInt64.self)) }
    var head: UInt64 = 0
    for place in 0..<key.count { head |= UInt64(key[place]) << UInt64(56 - 8 * place) }
    return head
}

/// Compares keys by their heads, and by all their bytes where those are equal.
struct KeyOrder {
    let keys: KeyBytes

    func compare(_ one: SortItem, _ other: SortItem) -> Int {
        if one.head != other.head { return one.head < other.head ? -1 : 1 }
        guard !keys.ends.isEmpty else { return 0 }
        return keys.bytes.withUnsafeBytes { bytes in
            compareBytes(
                UnsafeRawBufferPointer(rebasing: bytes[keys.range(Int(one.place))]),
                UnsafeRawBufferPointer(rebasing: bytes[keys.range(Int(other.place))]))
        }
    }

    /// Less than, equal to or greater than 0, as the key of an item is to a full key.
    func compare(_ item: SortItem, to fullKey: UnsafeRawBufferPointer, width: Int) -> Int {
        let key = UnsafeRawBufferPointer(rebasing: fullKey[Limits.keyPrefixBytes...])
        let head = headOfKey(key)
        if item.head != head { return item.head < head ? -1 : 1 }
        guard !keys.ends.isEmpty else {
            // A bound may be shorter or longer than keys of fixed width are.
            return width - key.count
        }
        return keys.bytes.withUnsafeBytes { bytes in
            compareBytes(UnsafeRawBufferPointer(rebasing: bytes[keys.range(Int(item.place))]), key)
        }
    }
}
