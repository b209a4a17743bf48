/// The named ends of a partition, in their order. (The high watermark of a log without replicas is its
/// end.)
struct EndOffsets {
    /// Where the partition begins: what lay below was removed.
    private(set) var start: Offset
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
        start: Offset? = nil, lastStable: Offset? = nil, flushed: Offset? = nil,
        logEnd: Offset? = nil
    ) {
        let start = start ?? self.start
        let lastStable = lastStable ?? self.lastStable
        let flushed = flushed ?? self.flushed
        let logEnd = logEnd ?? self.logEnd
        precondition(
            self.start <= start && start <= lastStable
                && self.lastStable <= lastStable && lastStable <= logEnd
                && self.flushed <= flushed && flushed <= logEnd && self.logEnd <= logEnd,
            "ends out of order: start \(self.start) → \(start), last stable \(self.lastStable) → "
                + "\(lastStable), flushed \(self.flushed) → \(flushed), log end \(self.logEnd) → "
                + "\(logEnd)")
        self.start = start
        self.lastStable = lastStable
        self.flushed = flushed
        self.logEnd = logEnd
    }

    /// The partition begins at `offset`, if that is behind the first segment's beginning: what is below
    /// was deleted, though its segment may still be there.
    mutating func begin(at offset: Offset) {
        advance(start: max(start, min(offset, lastStable)))
    }
}
