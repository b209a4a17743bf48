// One segment of a partition: whole record batches in a `.log` file, one behind the other, named after
// the first offset, with its indexes beside it. The last segment of a partition is active, that is
// appended to under the partition's lock; the others are sealed: they change only by being replaced or
// removed as a whole.

import Synchronization

/// Any thread may call; the bytes below `byteCount` never change, so that they are read without a lock.
final class Segment: Sendable {
    let baseOffset: Offset
    let directory: String
    let files: FileSystem
    private let state: Mutex<State>

    private struct State {
        var log: File?
        var byteCount = 0
        var nextOffset: Offset
        var isCleaned = false
        /// Of the first batch: what `segment.ms` counts from.
        var firstTimestamp: Timestamp?
        /// The largest timestamp there is, -1 if there is none, and the last offset of its batch.
        var maxTimestamp = Timestamp(milliseconds: -1)
        var offsetOfMaxTimestamp: Offset
        var index: SegmentIndex<OffsetEntry>
        var timeIndex: SegmentIndex<TimeEntry>
        var aborted: SegmentIndex<AbortedTransaction>
        /// Position of the batch that has the last entry of the index.
        var lastIndexedPosition = 0
        var lastIndexedTimestamp: Int64 = -1
        /// Up to where room on the disk was asked for.
        var preallocatedEnd = 0
        /// Nothing of it is to be flushed, and nothing else has its names: its files may be closed between
        /// two reads.
        var mayClose = false
        /// Its topic was deleted: the files of its names may be another one's.
        var isGone = false

        mutating func close() {
            log = nil
            index.close()
            timeIndex.close()
            aborted.close()
        }
    }

    static let logSuffix = ".log"

    /// A segment whose batches are still to be added.
    /// - Parameter log: Its file, open; opened when it is first needed otherwise.
    init(baseOffset: Offset, directory: String, files: FileSystem, log: File? = nil) {
        self.baseOffset = baseOffset
        self.directory = directory
        self.files = files
        state = Mutex(
            State(
                log: log, nextOffset: baseOffset, offsetOfMaxTimestamp: baseOffset,
                index: .memory(IndexEntries()), timeIndex: .memory(IndexEntries()),
                aborted: .memory(IndexEntries())))
    }

    /// A sealed segment as a manifest tells of it.
    init(_ summary: SegmentSummary, directory: String, files: FileSystem) {
        baseOffset = summary.baseOffset
        self.directory = directory
        self.files = files
        var state = State(
            nextOffset: summary.nextOffset, offsetOfMaxTimestamp: summary.offsetOfMaxTimestamp,
            index: SegmentIndex(summary.index), timeIndex: SegmentIndex(summary.timeIndex),
            aborted: SegmentIndex(summary.transactionIndex))
        state.byteCount = summary.byteCount
        state.maxTimestamp = summary.maxTimestamp
        state.isCleaned = summary.isCleaned
        state.mayClose = true
        self.state = Mutex(state)
    }

    deinit { files.openSegments.forget(ObjectIdentifier(self)) }

    /// A segment that is appended to from where a manifest has left it. Throws `DamagedIndex`.
    convenience init(
        resuming summary: SegmentSummary, directory: String, files: FileSystem, log: File
    ) throws {
        self.init(summary, directory: directory, files: files)
        let indexes = (
            try state.withLock { try $0.index.all(in: path(OffsetEntry.fileSuffix), files) },
            try state.withLock { try $0.timeIndex.all(in: path(TimeEntry.fileSuffix), files) },
            try state.withLock {
                try $0.aborted.all(in: path(AbortedTransaction.fileSuffix), files)
            }
        )
        let firstTimestamp = try Self.firstTimestamp(log)
        state.withLock { state in
            state.log = log
            state.mayClose = false
            state.firstTimestamp = firstTimestamp
            state.index = .memory(IndexEntries(indexes.0, writtenCount: indexes.0.count))
            state.timeIndex = .memory(IndexEntries(indexes.1, writtenCount: indexes.1.count))
            state.aborted = .memory(IndexEntries(indexes.2, writtenCount: indexes.2.count))
            state.lastIndexedPosition = indexes.0.last.map { Int($0.position) } ?? 0
            state.lastIndexedTimestamp = indexes.1.last?.timestamp ?? -1
        }
    }

