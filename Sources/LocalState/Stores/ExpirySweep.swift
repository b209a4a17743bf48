// Removing what has expired: some entries are looked at in each commit, in the order of their keys, round and
// round. So nothing else need be indexed, a commit takes no longer than its writes give reason for, and what
// has expired takes about as much room as what is alive, at most. Readers never see it: when it is removed
// makes no difference but in room.

/// Removes the expired entries of a store.
@usableFromInline
package final class ExpirySweep<Key: StoreKey, Value> {
    private let clock: StoreClock
    /// Whether an entry has expired when event time is the number given.
    private let isExpired: (Key, Value, Int64) -> Bool
    /// The lowest encoded key that was not looked at in this round.
    private var next: [UInt8] = []
    /// Event time when this round began.
    private var roundBegan = Int64.min
    /// Event time when the last whole round began: what has expired until then is gone.
    private var isSweptUntil = Int64.min

    init(_ clock: StoreClock, isExpired: @escaping (Key, Value, Int64) -> Bool) {
        self.clock = clock
        self.isExpired = isExpired
    }

    /// Looks at the next entries, as many as the interval's writes give reason for.
    func run(in store: KeyValueStore<Key, Value>) throws {
        let watermark = clock.watermark
        if next.isEmpty {
            guard watermark > isSweptUntil else { return }
            roundBegan = watermark
        }
        var left = max(
            Limits.sweepEntriesMin, Limits.sweepEntriesPerWrite * store.dirtyCount)
        var last: Key?
        try store.scan(encodedFrom: next, encodedTo: nil) { key, value in
            if isExpired(key, value, watermark) { try store.delete(key) }
            last = key
            left -= 1
            return left > 0
        }
        next.removeAll(keepingCapacity: true)
        if left == 0, let last {
            // The lowest key above the last one.
            last.encodeOrdered(into: &next)
            next.append(0)
        } else {
            isSweptUntil = roundBegan
        }
    }
}

extension KeyValueStore {
    /// Lets every commit remove some of the entries that have expired.
    @usableFromInline
    func expire(
        by clock: StoreClock, _ isExpired: @escaping (Key, Value, Int64) -> Bool
    ) {
        let sweep = ExpirySweep<Key, Value>(clock, isExpired: isExpired)
        housekeeping = { try sweep.run(in: $0) }
    }
}
