// When the tasks of a worker commit: at once where they must or were asked to, when there is nothing more to
// read but not sooner than the spacing behind the last commit, and after the interval while there is work.

package struct CommitSchedule {
    /// Between two commits while there is work.
    let interval: Duration
    /// Between two commits at least, where there is no more work.
    let spacing: Duration
    private var last: ContinuousClock.Instant

    package init(interval: Duration, spacing: Duration, now: ContinuousClock.Instant = .now) {
        self.interval = interval
        self.spacing = spacing
        last = now
    }

    /// - Parameters:
    ///   - isDry: There is nothing more to read.
    ///   - isUrgent: A task cannot go on, or wants to be seen.
    package func isDue(isDry: Bool, isUrgent: Bool, now: ContinuousClock.Instant = .now) -> Bool {
        isUrgent || now - last >= (isDry ? min(spacing, interval) : interval)
    }

    /// How long to wait where nothing can be done until the next commit is due.
    package func timeLeft(now: ContinuousClock.Instant = .now) -> Duration {
        max(.zero, min(spacing, interval) - (now - last))
    }

    package mutating func committed(now: ContinuousClock.Instant = .now) { last = now }
}