    /// The largest timestamp of the first batch; nil where there is none that can be believed (reading will
    /// say so).
    func firstBatchTimestamp() throws -> Timestamp? {
        try firstTimestamp ?? Self.firstTimestamp(try log())
    }

    private static func firstTimestamp(_ log: File) throws -> Timestamp? {
        var bytes = [UInt8](repeating: 0, count: BatchHeader.byteCount)
        return try bytes.withUnsafeMutableBytes { bytes in
            _ = try log.read(into: bytes, at: 0)
            do {
                let header = try BatchHeader(UnsafeRawBufferPointer(bytes))
                return Timestamp(milliseconds: header.maxTimestamp)
            } catch is MalformedBatch { return nil }
        }
    }

    // MARK: What it holds

    var byteCount: Int { state.withLock { $0.byteCount } }
    var nextOffset: Offset { state.withLock { $0.nextOffset } }
    /// Compaction has left gaps between its batches. (Between segments it leaves none.)
    var isCleaned: Bool { state.withLock { $0.isCleaned } }
    var maxTimestamp: Timestamp { state.withLock { $0.maxTimestamp } }
    var firstTimestamp: Timestamp? { state.withLock { $0.firstTimestamp } }

    static func fileName(_ baseOffset: Offset, _ suffix: String = logSuffix) -> String {
        let digits = String(baseOffset.rawValue)
        return String(repeating: "0", count: 20 - digits.utf8.count) + digits + suffix
    }

