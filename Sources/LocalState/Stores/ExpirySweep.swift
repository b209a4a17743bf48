// Removing what has expired: some entries are looked at in each commit, in the order of their keys, round and
// round. So nothing else need be indexed, a commit takes no longer than its writes give reason for, and what
// has expired takes about as much room as what is alive, at most. Readers never see it: when it is removed
// makes no difference but in room.
//
// Entries are looked at as they lie in the tree, since a time stands at a fixed place of their bytes; nothing
// is decoded but the keys of those that go.

/// Where an entry has the time from which its expiry follows: eight bytes, big endian.
@usableFromInline
package enum ExpiryPlace: Sendable {
    /// As an ordered key, so many bytes before the key's end.
    case keyEnd(Int)
    /// As a value, at the beginning of the payload.
    case payload

    /// nil where the entry is too short.
    func time(of entry: RawEntry) -> Int64? {
        switch self {
        case .keyEnd(let count):
            guard entry.key.count >= count else { return nil }
            let bits = entry.key.loadUnaligned(
                fromByteOffset: entry.key.count - count, as: UInt64.self)
            return Int64(bitPattern: UInt64(bigEndian: bits)) ^ .min
        case .payload:
            guard entry.payload.count >= 8 else { return nil }
            return Int64(bigEndian: entry.payload.loadUnaligned(as: Int64.self))
        }
    }
}

/// Removes the expired entries of a store.
final class ExpirySweep<Key: StoreKey, Value> {
    private let clock: StoreClock
    private let place: ExpiryPlace
    /// From how long after its time on an entry has expired, in milliseconds.
    private let lifetime: Int64
    /// The time of an entry that is not committed yet.
    private let time: (Key, Value) -> Int64
    /// The lowest encoded key that was not looked at in this round.
    private var next: [UInt8] = []
    /// Event time when this round began.
    private var roundBegan = Int64.min
    /// Event time when the last whole round began: what had expired by then is gone.
    private var isSweptUntil = Int64.min

    init(
        _ clock: StoreClock, _ place: ExpiryPlace, lifetime: Int64,
        time: @escaping (Key, Value) -> Int64
    ) {
        self.clock = clock
        self.place = place
        self.lifetime = lifetime
        self.time = time
    }

    /// Looks at the next entries, as many as the interval's writes give reason for.
    func run(in store: KeyValueStore<Key, Value>) throws {
        let watermark = clock.watermark
        if next.isEmpty {
            guard watermark > isSweptUntil else { return }
            roundBegan = watermark
        }
        let limit = max(
            Limits.sweepEntriesMin, Limits.sweepEntriesPerWrite * store.fields.pointee.dirtyCount)
        var expired: [Key] = []
        let hasEnded = try store.lookAtCommitted(from: &next, limit: limit) { entry in
            guard let time = place.time(of: entry), hasExpired(time, watermark) else { return }
            expired.append(try store.decodeKey(entry))
        }
        if hasEnded { isSweptUntil = roundBegan }
        for key in expired {
            switch try store.written(key) {
            case .same: try store.delete(key)
            case .value(let value) where hasExpired(time(key, value), watermark):
                try store.delete(key)
            case .value, .deleted: break
            }
        }
    }

    private func hasExpired(_ time: Int64, _ watermark: Int64) -> Bool {
        time.addingHeld(lifetime) <= watermark
    }
}

extension KeyValueStore {
    /// Lets every commit remove some of the entries that have expired.
    @usableFromInline
    func expire(
        by clock: StoreClock, _ place: ExpiryPlace, lifetime: Int64,
        time: @escaping (Key, Value) -> Int64
    ) {
        let sweep = ExpirySweep<Key, Value>(clock, place, lifetime: lifetime, time: time)
        housekeeping.append { try sweep.run(in: $0) }
    }

    /// Hands committed entries to `body`, from an encoded key on, and moves that behind the last of them;
    /// true at the end of the store, where it is empty again.
    func lookAtCommitted(
        from next: inout [UInt8], limit: Int, _ body: (RawEntry) throws -> Void
    ) throws -> Bool {
        let records = boundRecords()
        let scan = try records.beginScan(
            from: [Limits.keyPrefix] + next, to: nil, order: .ascending)
        defer { records.endScan(scan) }
        var left = limit
        while true {
            let count = try scan.fill()
            guard count > 0 else {
                next.removeAll(keepingCapacity: true)
                return true
            }
            for number in 0..<min(count, left) { try body(scan.chunk[number]) }
            guard left > count else {
                // The lowest key above the last one.
                next.removeAll(keepingCapacity: true)
                next.append(contentsOf: scan.chunk[min(count, left) - 1].key)
                next.append(0)
                return false
            }
            left -= count
        }
    }
}
