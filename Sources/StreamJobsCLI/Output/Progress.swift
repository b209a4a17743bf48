// How far a long command is: on a terminal one line that is rewritten, in a pipe a plain line now and then,
// always on standard error.

import StreamJobs

struct ProgressReport {
    private let start = ContinuousClock.now
    private var lastShown = ContinuousClock.now
    private let isTerminal = Standard.error.isTerminal
    private let what: String
    private var hasShown = false

    /// - Parameter what: What is counted, such as "records".
    init(_ what: String) { self.what = what }

    /// Call as often as you like: it shows itself ten times a second on a terminal, and every five
    /// seconds in a pipe.
    mutating func update(done: Int, remaining: Int?) {
        let now = ContinuousClock.now
        guard now - lastShown >= (isTerminal ? .milliseconds(100) : .seconds(5)) else { return }
        lastShown = now
        hasShown = true
        show(line(done, remaining, now - start), ends: !isTerminal)
    }

    /// The last line.
    mutating func finish(_ text: String) { show(text, ends: true) }

    private func show(_ text: String, ends: Bool) {
        let erase = isTerminal ? "\r\u{1b}[K" : ""
        Standard.note(erase + text + (ends ? "\n" : ""))
    }

    private func line(_ done: Int, _ remaining: Int?, _ elapsed: Duration) -> String {
        let seconds = Self.seconds(elapsed)
        let rate = seconds > 0 ? Double(done) / seconds : 0
        var text = "\(done) \(what), \(Int(rate))/s"
        if let remaining, remaining + done > 0 {
            text += ", \(done * 100 / (done + remaining)) %"
            if rate > 0 { text += ", \(Int((Double(remaining) / rate).rounded(.up))) s left" }
        }
        return text
    }

    static func seconds(_ duration: Duration) -> Double {
        let parts = duration.components
        return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
    }
}
