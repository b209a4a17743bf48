import HeapModule
import StreamJobsLog

/// A task's event time. It never goes back.
struct EventTime {
    private(set) var watermark: Timestamp

    init(_ watermark: Timestamp = .distantPast) { self.watermark = watermark }

    mutating func advance(to time: Timestamp) {
        if time > watermark { watermark = time }
    }
}

/// The timers of a task, in memory; what has changed since the last commit goes into it.
struct EventTimers {
    private var byTime = Heap<EventTimer>()
    private var pending: Set<EventTimer>
    /// Timers set (true) or gone (false) since the last commit.
    private(set) var changes: [EventTimer: Bool] = [:]

    init(_ timers: [EventTimer] = []) {
        byTime = Heap(timers)
        pending = Set(timers)
    }

    var isEmpty: Bool { byTime.isEmpty }
    var next: EventTimer? { byTime.min }

    mutating func set(_ timer: EventTimer) {
        guard pending.insert(timer).inserted else { return }
        byTime.insert(timer)
        changes[timer] = true
    }

    /// Takes the first timer at or before `time`.
    mutating func take(upTo time: Timestamp) -> EventTimer? {
        guard let first = byTime.min, first.time <= time else { return nil }
        byTime.removeMin()
        pending.remove(first)
        changes[first] = false
        return first
    }

    mutating func committed() { changes.removeAll(keepingCapacity: true) }
}
