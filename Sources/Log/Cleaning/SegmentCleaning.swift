// Writing the segment that takes the place of some that lie one behind the other. As long as nothing goes
// from a segment that is to stay alone nothing is written: most segments of a partition are clean already.

/// Names of compaction's files.
enum SegmentFiles {
    /// Of a segment that compaction is writing (Kafka's `.cleaned`): rubbish after a crash.
    static let cleaned = ".cleaned"
    /// Of one that is whole and takes the place of others (Kafka's `.swap`): see `SegmentSwap`.
    static let swap = ".swap"
}

/// Belongs to one thread.
final class SegmentCleaning {
    /// The segments to be replaced, in order.
    let old: [Segment]
    /// The new one, in memory, with the indexes that belong to it.
    let new: Segment
    private let settings: TopicSettings
    private let directory: String
    private let files: FileSystem
    private let lastOffset: Int64

    /// Nil as long as the new segment is the beginning of the old one.
    private var file: File?
    private var buffer: [UInt8] = []
    /// Bytes in the file.
    private var written = 0

    init(_ old: [Segment], settings: TopicSettings, directory: String, files: FileSystem) {
        precondition(!old.isEmpty, "something is replaced")
        self.old = old
        self.settings = settings
        self.directory = directory
        self.files = files
        new = Segment(baseOffset: old[0].baseOffset, directory: directory, files: files)
        lastOffset = old[old.count - 1].nextOffset.rawValue - 1
    }

    var path: String { new.path() + SegmentFiles.cleaned }

    /// Writes the new segment. False where it would be the old one; there is no file then.
    /// - Parameter producers: Of all batches that stay, from the partition's start on.
    func write(
        _ cleaner: BatchCleaner, _ producers: inout ProducerStates, pause: () throws -> Void
    ) throws -> Bool {
        if old.count > 1 { try begin() }
        for segment in old {
            var step = 0
            try pause()
            try segment.scanCleanly { header, batch in
                step += batch.count
                if step >= Limits.compactionStepBytes {
                    step = 0
                    try pause()
                }
                let isLast = header.nextOffset - 1 == lastOffset
                switch try cleaner.clean(header, batch, isLast: isLast) {
                case .keep: try add(header, batch, &producers)
                case .drop: try begin()
                case .replace(let other):
                    try begin()
                    try add(try BatchHeader(other), other, &producers)
                }
            }
        }
        new.seal()
        precondition(new.nextOffset.rawValue == lastOffset + 1, "the end of a segment stays")
        // Whose batches have gone before may have been the first of a transaction that ends here.
        if try file == nil && new.abortedTransactions() != old[0].abortedTransactions() {
            try begin()
        }
        guard let file else { return false }
        try writeBuffer()
        try keepModificationTime(file)
        try file.flush()
        return true
    }

    /// Retention counts from the file's time where records have none: to clean them is not to write them.
    private func keepModificationTime(_ file: File) throws {
        let times = try old.compactMap { try files.status(of: $0.path())?.modified }
        if let latest = times.max() { try file.setModified(latest) }
    }

    /// Removes what there is of the file.
    func abandon() throws { try files.remove(path) }

    private func add(
        _ header: BatchHeader, _ batch: UnsafeRawBufferPointer, _ producers: inout ProducerStates
    ) throws {
        guard new.canHold(header) else {
            throw LogError(
                .recordTooLarge,
                "\(new.path()) would not hold its batches with their delete horizons; set a smaller "
                    + "segment.bytes than \(settings.segmentBytes)")
        }
        new.batchAdded(header, indexIntervalBytes: settings.indexIntervalBytes)
        if let aborted = producers.batchAdded(header, batch) { new.transactionAborted(aborted) }
        guard file != nil else { return }
        buffer.append(contentsOf: batch)
        if buffer.count >= Limits.compactionStepBytes { try writeBuffer() }
    }

    /// Makes the file, with what there is of the new segment so far, which is the beginning of the old.
    private func begin() throws {
        guard file == nil else { return }
        let file = try File(path, .readWrite, create: true, in: files)
        if try file.byteCount() > 0 { try file.truncate(to: 0) }
        self.file = file
        let source = try old[0].log()
        let end = new.byteCount
        while written < end {
            buffer = [UInt8](repeating: 0, count: min(Limits.compactionStepBytes, end - written))
            let count = try buffer.withUnsafeMutableBytes {
                try source.read(into: $0, at: written)
            }
            guard count == buffer.count else {
                throw LogError(.corrupted, "\(source.path) has become shorter than it was")
            }
            try writeBuffer()
        }
    }

    private func writeBuffer() throws {
        guard let file else { return }
        try buffer.withUnsafeBytes { try file.write($0, at: written) }
        written += buffer.count
        buffer.removeAll(keepingCapacity: true)
    }
}
