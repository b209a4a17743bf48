// Which times of a store with times in its keys are gone, and scans between times.

/// How long entries stay behind event time.
@usableFromInline
package struct Retention {
    @usableFromInline let milliseconds: Int64
    private let clock: StoreClock

    @usableFromInline
    package init(_ duration: Duration, _ clock: StoreClock) {
        precondition(duration >= .zero, "a retention is not negative")
        milliseconds = duration.heldMilliseconds
        self.clock = clock
    }

    /// Whether what has this time is gone.
    @usableFromInline
    package func hasPassed(_ time: Int64) -> Bool { hasPassed(time, at: clock.watermark) }

    @usableFromInline
    package func hasPassed(_ time: Int64, at watermark: Int64) -> Bool {
        time.addingHeld(milliseconds) <= watermark
    }

    /// The part of a range that is not gone; nil if there is none.
    package func clip(_ times: ClosedRange<Int64>) -> ClosedRange<Int64>? {
        let watermark = clock.watermark
        guard hasPassed(times.lowerBound, at: watermark) else { return times }
        guard !hasPassed(times.upperBound, at: watermark) else { return nil }
        // The lower bound is gone and the upper is not, so that nothing is held here.
        return watermark - milliseconds + 1...times.upperBound
    }
}

extension KeyValueStore {
    /// Scans the keys that begin with `part` and a time of the range behind it.
    func scan(
        part: [UInt8], _ times: ClosedRange<Int64>, order: ScanOrder,
        _ body: (Key, Value) throws -> Bool
    ) throws {
        var from = part
        times.lowerBound.encodeOrdered(into: &from)
        var last = part
        times.upperBound.encodeOrdered(into: &last)
        try scan(
            encodedFrom: from, encodedTo: KeyBounds.end(ofPrefix: last), order: order, body)
    }
}
