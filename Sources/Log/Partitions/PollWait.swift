// How long a consumer's poll may still wait, and who wants it to end earlier.

import Synchronization

@usableFromInline
struct PollWait {
    private let deadline: ContinuousClock.Instant?
    private var pause = Limits.observerPauseMin
    /// Whether to return with what there is.
    @usableFromInline var isOver: Bool

    @usableFromInline
    init(_ timeout: Duration) {
        isOver = timeout <= .zero
        deadline = isOver ? nil : .now + timeout
    }

    /// The time left; nil, and the wait is over, when there is none.
    mutating func left() -> Duration? {
        guard let deadline else { return nil }
        let left = deadline - .now
        if left > .zero { return left }
        isOver = true
        return nil
    }

    /// The pause before an observer's next look.
    mutating func nextPause() -> Duration {
        defer { pause = min(pause * 2, Limits.observerPauseMax) }
        return pause
    }
}

/// A request that a consumer's poll return, kept until one has.
final class WakeUps: Sendable {
    private let isRequested = Atomic<Bool>(false)

    func request() { isRequested.store(true, ordering: .sequentiallyConsistent) }

    /// Whether there was one; it is done with.
    func take() -> Bool { isRequested.exchange(false, ordering: .sequentiallyConsistent) }
}
