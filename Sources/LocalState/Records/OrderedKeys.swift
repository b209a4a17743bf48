// Full keys in ascending order, each with a slot: the place of what it stands for in an array of
// its owner. The bytes of all keys lie in one array; the first eight of each stand in its item, so
// that most comparisons touch nothing else. Not generic, so that it is compiled once.

/// Full keys in ascending order.
struct OrderedKeys {
    struct Item {
        /// The bytes after the prefix byte, the highest first, filled up with zeros.
        let head: UInt64
        let start: Int
        let count: Int
        let slot: Int
    }

    private(set) var bytes: [UInt8] = []
    private(set) var items: [Item] = []

    var count: Int { items.count }

    func key(_ item: Item) -> Range<Int> { item.start..<item.start + item.count }

    /// The position of the first key that is not less than another.
    func firstIndex(notLessThan key: RawSpan) -> Int {
        var low = 0
        var high = items.count
        while low < high {
            let middle = (low + high) / 2
            if order(of: items[middle], against: key) < 0 {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    func order(of item: Item, against key: RawSpan) -> Int {
        bytes.span.bytes.extracting(self.key(item)).order(against: key)
    }

    /// Adds keys that are not in it yet, for the slots given.
    mutating func insert(slots: Range<Int>, encode: (Int, inout [UInt8]) -> Void) {
        let added = items.count
        items.reserveCapacity(items.count + slots.count)
        for slot in slots {
            let start = bytes.count
            bytes.append(Limits.keyPrefix)
            encode(slot, &bytes)
            items.append(
                Item(
                    head: Self.head(bytes, from: start + Limits.keyPrefixBytes), start: start,
                    count: bytes.count - start, slot: slot))
        }
        sort(from: added)
    }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        items.removeAll(keepingCapacity: true)
    }

    private static func head(_ bytes: [UInt8], from start: Int) -> UInt64 {
        if bytes.count - start >= 8 {
            return bytes.withUnsafeBytes {
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: start, as: UInt64.self))
            }
        }
        var head: UInt64 = 0
        for place in 0..<bytes.count - start {
            head |= UInt64(bytes[start + place]) << UInt64(56 - 8 * place)
        }
        return head
    }

    /// Sorts the items from a position on, and merges them with those before, which are sorted.
    private mutating func sort(from added: Int) {
        bytes.withUnsafeBytes { bytes in
            func precedes(_ one: Item, _ other: Item) -> Bool {
                if one.head != other.head { return one.head < other.head }
                return compareBytes(
                    UnsafeRawBufferPointer(rebasing: bytes[one.start..<one.start + one.count]),
                    UnsafeRawBufferPointer(rebasing: bytes[other.start..<other.start + other.count])
                ) < 0
            }
            items[added...].sort(by: precedes)
            guard added > 0, added < items.count else { return }
            var merged: [Item] = []
            merged.reserveCapacity(items.count)
            var old = 0
            var new = added
            while old < added && new < items.count {
                if precedes(items[new], items[old]) {
                    merged.append(items[new])
                    new += 1
                } else {
                    merged.append(items[old])
                    old += 1
                }
            }
            merged.append(contentsOf: items[old..<added])
            merged.append(contentsOf: items[new...])
            items = merged
        }
    }
}
