// How far a long command is, on standard error: on a terminal one line that is rewritten, in a pipe a plain
// line now and then.

/// Measures and shows. Belongs to one thread.
struct Progress {
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private var lastShown: ContinuousClock.Instant
    private var lastDone = 0
    private var rate = RateWindow()
    private let what: String
    private let isTerminal = StandardError.isTerminal
    private let isShown: Bool

    /// - Parameter what: What is counted, such as "records sent".
    /// - Parameter isShown: False where it would be in the way of the command's own output.
    init(_ what: String, isShown: Bool = true) {
        self.what = what
        self.isShown = isShown
        start = clock.now
        lastShown = start
    }

    /// To be called often; shows itself when it is time. A line in a pipe is only written when something
    /// has happened since the last.
    mutating func update(done: Int, remaining: @autoclosure () throws -> Int?) rethrows {
        let now = clock.now
        let interval =
            isTerminal ? Limits.progressIntervalTerminal : Limits.progressIntervalPipe
        guard isShown, now - lastShown >= interval, isTerminal || done != lastDone else { return }
        lastShown = now
        lastDone = done
        let line = ProgressLine(
            what: what, done: done, remaining: try remaining(),
            rate: rate.add(done, at: now - start)
        ).text
        if isTerminal { StandardError.rewrite(line: line) } else { StandardError.write(line: line) }
    }

    /// The last line: what was done, in how much time.
    func finish(_ text: String) { StandardError.write(line: text) }

    var elapsed: Duration { clock.now - start }
}

/// The text of a line of progress.
package struct ProgressLine {
    let what: String
    let done: Int
    /// Of a work whose end is known.
    let remaining: Int?
    /// In a second.
    let rate: Double

    package init(what: String, done: Int, remaining: Int?, rate: Double) {
        self.what = what
        self.done = done
        self.remaining = remaining
        self.rate = rate
    }

    package var text: String {
        var text = "\(done) \(what), \(Int(rate.rounded()))/s"
        guard let remaining, done + remaining > 0 else { return text }
        text += ", \(Int(Double(done) / Double(done + remaining) * 100)) %"
        guard rate > 0, remaining > 0 else { return text }
        return text + ", " + Self.time(seconds: Double(remaining) / rate) + " left"
    }

    /// In the two largest units that it needs; whole, rounded up.
    package static func time(seconds: Double) -> String {
        guard seconds < 1_000_000_000 else { return "years" }
        let seconds = Int(seconds.rounded(.up))
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600, seconds / 60)
        if days > 0 { return "\(days) d \(hours % 24) h" }
        if hours > 0 { return "\(hours) h \(minutes % 60) min" }
        if minutes > 0 { return "\(minutes) min \(seconds % 60) s" }
        return "\(seconds) s"
    }

    /// What a finished work has done: "27004 records to flights in 0.4 s (67510/s)".
    package static func summary(_ what: String, done: Int, elapsed: Duration) -> String {
        let seconds = elapsed / .seconds(1)
        let tenths = (seconds * 10).rounded() / 10
        let rate = seconds > 0 ? Int(Double(done) / seconds) : 0
        return "\(done) \(what) in \(tenths) s (\(rate)/s)"
    }
}

/// The rate of the last few seconds.
package struct RateWindow {
    private var samples: [(elapsed: Duration, done: Int)] = [(.zero, 0)]

    package init() {}

    /// Adds how much was done after so long; gives how much it is in a second now.
    package mutating func add(_ done: Int, at elapsed: Duration) -> Double {
        samples.append((elapsed, done))
        // One from before the window stays, so that the window is always covered.
        while samples.count > 2, elapsed - samples[1].elapsed >= Limits.progressRateWindow {
            samples.removeFirst()
        }
        let seconds = (elapsed - samples[0].elapsed) / .seconds(1)
        return seconds > 0 ? Double(done - samples[0].done) / seconds : 0
    }
}
