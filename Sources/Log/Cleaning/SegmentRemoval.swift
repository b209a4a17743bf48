// Removing segments. A file is renamed first and removed then, so that a crash between leaves a name that
// the next opening knows to be rubbish. Readers that have it open read on.

enum SegmentRemoval {
    /// Of a file that is being removed (Kafka's `.deleted`).
    static let suffix = ".deleted"

    /// Of the files that are of no use without their segment.
    static let indexSuffixes = [
        OffsetEntry.fileSuffix, TimeEntry.fileSuffix, AbortedTransaction.fileSuffix,
    ]

    /// The files of a segment. The log is the last: what is left without it is rubbish.
    static let suffixes = indexSuffixes + [ProducerSnapshotFile.suffix, Segment.logSuffix]

    /// Removes the files of `segments`; when it returns they are gone for good.
    static func remove(_ segments: [Segment], from directory: String, in files: FileSystem) throws {
        for segment in segments {
            let log = segment.path()
            if try files.exists(log) { try files.rename(log, to: log + suffix) }
        }
        try files.flushDirectory(directory)
        for segment in segments {
            for suffix in suffixes.dropLast() { try files.remove(segment.path(suffix)) }
            try files.remove(segment.path() + Self.suffix)
        }
    }
}
