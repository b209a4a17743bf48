public import LocalState
public import StreamJobsLog

extension BufferStore {
    /// Adds a value to the list of a key, behind those of the same time; committed with the next commit of
    /// the task.
    /// - Returns: False if nothing was done, since event time has passed the time by the retention.
    @inlinable
    @discardableResult
    public func add(_ key: Key, _ value: Value, at time: Timestamp) throws -> Bool {
        try add(key, value, at: time.milliseconds)
    }

    /// Hands the values of a key to `body`, in the order of their times, until it returns false.
    /// - Parameters:
    ///   - times: The first and the last time that are of interest, both included.
    ///   - order: Ascending begins with the earliest time, and of that with what was added first.
    ///   - body: Gets time and value; returns whether to go on.
    public func fetch(
        _ key: Key, in times: ClosedRange<Timestamp> = .always, order: ScanOrder = .ascending,
        _ body: (Timestamp, Value) throws -> Bool
    ) throws {
        try fetch(key, times.milliseconds, order: order) { time, value in
            try body(Timestamp(milliseconds: time), value)
        }
    }

    /// Hands the values of all keys to `body`, in the order of their keys, then of their times, until it
    /// returns false. It reads the whole store, whatever the range.
    public func fetchAll(
        in times: ClosedRange<Timestamp> = .always, order: ScanOrder = .ascending,
        _ body: (Key, Timestamp, Value) throws -> Bool
    ) throws {
        try fetchAll(times.milliseconds, order: order) { key, time, value in
            try body(key, Timestamp(milliseconds: time), value)
        }
    }

    /// Removes the values of a key whose times are in a range, both ends included; committed with the next
    /// commit of the task.
    public func remove(_ key: Key, in times: ClosedRange<Timestamp>) throws {
        try remove(key, times.milliseconds)
    }
}
