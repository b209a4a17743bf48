// Opening a partition from its files. What the last checkpoint vouches for is believed as long as its files
// have the sizes and sums that it tells; behind it every batch is read and checked. An owner then cuts what
// a crash has torn, beyond the recovery point; damage below it is refused by name and position.
//
//   ├──────── manifest: not read ────────┤├─ scanned ─┤
//   ├──────── flushed: damage is refused ────┤├─ cut ─┤
//                                            ▲ recovery point
//
// Where a file beside the segments is missing, damaged or stale, everything is scanned and made anew.

struct PartitionRecovery {
    let name: TopicPartition
    let directory: String
    let files: FileSystem
    let settings: TopicSettings
    /// Where the partition begins by the log's own note; segments wholly below were to be removed.
    let startOffset: Offset
    /// Everything below was flushed; nil if that is not known.
    let recoveryPoint: Offset?
    /// Of the last opening; nil if that is not known.
    let leaderEpoch: Int32?
    /// The log was closed in order: then everything was flushed.
    let wasClean: Bool
    let notify: @Sendable (String) -> Void

    struct Result {
        var state: Partition.State
        var maintenance = Partition.Maintenance()
    }

    /// Makes the files of a partition of a new topic.
    static func create(_ directory: String, in files: FileSystem) throws {
        _ = try File(
            directory + "/" + Segment.fileName(.zero), .readWrite, create: true, in: files)
        try files.flushDirectory(directory)
    }

    // MARK: For the owner

    /// Throws `corrupted` and leaves the segments as they are, or makes the partition ready to be written.
    func recover() throws -> sending Result {
        try removeLeftovers()
        try SegmentSwap.finishAll(in: directory, files)
        let bases = try removeDeleted(try Self.segmentOffsets(directory, files))
        guard !bases.isEmpty else { throw lost() }
        var result = try resume(bases) ?? fresh(bases)
        // A checkpoint flushes, with the slot, before it is written.
        if let recoveryPoint, recoveryPoint < result.maintenance.checkpoint {
            throw LogError(
                .corrupted,
                "recovery-points says that \(directory) was flushed to offset \(recoveryPoint), but "
                    + "its checkpoint lies at \(result.maintenance.checkpoint): the file is damaged "
                    + "or of an older state; put the right one back from a copy, or remove it (what "
                    + "delete-records has hidden may be back then)")
        }
        let scannedFrom = result.state.ends.logEnd
        try scan(bases, &result.state)
        if let recoveryPoint, result.state.ends.logEnd < recoveryPoint {
            throw LogError(
                .corrupted,
                "\(directory) ends at offset \(result.state.ends.logEnd), but offsets up to "
                    + "\(recoveryPoint) were flushed; put the directory back from a copy")
        }
        if let leaderEpoch {
            try result.state.leaderEpochs.require(
                leaderEpoch, end: result.state.ends.logEnd, in: directory, files)
        }
        if !wasClean {
            // What was scanned may sit in the page cache only: from here on it counts as flushed.
            for segment in result.state.segments where segment.nextOffset >= scannedFrom {
                try segment.log().flush()
            }
            try files.flushDirectory(directory)
            // Of an empty partition as well: it may have lost all that somebody has read.
            try result.state.leaderEpochs.advance(
                past: leaderEpoch ?? 0, at: result.state.ends.logEnd, in: directory, files)
            // Sealed segments have given theirs back.
            try result.state.active.log().releaseRoomBehindEnd()
        }
        result.state.ends.begin(at: startOffset)
        return result
    }

    func lost() -> LogError {
        LogError(
            .corrupted,
            "\(directory) has lost its segments: there is no .log file; put them back from a copy")
    }

    /// What a crash has left of files that were being made or removed.
    private func removeLeftovers() throws {
        let suffixes = [FileSystem.temporarySuffix, SegmentFiles.cleaned, SegmentRemoval.suffix]
        let names = try files.names(in: directory)
        let present = Set(names)
        for name in names {
            // An index whose segment was removed; a power loss may keep either.
            let isOrphan = SegmentRemoval.indexSuffixes.contains { suffix in
                Segment.baseOffset(ofFileNamed: name, suffix: suffix).map {
                    !present.contains(Segment.fileName($0))
                } ?? false
            }
            if isOrphan || suffixes.contains(where: { name.hasSuffix($0) }) {
                try files.remove(directory + "/" + name)
            }
        }
    }

