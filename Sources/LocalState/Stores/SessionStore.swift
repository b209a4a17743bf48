// Sessions: values by key and by the first and last time of a session. A key-value store with the key (key,
// end, start), as Kafka Streams has it, so that the sessions which end at or after a time lie together.
// Times are milliseconds here; StreamJobs has the calls with `Timestamp`, which say what each does.

/// A value for each session of a key: a time in which its records came one soon after the other.
///
/// A session is named by its key, its start and its end, the times of its first and last record. When event
/// time (the task's watermark) has passed a session's end by the retention, the session is gone: it is not
/// read any more, a put of it does nothing, and commits remove it. Threads and errors are those of
/// ``KeyValueStore``.
public final class SessionStore<Key: StoreKey, Value> {
    package typealias SessionKey = KeyTriple<Key, Int64, Int64>

    /// What it is kept in.
    @usableFromInline package let entries: KeyValueStore<KeyTriple<Key, Int64, Int64>, Value>
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
        entries.kind = "session"
        entries.owner = self
        entries.expire(by: clock, .keyEnd(16), lifetime: retention.milliseconds) { key, _ in
            key.second
        }
    }

    @inlinable
    package func get(_ key: Key, _ times: ClosedRange<Int64>) throws -> Value? {
        guard !retention.hasPassed(times.upperBound) else { return nil }
        return try entries.get(KeyTriple(key, times.upperBound, times.lowerBound))
    }

    @inlinable
    package func put(_ key: Key, _ value: Value, _ times: ClosedRange<Int64>) throws -> Bool {
        guard !retention.hasPassed(times.upperBound) else { return false }
        try entries.put(KeyTriple(key, times.upperBound, times.lowerBound), value)
        return true
    }

    @inlinable
    package func remove(_ key: Key, _ times: ClosedRange<Int64>) throws {
        try entries.delete(KeyTriple(key, times.upperBound, times.lowerBound))
    }

    /// The sessions of a key that have a time in common with the range, by their ends.
    @usableFromInline
    package func find(
        _ key: Key, overlapping times: ClosedRange<Int64>, order: ScanOrder,
        _ body: (ClosedRange<Int64>, Value) throws -> Bool
    ) throws {
        guard let ends = retention.clip(times.lowerBound...Int64.max) else { return }
        try entries.scan(part: KeyBounds.part(key), ends, order: order) { key, value in
            guard key.third <= times.upperBound else { return true }
            return try body(Self.times(key), value)
        }
    }

    /// The sessions of all keys that have a time in common with the range, by key, then by their ends.
    package func findAll(
        overlapping times: ClosedRange<Int64>, order: ScanOrder,
        _ body: (Key, ClosedRange<Int64>, Value) throws -> Bool
    ) throws {
        guard let ends = retention.clip(times.lowerBound...Int64.max) else { return }
        try entries.scan(order: order) { key, value in
            guard ends.contains(key.second), key.third <= times.upperBound else { return true }
            return try body(key.first, Self.times(key), value)
        }
    }

    /// Takes the place of all sessions that a record at `time` belongs to with one that has it; gives that
    /// one's times and value, and the times of those that are gone. Nil, and nothing is changed, if
    /// the session of the record is gone.
    @usableFromInline
    package func merge(
        _ key: Key, at time: Int64, gap: Int64, _ initial: Value,
        _ combine: (Value, Value) throws -> Value
    ) throws -> (times: ClosedRange<Int64>, value: Value, replaced: [ClosedRange<Int64>])? {
        precondition(gap >= 0, "a gap between sessions is not negative")
        var start = time
        var end = time
        var value = initial
        var replaced: [ClosedRange<Int64>] = []
        let near = time.addingHeld(-gap)...time.addingHeld(gap)
        try find(key, overlapping: near, order: .ascending) { times, old in
            start = min(start, times.lowerBound)
            end = max(end, times.upperBound)
            value = try combine(old, value)
            replaced.append(times)
            return true
        }
        guard !retention.hasPassed(end) else { return nil }
        replaced.removeAll { $0 == start...end }
        for times in replaced { try remove(key, times) }
        _ = try put(key, value, start...end)
        return (start...end, value, replaced)
    }

    private static func times(_ key: SessionKey) -> ClosedRange<Int64> {
        // Held together by `put`; bytes that were changed are found by their checksum.
        min(key.third, key.second)...key.second
    }
}