    /// The base offset in the name of a segment's file; nil for other files.
    static func baseOffset(ofFileNamed name: String, suffix: String = logSuffix) -> Offset? {
        guard name.hasSuffix(suffix), name.utf8.count == 20 + suffix.utf8.count,
            name.utf8.prefix(20).allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            ),
            let offset = Int64(name.prefix(20)),
            // What an index entry is counted from it is an offset as well.
            offset <= Int64.max - Int64(UInt32.max)
        else { return nil }
        return Offset(offset)
    }

    func path(_ suffix: String = Segment.logSuffix) -> String {
        directory + "/" + Self.fileName(baseOffset, suffix)
    }

    /// The open `.log` file.
    func log() throws -> File {
        let (log, mayClose) = try state.withLock { state in
            try requireThere(state)
            let log = try state.log ?? File(path(), .readOnly, in: files)
            state.log = log
            return (log, state.mayClose)
        }
        if mayClose { files.openSegments.used(self) }
        return log
    }

    /// Opens what is read of a sealed segment, for those who go on when other files have its names.
    func openFiles() throws {
        try state.withLock { state in
            try requireThere(state)
            state.mayClose = false
            state.log = try state.log ?? File(path(), .readOnly, in: files)
            try state.index.open(path(OffsetEntry.fileSuffix), files)
            try state.timeIndex.open(path(TimeEntry.fileSuffix), files)
        }
        files.openSegments.forget(ObjectIdentifier(self))
    }

    /// Its files need not stay open: it is sealed, and flushed or not written by this process.
    func allowClosing() {
        let isOpen = state.withLock { state in
            state.mayClose = true
            return state.log != nil
        }
        if isOpen { files.openSegments.used(self) }
    }

    /// Closes what is opened again when it is next read.
    func closeFiles() {
        state.withLock { state in
            if state.mayClose { state.close() }
        }
    }

    /// Gives up its files, so that their room on the disk is free; those who are reading them read on. From
    /// here on whoever wants to read is told `noSuchTopic`.
    func retire() {
        state.withLock { state in
            state.isGone = true
            state.close()
        }
    }

    private func requireThere(_ state: borrowing State) throws {
        guard !state.isGone else {
            throw LogError(
                .noSuchTopic,
                "\(path()) is gone with its topic, which was deleted; there is nothing more to be read"
            )
        }
    }

    /// The same bytes under another name.
    func replaceLog(_ log: File) { state.withLock { $0.log = log } }

    // MARK: Adding

    /// False for a batch that would not fit: the indexes count offsets in 31 bits (Kafka's are signed)
    /// and positions in 32.
    func canHold(_ header: BatchHeader) -> Bool {
        header.nextOffset - baseOffset.rawValue <= Int64(Int32.max)
            && byteCount + header.batchByteCount <= Int(Int32.max)
    }

    /// Asks for room on the disk for the bytes to come, `byteCount` at least: of a small segment little, of
    /// a large one not too much.
    func preallocate(for byteCount: Int, in file: File) {
        let room = state.withLock { state -> (position: Int, byteCount: Int)? in
            guard state.byteCount >= Limits.preallocationBytesMin,
                state.byteCount + byteCount > state.preallocatedEnd
            else { return nil }
            let wanted = max(byteCount, min(state.byteCount / 2, Limits.preallocationBytesMax))
            state.preallocatedEnd = state.byteCount + wanted
            return (state.byteCount, wanted)
        }
        if let room { file.preallocate(room.byteCount, at: room.position) }
    }

    /// Gives room back that was asked for and not used; false where there was none.
    @discardableResult
    func releaseRoom() throws -> Bool {
        let end = state.withLock { state -> Int? in
            defer { state.preallocatedEnd = 0 }
            return state.preallocatedEnd > state.byteCount ? state.byteCount : nil
        }
        guard let end else { return false }
        try log().truncate(to: end)
        return true
    }

    /// Notes that a batch lies at the end of the file.
    func batchAdded(_ header: BatchHeader, indexIntervalBytes: Int) {
        state.withLock { state in
            let last = Offset(header.nextOffset - 1)
            if header.baseOffset != state.nextOffset.rawValue { state.isCleaned = true }
            if header.maxTimestamp > state.maxTimestamp.milliseconds {
                state.maxTimestamp = Timestamp(milliseconds: header.maxTimestamp)
                state.offsetOfMaxTimestamp = last
            }
            if state.firstTimestamp == nil {
                state.firstTimestamp = Timestamp(milliseconds: header.maxTimestamp)
            }
            if state.byteCount - state.lastIndexedPosition > indexIntervalBytes {
                state.lastIndexedPosition = state.byteCount
                state.index.append(
                    OffsetEntry(
                        relativeOffset: relative(last), position: UInt32(state.byteCount)))
                addTimeEntry(&state)
            }
            state.byteCount += header.batchByteCount
            state.nextOffset = Offset(header.nextOffset)
        }
    }

    func transactionAborted(_ transaction: AbortedTransaction) {
        state.withLock { $0.aborted.append(transaction) }
    }

    private func relative(_ offset: Offset) -> UInt32 {
        UInt32(offset.rawValue - baseOffset.rawValue)
    }

    private func addTimeEntry(_ state: inout State) {
        guard state.maxTimestamp.milliseconds > state.lastIndexedTimestamp else { return }
        state.lastIndexedTimestamp = state.maxTimestamp.milliseconds
        state.timeIndex.append(
            TimeEntry(
                timestamp: state.maxTimestamp.milliseconds,
                relativeOffset: relative(state.offsetOfMaxTimestamp)))
    }

    /// Nothing is added from here on.
    func seal() { state.withLock { addTimeEntry(&$0) } }

    /// What there is now, for a checkpoint to write while more is added.
    func capture() -> SegmentCapture {
        state.withLock { state in
            SegmentCapture(
                segment: self, nextOffset: state.nextOffset, byteCount: state.byteCount,
                maxTimestamp: state.maxTimestamp, offsetOfMaxTimestamp: state.offsetOfMaxTimestamp,
                index: state.index, timeIndex: state.timeIndex, aborted: state.aborted)
        }
    }

    /// Notes that the index files are as `capture` says.
    /// - Parameter isSealed: Then the entries need not stay in memory, nor the files open.
    func captureWritten(_ capture: SegmentCapture, _ summary: SegmentSummary, isSealed: Bool) {
        guard !isSealed else {
            state.withLock { state in
                state.index = SegmentIndex(summary.index)
                state.timeIndex = SegmentIndex(summary.timeIndex)
                state.aborted = SegmentIndex(summary.transactionIndex)
            }
            return allowClosing()
        }
        state.withLock { state in
            state.index.markWritten(summary.index.count)
            state.timeIndex.markWritten(summary.timeIndex.count)
            state.aborted.markWritten(summary.transactionIndex.count)
        }
    }

    /// Takes over the indexes of `other`, which was made anew from the same batches.
    func replaceIndexes(by other: Segment) {
        let rebuilt = other.capture()
        state.withLock { state in
            state.index = rebuilt.index
            state.timeIndex = rebuilt.timeIndex
            state.aborted = rebuilt.aborted
        }
    }

    // MARK: Looking up

    /// A position of a batch at or before the one that holds `offset`, and what is known of that batch:
    /// its checksum leaves its offset out. Throws `DamagedIndex`.
    func position(atOrBefore offset: Offset) throws -> (position: Int, batch: KnownBatch) {
        let wanted = Int64(offset.rawValue - baseOffset.rawValue)
        return try state.withLock { state in
            try requireThere(state)
            let (entry, _) = try state.index.entries(
                around: { Int64($0.relativeOffset) <= wanted }, in: path(OffsetEntry.fileSuffix),
                files)
            guard let entry else {
                return (0, state.isCleaned ? .unknown : .begins(at: baseOffset.rawValue))
            }
            return (
                Int(entry.position), .ends(at: baseOffset.rawValue + Int64(entry.relativeOffset))
            )
        }
    }

    /// No record below this offset has `timestamp` or a later one. Throws `DamagedIndex`.
    func offset(before timestamp: Timestamp) throws -> Offset {
        try state.withLock { state in
            try requireThere(state)
            let (entry, _) = try state.timeIndex.entries(
                around: { $0.timestamp < timestamp.milliseconds }, in: path(TimeEntry.fileSuffix),
                files)
            return entry.map { Offset(baseOffset.rawValue + Int64($0.relativeOffset)) }
                ?? baseOffset
        }
    }

    /// Behind all batches that begin below `position`, or some more; nil where only the segment's end is.
    /// Throws `DamagedIndex`.
    func end(ofBatchesBelow position: Int) throws -> Offset? {
        try state.withLock { state in
            try requireThere(state)
            let (_, entry) = try state.index.entries(
                around: { Int($0.position) < position }, in: path(OffsetEntry.fileSuffix), files)
            return entry.map { Offset(baseOffset.rawValue + Int64($0.relativeOffset) + 1) }
        }
    }

    /// Whether markers are here that have aborted transactions.
    var hasAborted: Bool { state.withLock { $0.aborted.count > 0 } }

    /// The aborted transactions whose markers are here. Throws `DamagedIndex`.
    func abortedTransactions() throws -> [AbortedTransaction] {
        try state.withLock { state in
            try requireThere(state)
            return try state.aborted.all(in: path(AbortedTransaction.fileSuffix), files)
        }
    }

    /// Those of them with records from `offset` on and below `end`; complete where a marker is among them by
    /// which all below `end` was decided, so that there is no other behind it. Throws `DamagedIndex`.
    func aborted(from offset: Offset, upTo end: Offset) throws -> (
        transactions: [AbortedTransaction], isComplete: Bool
    ) {
        try state.withLock { state in
            try requireThere(state)
            let all = try state.aborted.kept(in: path(AbortedTransaction.fileSuffix), files)
            var found: [AbortedTransaction] = []
            // Markers are in their order, and with them what was decided by each.
            for transaction in all[all.partitionPoint(whereNot: { $0.last < offset })...] {
                if transaction.first < end { found.append(transaction) }
                if transaction.lastStable >= end { return (found, true) }
            }
            return (found, false)
        }
    }
}