    /// Removes the segments that lie wholly below the start, any of which a crash may have left; gives the
    /// others.
    private func removeDeleted(_ bases: [Offset]) throws -> [Offset] {
        let deleted = zip(bases, bases.dropFirst()).prefix { $1 <= startOffset }.map(\.0)
        let segments = deleted.map {
            Segment(baseOffset: $0, directory: directory, files: files)
        }
        if !segments.isEmpty { try SegmentRemoval.remove(segments, from: directory, in: files) }
        return Array(bases.dropFirst(deleted.count))
    }

    static func segmentOffsets(_ directory: String, _ files: FileSystem) throws -> [Offset] {
        try files.names(in: directory).compactMap { Segment.baseOffset(ofFileNamed: $0) }.sorted()
    }

    // MARK: From the last checkpoint

    /// What the manifest vouches for; nil where it cannot be used. Throws `corrupted` where a segment that
    /// it names is missing or shorter than it was.
    func resume(_ bases: [Offset], access: File.Access = .readWrite) throws -> sending Result? {
        guard let manifest = try SegmentManifest.read(directory, in: files),
            let last = manifest.last
        else { return nil }
        let present = Set(bases)
        var kept: [SegmentSummary] = []
        for summary in manifest {
            guard present.contains(summary.baseOffset) else {
                guard summary.nextOffset <= startOffset else { throw missing(summary) }
                continue
            }
            kept.append(summary)
        }
        guard kept.last == last, kept.map(\.baseOffset) == bases.prefix(kept.count).map({ $0 }),
            try kept.dropLast().allSatisfy({ try byteCount(of: $0) == $0.byteCount }),
            try byteCount(of: last) >= last.byteCount,
            let producers = try ProducerSnapshotFile.read(directory, last.nextOffset, in: files),
            let active = try resumeActive(last, access)
        else { return nil }
        // An open transaction below the start or behind the end would be of other segments.
        if let open = producers.firstOpen {
            guard open >= kept[0].baseOffset, open < last.nextOffset else { return nil }
        }
        if access == .readWrite {
            guard try hasLeaderEpochs() else { return nil }
        }
        var state = Partition.State(
            settings: settings,
            segments: kept.dropLast().map {
                Segment($0, directory: directory, files: files)
            } + [active],
            ends: EndOffsets(start: kept[0].baseOffset))
        state.producers = producers
        // The owner may begin an epoch between an observer's looks at this file and at the batches.
        state.leaderEpochs = try LeaderEpochs(
            directory: directory, in: files, mayBeStale: access == .readOnly)
        state.ends.advance(
            lastStable: producers.firstOpen ?? last.nextOffset,
            flushed: last.nextOffset, logEnd: last.nextOffset)
        if access == .readWrite { try rebuildIndexes(of: &kept, state.segments) }
        return Result(
            state: state,
            maintenance: Partition.Maintenance(
                manifest: kept, checkpoint: last.nextOffset))
    }

    /// Makes indexes anew whose files have not the size that `summaries` tell, and takes the segments out
    /// of the summaries, so that the next checkpoint writes them. (What is in a file of the right size is
    /// checked when it is first needed.)
    private func rebuildIndexes(of summaries: inout [SegmentSummary], _ segments: [Segment]) throws
    {
        for (summary, segment) in zip(summaries, segments).dropLast()
        where try !haveTheirSizes(summary, segment) {
            segment.replaceIndexes(
                by: try Self.rebuild(segment, among: segments, settings: settings))
            summaries.removeAll { $0.baseOffset == summary.baseOffset }
            notify("the indexes of \(segment.path()) were made again from it")
        }
    }

