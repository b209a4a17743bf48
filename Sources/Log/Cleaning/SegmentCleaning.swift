/// Names of compaction's files.
enum SegmentCleaning {
    /// Of a segment that compaction is writing (Kafka's `.cleaned`).
    static let suffix = ".cleaned"
}
