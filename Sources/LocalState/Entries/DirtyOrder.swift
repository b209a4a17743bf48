// The dirty entries of a store in the order of their keys: what a scan merges with the tree and what a
// commit writes. Sorted runs, each at least four times as long as the next: what was written since the
// last scan becomes a run, so that a write and a scan after it cost the logarithm of what is dirty.

/// The dirty entries of a store in the order of their keys, as far as somebody has asked for it.
@usableFromInline
final class DirtyOrder {
    /// Bytes of every key, or 0.
    let width: Int
    /// So many places of the list of dirty slots are in the runs.
    @usableFromInline private(set) var placeCount = 0
    private(set) var keys = KeyBytes()
    private(set) var runs: [[SortItem]] = []

    @usableFromInline
    init(width: Int) { self.width = width }

    /// The keys so far, to append those of the next places to; they are given back by
    /// ``add(_:keys:placeCount:)``.
    @usableFromInline
    func takeKeys() -> KeyBytes {
        let taken = keys
        keys = KeyBytes()
        return taken
    }

    /// Adds places that are not in it yet.
    @usableFromInline
    func add(_ items: consuming [SortItem], keys: consuming KeyBytes, placeCount: Int) {
        self.keys = keys
        self.placeCount = placeCount
        guard !items.isEmpty else { return }
        KeySort.sort(&items, keys: self.keys)
        runs.append(items)
        while runs.count > 1, runs[runs.count - 2].count < 4 * runs[runs.count - 1].count {
            mergeLastRuns()
        }
    }

    /// All items in order, with the slots that their places name now.
    func sorted(_ dirtySlots: UnsafeMutablePointer<UInt32>) -> [SortItem] {
        while runs.count > 1 { mergeLastRuns() }
        guard !runs.isEmpty else { return [] }
        for index in runs[0].indices { runs[0][index].slot = dirtySlots[Int(runs[0][index].place)] }
        return runs[0]
    }

    func removeAll() {
        placeCount = 0
        runs.removeAll()
        keys.bytes.removeAll(keepingCapacity: keys.bytes.capacity < Limits.keptBufferBytes)
        keys.ends.removeAll(keepingCapacity: keys.ends.capacity < Limits.keptBufferBytes / 8)
    }

    private func mergeLastRuns() {
        let other = runs.removeLast()
        let one = runs.removeLast()
        let order = KeyOrder(keys: keys)
        var merged: [SortItem] = []
        merged.reserveCapacity(one.count + other.count)
        var first = 0
        var second = 0
        while first < one.count, second < other.count {
            if order.compare(one[first], other[second]) <= 0 {
                merged.append(one[first])
                first += 1
            } else {
                merged.append(other[second])
                second += 1
            }
        }
        merged.append(contentsOf: one[first...])
        merged.append(contentsOf: other[second...])
        runs.append(merged)
    }
}

/// The dirty entries between two bounds, one after the other, as they were when it was made. Places of the
/// list of dirty slots are what it gives: they hold until the next commit or rollback.
@usableFromInline
final class DirtyOverlay {
    private struct Run {
        let items: [SortItem]
        /// The next item, and how many are left from there.
        var next: Int
        var left: Int
    }

    private let order: KeyOrder
    private let width: Int
    private let isAscending: Bool
    private var runs: [Run] = []
    private var current = -1
    /// The place of the current entry; -1 behind the last.
    @usableFromInline private(set) var place = -1

    @usableFromInline
    init(_ dirty: DirtyOrder, from lower: [UInt8], to upper: [UInt8]?, order direction: ScanOrder) {
        order = KeyOrder(keys: dirty.keys)
        width = dirty.width
        isAscending = direction == .ascending
        for items in dirty.runs {
            let start = firstIndex(in: items, notLessThan: lower)
            let end = upper.map { firstIndex(in: items, notLessThan: $0) } ?? items.count
            guard start < end else { continue }
            runs.append(
                Run(items: items, next: isAscending ? start : end - 1, left: end - start))
        }
        choose()
    }

    /// Less than 0 if the current entry comes before this one in the scan, 0 if it has the same key.
    @usableFromInline
    func compare(to entry: RawEntry) -> Int {
        let run = runs[current]
        let result = order.compare(run.items[run.next], to: entry.fullKey, width: width)
        return isAscending ? result : -result
    }

    /// To the next entry. A key that is there twice is given once.
    @usableFromInline
    func advance() {
        let last = runs[current].items[runs[current].next]
        repeat {
            runs[current].left -= 1
            if runs[current].left == 0 {
                runs.remove(at: current)
            } else {
                runs[current].next += isAscending ? 1 : -1
            }
            choose()
        } while current >= 0
            && order.compare(runs[current].items[runs[current].next], last) == 0
    }

    private func choose() {
        current = -1
        for index in runs.indices {
            guard current >= 0 else {
                current = index
                continue
            }
            let result = order.compare(
                runs[index].items[runs[index].next], runs[current].items[runs[current].next])
            if isAscending ? result < 0 : result > 0 { current = index }
        }
        place = current < 0 ? -1 : Int(runs[current].items[runs[current].next].place)
    }

    private func firstIndex(in items: [SortItem], notLessThan fullKey: [UInt8]) -> Int {
        fullKey.withUnsafeBytes { fullKey in
            var low = 0
            var high = items.count
            while low < high {
                let middle = (low + high) / 2
                if order.compare(items[middle], to: fullKey, width: width) < 0 {
                    low = middle + 1
                } else {
                    high = middle
                }
            }
            return low
        }
    }
}
