/// How far a run is.
public struct RunProgress: Sendable {
    /// Records taken from source topics since this process began.
    public let recordsProcessed: Int
    /// Source records left of a bounded run (offsets, so that it may be a few more than records); nil
    /// in a live run.
    public let recordsRemaining: Int?
    public let elapsed: Duration
}

/// What a run has done.
public struct RunSummary: Sendable, CustomStringConvertible {
    /// Records taken from source topics in this process.
    public let recordsProcessed: Int
    /// Records that tasks have left out as late, in the whole run, restarts included.
    public let lateRecords: Int
    public let elapsed: Duration
    /// The bounded run had nothing to do: the sources hold nothing that was not worked through before.
    public let hadNothingToDo: Bool
    /// A task has ended the run (`context.shutdown()`).
    public var wasStoppedByTask = false

    public var description: String {
        if hadNothingToDo { return "nothing new since the last run" }
        let seconds =
            Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        let tenths = (seconds * 10).rounded() / 10
        let rate = seconds > 0 ? Int(Double(recordsProcessed) / seconds) : 0
        let late = lateRecords == 0 ? "" : ", \(lateRecords) late"
        return "\(counted(recordsProcessed, "record")) in \(tenths) s (\(rate)/s)\(late)"
    }
}
