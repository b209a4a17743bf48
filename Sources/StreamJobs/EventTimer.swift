public import StreamJobsLog

/// A moment in event time at which a task wants to be called, and why.
public struct EventTimer: Hashable, Comparable, Sendable {
    public let time: Timestamp
    public let key: String

    package init(time: Timestamp, key: String) {
        self.time = time
        self.key = key
    }

    public static func < (left: EventTimer, right: EventTimer) -> Bool {
        (left.time, left.key) < (right.time, right.key)
    }
}