    private func haveTheirSizes(_ summary: SegmentSummary, _ segment: Segment) throws -> Bool {
        try [
            (OffsetEntry.fileSuffix, summary.index.count * OffsetEntry.byteCount),
            (TimeEntry.fileSuffix, summary.timeIndex.count * TimeEntry.byteCount),
            (
                AbortedTransaction.fileSuffix,
                summary.transactionIndex.count * AbortedTransaction.byteCount
            ),
        ].allSatisfy { suffix, byteCount in
            try files.status(of: segment.path(suffix))?.byteCount ?? 0 == byteCount
        }
    }

    /// False where the file of leader epochs is gone: then they are in the batches only.
    private func hasLeaderEpochs() throws -> Bool {
        if let leaderEpoch, leaderEpoch == 0 { return true }
        return try files.exists(directory + "/" + LeaderEpochs.fileName)
    }

    private func resumeActive(_ summary: SegmentSummary, _ access: File.Access) throws -> Segment? {
        let path = directory + "/" + Segment.fileName(summary.baseOffset)
        do {
            return try Segment(
                resuming: summary, directory: directory, files: files,
                log: try File(path, access, in: files))
        } catch is DamagedIndex {
            return nil
        }
    }

    /// Throws `corrupted` where the file is shorter than what was flushed of it.
    private func byteCount(of summary: SegmentSummary) throws -> Int {
        let path = directory + "/" + Segment.fileName(summary.baseOffset)
        let byteCount = try files.status(of: path)?.byteCount ?? 0
        guard byteCount >= summary.byteCount else {
            throw LogError(
                .corrupted,
                "\(path) has \(byteCount) bytes, but \(summary.byteCount) were flushed; put it back "
                    + "from a copy")
        }
        return byteCount
    }

    private func missing(_ summary: SegmentSummary) -> LogError {
        LogError(
            .corrupted,
            "\(directory)/\(Segment.fileName(summary.baseOffset)) is missing, with the offsets from "
                + "\(summary.baseOffset) to \(summary.nextOffset.rawValue - 1); put it back from a "
                + "copy")
    }

    // MARK: From the segments alone

    private func fresh(_ bases: [Offset]) throws -> sending Result {
        var state = Partition.State(
            settings: settings, segments: [], ends: EndOffsets(start: bases[0]))
        state.leaderEpochs = try LeaderEpochs(directory: directory, in: files, mayBeStale: false)
        return Result(state: state)
    }

    /// Reads what lies behind the last segment of `state`.
    private func scan(_ bases: [Offset], _ state: inout Partition.State) throws {
        if !state.segments.isEmpty {
            guard try scanActive(&state, bases) else { return }
        }
        for base in bases.dropFirst(state.segments.count) {
            guard try follows(base, &state, bases) else { return }
            if !state.segments.isEmpty {
                state.active.seal()
                state.active.allowClosing()
            }
            let path = directory + "/" + Segment.fileName(base)
            state.segments.append(
                Segment(
                    baseOffset: base, directory: directory, files: files,
                    log: try File(path, .readWrite, in: files)))
            guard try scanActive(&state, bases) else { return }
        }
    }

    /// False where something was cut: then there is nothing behind it.
    private func scanActive(_ state: inout Partition.State, _ bases: [Offset]) throws -> Bool {
        let isSealed = bases.last.map { state.active.baseOffset < $0 } ?? false
        let end = try Self.scanActive(&state, mayHaveGaps: isSealed)
        guard let damage = end.damage else { return true }
        let file = try state.active.log()
        let what = "is damaged at byte \(end.position) (offset \(state.ends.logEnd)): \(damage)"
        // What was compacted had been flushed; and a gap may be damage to a base offset, behind which the
        // end is not where it seems.
        guard !state.active.isCleaned,
            try mayCut(at: state.ends.logEnd, behind: end.position, in: file, bases)
        else {
            throw LogError(
                .corrupted,
                "\(file.path) \(what); it was not torn by a crash, since it had been flushed; put the "
                    + "file back from a copy")
        }
        let byteCount = try file.byteCount()
        try file.truncate(to: end.position)
        try removeSegments(behind: state.active.baseOffset, bases)
        notify(
            "\(file.path) was cut by \(byteCount - end.position) bytes that a crash has torn, back to "
                + "offset \(state.ends.logEnd)")
        return false
    }

