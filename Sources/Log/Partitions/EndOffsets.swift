/// The named ends of a partition, in their order. (The high watermark of a log without replicas is its
/// end.)
struct EndOffsets {
    /// Where the partition begins.
    let start: Offset
    /// Everything below is decided: readers of committed data stop here.
    private(set) var lastStable: Offset
    /// Everything below survives a power loss.
    private(set) var flushed: Offset
    /// The next offset to be given.
    private(set) var logEnd: Offset

    init(start: Offset) {
        self.start = start
        lastStable = start
        flushed = start
        logEnd = start
    }

    mutating func advance(
        lastStable: Offset? = nil, flushed: Offset? = nil, logEnd: Offset? = nil
    ) {
        let lastStable = lastStable ?? self.lastStable
        let flushed = flushed ?? self.flushed
        let logEnd = logEnd ?? self.logEnd
        precondition(
            start <= self.lastStable && self.lastStable <= lastStable && lastStable <= logEnd
                && self.flushed <= flushed && flushed <= logEnd && self.logEnd <= logEnd,
            "ends out of order: start \(start), last stable \(self.lastStable) → \(lastStable), "
                + "flushed \(self.flushed) → \(flushed), log end \(self.logEnd) → \(logEnd)")
        self.lastStable = lastStable
        self.flushed = flushed
        self.logEnd = logEnd
    }
}
