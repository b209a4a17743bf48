// Values by key and start of a window: a key-value store with the key (key, start), so that the windows of a
// key lie together in the order of their starts. Times are milliseconds here; StreamJobs has the calls with
// `Timestamp` (Stores/WindowStore+Timestamps.swift there), which say what each of them does.

/// A value for each key and window of event time, kept for a time after the window has begun.
///
/// A window is named by its key and its start; how long it is, is up to the task. When event time (the task's
/// watermark) has passed a window's start by the retention, the window is gone: it is not read any more, a
/// put to it does nothing, and commits remove it. Threads and errors are those of ``KeyValueStore``.
public final class WindowStore<Key: StoreKey, Value> {
    /// What it is kept in.
    @usableFromInline package let entries: KeyValueStore<KeyPair<Key, Int64>, Value>
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
        entries.kind = "window"
        entries.owner = self
        entries.expire(by: clock, .keyEnd(8), lifetime: retention.milliseconds) { key, _ in
            key.second
        }
    }

    @inlinable
    package func get(_ key: Key, start: Int64) throws -> Value? {
        guard !retention.hasPassed(start) else { return nil }
        return try entries.get(KeyPair(key, start))
    }

    @inlinable
    package func put(_ key: Key, _ value: Value, start: Int64) throws -> Bool {
        guard !retention.hasPassed(start) else { return false }
        try entries.put(KeyPair(key, start), value)
        return true
    }

    @inlinable
    package func delete(_ key: Key, start: Int64) throws {
        try entries.delete(KeyPair(key, start))
    }

    /// From the first to the last start given, both included.
    @usableFromInline
    package func fetch(
        _ key: Key, _ starts: ClosedRange<Int64>, order: ScanOrder,
        _ body: (Int64, Value) throws -> Bool
    ) throws {
        guard let starts = retention.clip(starts) else { return }
        try entries.scan(part: KeyBounds.part(key), starts, order: order) { key, value in
            try body(key.second, value)
        }
    }

    /// From the first to the last start given, both included, of all keys.
    package func fetchAll(
        _ starts: ClosedRange<Int64>, order: ScanOrder,
        _ body: (Key, Int64, Value) throws -> Bool
    ) throws {
        guard let starts = retention.clip(starts) else { return }
        try entries.scan(order: order) { key, value in
            try !starts.contains(key.second) || body(key.first, key.second, value)
        }
    }
}

extension WindowStore where Value: FixedWidthInteger {
    /// Adds to a window's value, which counts as 0 if there is none; nil, and nothing is done, if it is gone.
    @inlinable
    package func add(_ number: Value, to key: Key, start: Int64) throws -> Value? {
        guard !retention.hasPassed(start) else { return nil }
        return try entries.add(number, to: KeyPair(key, start))
    }
}