    /// Whether the segment from `base` goes on where the last one ends. False where it was removed, since
    /// a crash has lost what lay before it.
    private func follows(_ base: Offset, _ state: inout Partition.State, _ bases: [Offset]) throws
        -> Bool
    {
        let end = state.ends.logEnd
        // Also where there was compaction: the last batch of a segment stays, to say where it ends.
        guard !state.segments.isEmpty, base != end else { return true }
        let path = directory + "/" + Segment.fileName(base)
        guard base > end, !state.active.isCleaned,
            try mayCut(at: end, behind: nil, in: nil, bases)
        else {
            throw LogError(
                .corrupted,
                "\(path) does not follow on: a segment from offset \(end) is missing; put it back "
                    + "from a copy")
        }
        try removeSegments(behind: state.active.baseOffset, bases)
        notify("\(path) was removed: a crash has lost what lay before it, from offset \(end)")
        return false
    }

    /// What lies at and behind `offset` was never acknowledged as flushed, so that a crash may have torn
    /// it. Where it is not known what was flushed, it was if anything good follows.
    private func mayCut(
        at offset: Offset, behind position: Int?, in file: File?, _ bases: [Offset]
    ) throws -> Bool {
        guard !wasClean else { return false }
        if let recoveryPoint { return offset >= recoveryPoint }
        guard let position, let file, bases.last.map({ $0 <= offset }) ?? true else { return false }
        return try !BatchScanner.goodBatchFollows(
            position + 1, in: file, atOrAbove: offset.rawValue)
    }

    private func removeSegments(behind base: Offset, _ bases: [Offset]) throws {
        // The last first: a crash in the midst leaves no hole.
        for later in bases.reversed() where later > base {
            for suffix in SegmentRemoval.suffixes {
                try files.remove(directory + "/" + Segment.fileName(later, suffix))
            }
        }
        try files.flushDirectory(directory)
    }

    // MARK: Reading batches

    /// Takes in the batches behind what is known of the last segment of `state`.
    /// - Parameter mayHaveGaps: It is sealed, so that it may have been compacted. Where a gap is damage to
    ///   a base offset, which no checksum covers, the batch behind it or the next segment does not follow.
    static func scanActive(_ state: inout Partition.State, mayHaveGaps: Bool) throws -> ScanEnd {
        let segment = state.active
        return try BatchScanner.scan(
            try segment.log(), from: segment.byteCount, nextOffset: state.ends.logEnd.rawValue,
            mayHaveGaps: mayHaveGaps
        ) { header, batch in
            guard segment.canHold(header) else {
                throw MalformedBatch.field("last offset delta is \(header.lastOffsetDelta)")
            }
            try state.leaderEpochs.batchScanned(header)
            state.batchAdded(header, batch)
        }
    }

    /// The indexes of `damaged`, made anew from its batches, and for aborted transactions from those of the
    /// segments before it.
    static func rebuild(_ damaged: Segment, among segments: [Segment], settings: TopicSettings)
        throws -> Segment
    {
        let rebuilt = Segment(
            baseOffset: damaged.baseOffset, directory: damaged.directory, files: damaged.files)
        var producers = ProducerStates()
        for segment in segments where segment.baseOffset <= damaged.baseOffset {
            let end = try BatchScanner.scan(
                try segment.log(), from: 0, to: segment.byteCount,
                nextOffset: segment.baseOffset.rawValue,
                endOffset: segment.nextOffset.rawValue, mayHaveGaps: segment.isCleaned
            ) { header, batch in
                let aborted = producers.batchAdded(header, batch)
                guard segment === damaged else { return }
                rebuilt.batchAdded(header, indexIntervalBytes: settings.indexIntervalBytes)
                if let aborted { rebuilt.transactionAborted(aborted) }
            }
            if let damage = end.damage {
                throw LogError(
                    .corrupted,
                    "\(segment.path()) is damaged at byte \(end.position): \(damage); put the file "
                        + "back from a copy")
            }
        }
        if segments.last !== damaged { rebuilt.seal() }
        return rebuilt
    }
}
