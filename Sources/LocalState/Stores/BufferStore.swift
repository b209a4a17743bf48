// The waiting records of a join: a key-value store with the key (key, time, number), the number from 0 for
// what has the same key and time. Times are milliseconds here; StreamJobs has the calls with `Timestamp`,
// which say what each does.

/// For each key a list of values in the order of their times, those of one time in the order in which they
/// were added: what one side of a join keeps for the other.
///
/// When event time (the task's watermark) has passed a value's time by the retention, the value is gone: it
/// is not read any more, adding one does nothing, and commits remove it. Threads and errors are those of
/// ``KeyValueStore``.
public final class BufferStore<Key: StoreKey, Value> {
    /// What it is kept in.
    @usableFromInline package let entries: KeyValueStore<KeyTriple<Key, Int64, UInt32>, Value>
    @usableFromInline let retention: Retention

    @inlinable
    package init(
        name: String, value: Serde<Value>, retention: Duration, clock: StoreClock,
        version: Int = 1, migrating migrations: [StoreMigration<Value>] = []
    ) {
        let retention = Retention(retention, clock)
        entries = KeyValueStore(
            name: name, value: value, version: version, migrating: migrations)
        self.retention = retention
        entries.kind = "buffer"
        entries.owner = self
        entries.expire(by: clock, .keyEnd(12), lifetime: retention.milliseconds) { key, _ in
            key.second
        }
    }

    @inlinable
    package func add(_ key: Key, _ value: Value, at time: Int64) throws -> Bool {
        guard !retention.hasPassed(time) else { return false }
        let number = try count(key, at: time)
        try entries.put(KeyTriple(key, time, number), value)
        return true
    }

    /// How many values have this key and time. They are numbered without a gap, since only all of a time
    /// are removed together: so it takes one look for the first and few for many, and no scan.
    @inlinable
    func count(_ key: Key, at time: Int64) throws -> UInt32 {
        func isThere(_ number: UInt32) throws -> Bool {
            try entries.get(KeyTriple(key, time, number)) != nil
        }
        guard try isThere(0) else { return 0 }
        var step: UInt32 = 1
        while try isThere(step) { step *= 2 }
        // The last that is there is in step / 2 ..< step.
        var present = step / 2
        var absent = step
        while present + 1 < absent {
            let middle = present + (absent - present) / 2
            if try isThere(middle) { present = middle } else { absent = middle }
        }
        return absent
    }

    /// From the first to the last time given, both included.
    @usableFromInline
    package func fetch(
        _ key: Key, _ times: ClosedRange<Int64>, order: ScanOrder,
        _ body: (Int64, Value) throws -> Bool
    ) throws {
        guard let times = retention.clip(times) else { return }
        try entries.scan(part: KeyBounds.part(key), times, order: order) { key, value in
            try body(key.second, value)
        }
    }

    /// From the first to the last time given, both included, of all keys, by key and time.
    package func fetchAll(
        _ times: ClosedRange<Int64>, order: ScanOrder,
        _ body: (Key, Int64, Value) throws -> Bool
    ) throws {
        guard let times = retention.clip(times) else { return }
        try entries.scan(order: order) { key, value in
            try !times.contains(key.second) || body(key.first, key.second, value)
        }
    }

    /// Removes the values of a key whose times are in the range, both ends included.
    @usableFromInline
    package func remove(_ key: Key, _ times: ClosedRange<Int64>) throws {
        try entries.scan(part: KeyBounds.part(key), times, order: .ascending) { key, _ in
            try entries.delete(key)
            return true
        }
    }
}
