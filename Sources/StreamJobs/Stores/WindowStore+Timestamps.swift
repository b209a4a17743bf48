public import LocalState
public import StreamJobsLog

extension WindowStore {
    /// The value of a key's window; nil if it has none, or none any more.
    @inlinable
    public func get(_ key: Key, at start: Timestamp) throws -> Value? {
        try get(key, start: start.milliseconds)
    }

    /// Sets the value of a key's window; committed with the next commit of the task.
    /// - Returns: False if nothing was done, since event time has passed the window by the retention.
    @inlinable
    @discardableResult
    public func put(_ key: Key, _ value: Value, at start: Timestamp) throws -> Bool {
        try put(key, value, start: start.milliseconds)
    }

    /// Removes a key's window, if it is there; committed with the next commit of the task.
    @inlinable
    public func delete(_ key: Key, at start: Timestamp) throws {
        try delete(key, start: start.milliseconds)
    }

    /// Hands the windows of a key to `body`, in the order of their starts, until it returns false. The body
    /// may write to the store, as in ``KeyValueStore/scan(from:to:order:_:)``.
    /// - Parameters:
    ///   - starts: The first and the last start that are of interest, both included (as Kafka Streams has
    ///     it).
    ///   - order: Ascending begins with the earliest window.
    ///   - body: Gets start and value; returns whether to go on.
    public func fetch(
        _ key: Key, in starts: ClosedRange<Timestamp> = .always, order: ScanOrder = .ascending,
        _ body: (Timestamp, Value) throws -> Bool
    ) throws {
        try fetch(key, starts.milliseconds, order: order) { start, value in
            try body(Timestamp(milliseconds: start), value)
        }
    }

    /// Hands the windows of all keys to `body`, in the order of their keys, then of their starts, until it
    /// returns false. It reads the whole store, whatever the range.
    /// - Parameters:
    ///   - starts: The first and the last start that are of interest, both included.
    ///   - order: Of both keys and starts.
    ///   - body: Gets key, start and value; returns whether to go on.
    public func fetchAll(
        in starts: ClosedRange<Timestamp> = .always, order: ScanOrder = .ascending,
        _ body: (Key, Timestamp, Value) throws -> Bool
    ) throws {
        try fetchAll(starts.milliseconds, order: order) { key, start, value in
            try body(key, Timestamp(milliseconds: start), value)
        }
    }
}

extension WindowStore where Value: FixedWidthInteger {
    /// Adds a number to the value of a key's window, which counts as 0 if it has none, as
    /// ``KeyValueStore/add(_:to:)`` does.
    /// - Returns: The sum; nil if nothing was done, since event time has passed the window by the retention.
    @inlinable
    @discardableResult
    public func add(_ number: Value, to key: Key, at start: Timestamp) throws -> Value? {
        try add(number, to: key, start: start.milliseconds)
    }
}
