public import LocalState
public import StreamJobsLog

/// What ``SessionStore/merge(_:at:gap:_:_:)`` has made.
public struct MergedSession<Value> {
    /// The times of the session's first and last record.
    public let times: ClosedRange<Timestamp>
    public let value: Value
    /// The times of the sessions that are in it now and were taken out of the store.
    public let replaced: [ClosedRange<Timestamp>]
}

extension MergedSession: Sendable where Value: Sendable {}

extension SessionStore {
    /// The value of a session with exactly these times of its first and last record; nil if there is none,
    /// or none any more.
    @inlinable
    public func get(_ key: Key, _ times: ClosedRange<Timestamp>) throws -> Value? {
        try get(key, times.milliseconds)
    }

    /// Sets the value of a session; committed with the next commit of the task. Sessions with other times
    /// stay as they are, even if they overlap.
    /// - Returns: False if nothing was done, since event time has passed the session by the retention.
    @inlinable
    @discardableResult
    public func put(_ key: Key, _ value: Value, _ times: ClosedRange<Timestamp>) throws -> Bool {
        try put(key, value, times.milliseconds)
    }

    /// Removes a session, if it is there; committed with the next commit of the task.
    @inlinable
    public func remove(_ key: Key, _ times: ClosedRange<Timestamp>) throws {
        try remove(key, times.milliseconds)
    }

    /// Hands the sessions of a key that have a time in common with a range to `body`, in the order of
    /// their ends, until it returns false. The body may write to the store, as in
    /// ``KeyValueStore/scan(from:to:order:_:)``.
    /// - Parameters:
    ///   - times: Those of sessions which a record at `t` belongs to are from `t` less the gap to `t` and
    ///     the gap.
    ///   - order: Ascending begins with the session that ended first.
    ///   - body: Gets the session's times and value; returns whether to go on.
    public func findSessions(
        _ key: Key, overlapping times: ClosedRange<Timestamp> = .always,
        order: ScanOrder = .ascending,
        _ body: (ClosedRange<Timestamp>, Value) throws -> Bool
    ) throws {
        try find(key, overlapping: times.milliseconds, order: order) { times, value in
            try body(ClosedRange(milliseconds: times), value)
        }
    }

    /// Hands the sessions of all keys that have a time in common with a range to `body`, by key, then by
    /// their ends, until it returns false. It reads the whole store, whatever the range.
    public func findAllSessions(
        overlapping times: ClosedRange<Timestamp> = .always, order: ScanOrder = .ascending,
        _ body: (Key, ClosedRange<Timestamp>, Value) throws -> Bool
    ) throws {
        try findAll(overlapping: times.milliseconds, order: order) { key, times, value in
            try body(key, ClosedRange(milliseconds: times), value)
        }
    }

    /// Adds a record to the session that it belongs to: to a new one, to one that is within the gap, or to
    /// the one that several become by it.
    /// - Parameters:
    ///   - time: That of the record.
    ///   - gap: The longest time between two records of a session.
    ///   - value: What a session of the record alone has.
    ///   - combine: Makes one value of those of two sessions, that of an older one first.
    /// - Returns: The session; nil if nothing was done, since event time has passed the session by the
    ///   retention.
    public func merge(
        _ key: Key, at time: Timestamp, gap: Duration, _ value: Value,
        _ combine: (Value, Value) throws -> Value
    ) throws -> MergedSession<Value>? {
        let merged = try merge(
            key, at: time.milliseconds, gap: gap.heldMilliseconds, value, combine)
        return merged.map { session in
            MergedSession(
                times: ClosedRange(milliseconds: session.times), value: session.value,
                replaced: session.replaced.map { ClosedRange(milliseconds: $0) })
        }
    }
}
