// What a checkpoint writes of a segment, while more is appended to it.

/// A segment as it was at one moment.
struct SegmentCapture {
    let segment: Segment
    let nextOffset: Offset
    let byteCount: Int
    let maxTimestamp: Timestamp
    let offsetOfMaxTimestamp: Offset
    fileprivate(set) var index: SegmentIndex<OffsetEntry>
    fileprivate(set) var timeIndex: SegmentIndex<TimeEntry>
    fileprivate(set) var aborted: SegmentIndex<AbortedTransaction>

    /// The segment was sealed and its indexes were written.
    var isInFiles: Bool {
        if case .file = index { true } else { false }
    }

    /// Brings the index files up to date, flushed (their names are not), and gives what a manifest is to
    /// say of the segment.
    mutating func writeIndexes() throws -> SegmentSummary {
        let files = segment.files
        return SegmentSummary(
            baseOffset: segment.baseOffset, nextOffset: nextOffset, byteCount: byteCount,
            maxTimestamp: maxTimestamp, offsetOfMaxTimestamp: offsetOfMaxTimestamp,
            isCleaned: segment.isCleaned,
            index: try index.write(
                to: segment.path(OffsetEntry.fileSuffix), isOptional: false, in: files),
            timeIndex: try timeIndex.write(
                to: segment.path(TimeEntry.fileSuffix), isOptional: false, in: files),
            transactionIndex: try aborted.write(
                to: segment.path(AbortedTransaction.fileSuffix), isOptional: true, in: files))
    }
}
