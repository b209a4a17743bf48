// A task's event time, as its stores ask for it. Everything that expires does so by event time, so that the
// same input gives the same state, whenever it is read.

/// Tells the stores of a task its event time, in milliseconds since 1970. Confined to the task's thread.
@usableFromInline
package final class StoreClock {
    /// Event time: no record before it is expected any more. It never goes back: what it has passed is
    /// gone for ever, so that it does not matter when it is removed.
    package var readWatermark: () -> Int64
    /// The event time of the record or timer that is being worked on.
    package var readTimestamp: () -> Int64

    /// A clock that stands at the beginning of time until it is set.
    package init(
        watermark: @escaping () -> Int64 = { .min }, timestamp: @escaping () -> Int64 = { .min }
    ) {
        readWatermark = watermark
        readTimestamp = timestamp
    }

    @usableFromInline
    package var watermark: Int64 { readWatermark() }

    /// The time that it is for the record being worked on: its own, or event time if it is late.
    @usableFromInline
    package var now: Int64 { max(readWatermark(), readTimestamp()) }
}

extension Int64 {
    /// The sum, held within what the number can say.
    @usableFromInline
    package func addingHeld(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero, held within what the number can say.
    @usableFromInline
    package var heldMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, isOver) = seconds.multipliedReportingOverflow(by: 1000)
        let (sum, isSumOver) = product.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        return isOver || isSumOver ? (seconds < 0 ? .min : .max) : sum
    }
}
