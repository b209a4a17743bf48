// One partition: every batch of every segment from the first on, and with it everything that is kept beside
// the segments. Changes nothing, and works beside the owner: what an owner has not flushed yet, or is
// writing at the moment, is no damage.

/// Verifies a partition once. Belongs to one thread.
struct PartitionVerification {
    let name: TopicPartition
    let directory: String
    let files: FileSystem
    let settings: TopicSettings
    /// Where the partition begins by the log's own note.
    let startOffset: Offset?
    /// Everything below was flushed; nil if that is not known.
    let recoveryPoint: Offset?
    /// Of the last opening.
    let leaderEpoch: Int32
    /// The log was closed in order.
    let wasClean: Bool

    private(set) var findings: [LogFinding] = []
    private(set) var counts = PartitionCounts()
    private let batches = BatchVerification()
    private var manifest: [SegmentSummary] = []
    private var leaderEpochs = LeaderEpochs()
    private var producers = ProducerStates()
    /// Those at the last checkpoint.
    private var producersThen: ProducerStates?
    private var logEnd = Offset.zero
    /// Compaction was here: what it has taken out is missing in sequences and offsets.
    private var isCompacted = false
    /// Something is lost: what follows from all batches cannot be compared any more.
    private var isBroken = false
    /// Batches are lost: sequences may have gaps from here on.
    private var hasLost = false
    private var isEpochWrong = false
    /// The batch before is lost, so that the next may have any later offset.
    private var isBehindDamage = false
    /// The rest will be cut off.
    private var isOver = false

    init(
        name: TopicPartition, directory: String, files: FileSystem, settings: TopicSettings,
        startOffset: Offset?, recoveryPoint: Offset?, leaderEpoch: Int32, wasClean: Bool
    ) {
        self.name = name
        self.directory = directory
        self.files = files
        self.settings = settings
        self.startOffset = startOffset
        self.recoveryPoint = recoveryPoint
        self.leaderEpoch = leaderEpoch
        self.wasClean = wasClean
    }

    /// - Parameter progress: Told of bytes that were looked at, now and then.
    mutating func verify(progress: (Int) throws -> Void) throws {
        guard try files.exists(directory) else {
            return damage(directory, "the directory is missing; put it back from a copy")
        }
        let names = try files.names(in: directory)
        noteLeftovers(names)
        let bases = existing(names)
        guard let first = bases.first else {
            return damage(
                directory, "it has lost its segments: put the .log files back from a copy")
        }
        readManifest(bases)
        readLeaderEpochs()
        isCompacted =
            settings.cleanupPolicy.contains(.compact) || manifest.contains(where: \.isCleaned)
        if first > startOffset ?? .zero, !isCompacted {
            damage(
                directory,
                "offsets from \(startOffset ?? .zero) to \(first.rawValue - 1) are missing, with their "
                    + "segments; put those back from a copy")
        }
        logEnd = first
        for base in bases where !isOver {
            do {
                try verifySegment(base, firstOffset: first, progress)
            } catch let error as LogError where error.code == .io || error.code == .corrupted {
                isBroken = true
                damage(directory + "/" + Segment.fileName(base), error.message)
            }
        }
        verifyEnd()
        try verifySnapshot(firstOffset: first)
    }

    // MARK: Findings

    private mutating func damage(
        _ path: String, at position: Int? = nil, offset: Offset? = nil, _ message: String
    ) {
        findings.append(
            LogFinding(
                kind: .damage, path: path, position: position, offset: offset, message: message))
    }

    private mutating func note(
        _ path: String, at position: Int? = nil, offset: Offset? = nil, _ message: String
    ) {
        findings.append(
            LogFinding(
                kind: .note, path: path, position: position, offset: offset, message: message))
    }

    /// The first offsets of the segments, without those that were to be removed.
    private mutating func existing(_ names: [String]) -> [Offset] {
        let bases = names.compactMap { Segment.baseOffset(ofFileNamed: $0) }.sorted()
        let start = startOffset ?? .zero
        let deleted = zip(bases, bases.dropFirst()).prefix { $1 <= start }.map(\.0)
        for base in deleted {
            note(
                directory + "/" + Segment.fileName(base),
                "it lies below the start offset \(start); it is being removed, or was left by a crash"
            )
        }
        return Array(bases.dropFirst(deleted.count))
    }

    private mutating func noteLeftovers(_ names: [String]) {
        let suffixes = [
            FileSystem.temporarySuffix, SegmentFiles.cleaned, SegmentFiles.swap,
            SegmentRemoval.suffix,
        ]
        for name in names where suffixes.contains(where: { name.hasSuffix($0) }) {
            note("\(directory)/\(name)", "it is being made or removed, or was left by a crash")
        }
    }

    // MARK: Files beside the segments

    private mutating func readManifest(_ bases: [Offset]) {
        let path = directory + "/" + SegmentManifest.fileName
        do {
            if let read = try SegmentManifest.read(directory, in: files) {
                manifest = read
            } else if try files.exists(path) {
                damage(path, "its checksum is wrong; the next opening makes it anew")
            } else if wasClean, try bases.count > 1 || Self.holdsData(bases[0], directory, files) {
                damage(
                    path,
                    "it is missing although the log was closed; the next opening makes it anew")
            }
        } catch { damage(path, "\(error)") }
        let present = Set(bases)
        for summary in manifest where !present.contains(summary.baseOffset) {
            guard summary.nextOffset > startOffset ?? .zero else { continue }
            damage(
                directory + "/" + Segment.fileName(summary.baseOffset),
                "it is missing, with the offsets from \(summary.baseOffset) to "
                    + "\(summary.nextOffset.rawValue - 1); put it back from a copy")
        }
    }

    private static func holdsData(_ base: Offset, _ directory: String, _ files: FileSystem) throws
        -> Bool
    {
        try files.status(of: directory + "/" + Segment.fileName(base))?.byteCount ?? 0 > 0
    }

    private mutating func readLeaderEpochs() {
        do {
            leaderEpochs = try LeaderEpochs(directory: directory, in: files, mayBeStale: false)
            guard leaderEpochs.current < leaderEpoch else { return }
            damage(
                directory + "/" + LeaderEpochs.fileName,
                leaderEpochs.isInFile
                    ? "it ends with epoch \(leaderEpochs.current), but epoch \(leaderEpoch) had begun: "
                        + "it is of an older state; remove it, and the next opening makes it anew"
                    : "it is missing; the next opening makes it anew")
            isEpochWrong = true
        } catch { damage(directory + "/" + LeaderEpochs.fileName, "\(error)") }
    }

    // MARK: Segments

    private mutating func verifySegment(
        _ base: Offset, firstOffset: Offset, _ progress: (Int) throws -> Void
    ) throws {
        let path = directory + "/" + Segment.fileName(base)
        // Compaction leaves no gaps between segments: the last batch of each stays.
        if base != logEnd, !(isBehindDamage && base > logEnd) {
            isBroken = true
            damage(
                path,
                base > logEnd
                    ? "offsets from \(logEnd) to \(base.rawValue - 1) before it are missing; put them "
                        + "back from a copy"
                    : "it begins below offset \(logEnd), where the one before it ends")
        }
        if base > logEnd { logEnd = base }
        let summary = manifest.first { $0.baseOffset == base }
        let file = try File(path, .readOnly, in: files)
        let fresh = Segment(
            baseOffset: base, directory: directory, files: files, log: file)
        let isLastNoted = summary != nil && summary == manifest.last
        var noted: SegmentCapture?
        if isLastNoted, summary?.byteCount == 0 {
            noted = fresh.capture()
            producersThen = producers
        }
        isBehindDamage = false
        let wasBroken = isBroken
        isBroken = false
        defer { isBroken = isBroken || wasBroken }
        var reported = 0
        var walk = try SegmentWalk(file)
        try walk.forEachPiece { position, piece in
            switch piece {
            case .batch(let header, let bytes):
                verifyBatch(header, bytes, at: position, fresh)
                if isLastNoted, fresh.byteCount == summary?.byteCount {
                    noted = fresh.capture()
                    producersThen = producers
                }
                if position - reported >= Limits.fetchBytes {
                    try progress(position - reported)
                    reported = position
                }
            case .damage(let malformed, let byteCount, _):
                verifyDamage(malformed, byteCount, at: position, path)
            }
            return !isOver
        }
        try progress(try file.byteCount() - reported)
        counts.segmentCount += 1
        counts.byteCount += try file.byteCount()
        // Behind what is lost every position is another one.
        guard !isBroken else { return }
        if !isLastNoted {
            fresh.seal()
            noted = fresh.capture()
        }
        if let summary { try verify(fresh, summary, noted, isLastNoted, firstOffset) }
    }

    private mutating func verifyBatch(
        _ header: BatchHeader, _ bytes: UnsafeRawBufferPointer, at position: Int, _ segment: Segment
    ) {
        let path = segment.path()
        counts.batchCount += 1
        guard follows(header, in: segment) else {
            damage(
                path, at: position, offset: logEnd,
                "base offset is \(header.baseOffset), not \(logEnd); put the file back from a copy")
            // The checksum leaves it out: most likely it is the field that is wrong, and not the batch.
            skip(to: logEnd + Int(header.lastOffsetDelta) + 1)
            return
        }
        do {
            counts.recordCount += try batches.verify(bytes, header, mayHaveGaps: isCompacted)
            try requireEpoch(of: header)
            if !isCompacted, !hasLost, case .duplicate = try producers.admit(header, to: name) {
                throw MalformedBatch.field("the batch repeats one that its producer sent before")
            }
        } catch {
            damage(
                path, at: position, offset: Offset(header.baseOffset),
                "\(error); put the file back from a copy")
        }
        isBehindDamage = false
        segment.batchAdded(header, indexIntervalBytes: settings.indexIntervalBytes)
        if let aborted = producers.batchAdded(header, bytes) { segment.transactionAborted(aborted) }
        logEnd = Offset(header.nextOffset)
    }

    private func follows(_ header: BatchHeader, in segment: Segment) -> Bool {
        let mayHaveGap = isCompacted || isBehindDamage
        return segment.canHold(header)
            && (header.baseOffset == logEnd.rawValue
                || mayHaveGap && header.baseOffset > logEnd.rawValue)
    }

    /// Goes on behind a batch that is lost.
    private mutating func skip(to offset: Offset) {
        logEnd = offset
        isBroken = true
        hasLost = true
        isBehindDamage = true
    }

    /// Told once: where the file of epochs is lost every batch has the wrong one.
    private mutating func requireEpoch(of header: BatchHeader) throws {
        let known = leaderEpochs.epoch(at: Offset(header.baseOffset))
        guard header.leaderEpoch != known, !isEpochWrong else { return }
        isEpochWrong = true
        throw MalformedBatch.field(
            "leader epoch is \(header.leaderEpoch), but \(known) by \(LeaderEpochs.fileName)")
    }

    /// Bytes that are no batch: damage below what was flushed, and above it what a crash has torn or the
    /// owner is writing; there the next opening cuts.
    private mutating func verifyDamage(
        _ malformed: MalformedBatch, _ byteCount: Int, at position: Int, _ path: String
    ) {
        if !wasClean, let recoveryPoint, logEnd >= recoveryPoint {
            isOver = true
            return note(
                path, at: position, offset: logEnd,
                "\(malformed); it was not flushed yet: it is being written, or was torn by a crash, and "
                    + "then the next opening cuts it off")
        }
        skip(to: logEnd)
        damage(
            path, at: position, offset: logEnd,
            "\(malformed); \(byteCount) bytes are lost to readers; put the file back from a copy")
    }

    // MARK: What was noted of a segment

    private mutating func verify(
        _ segment: Segment, _ summary: SegmentSummary, _ noted: SegmentCapture?,
        _ isLastNoted: Bool,
        _ firstOffset: Offset
    ) throws {
        let path = directory + "/" + SegmentManifest.fileName
        guard let noted, noted.byteCount == summary.byteCount else {
            return damage(
                segment.path(), at: segment.byteCount,
                "it has \(segment.byteCount) bytes, but \(summary.byteCount) when it was flushed; put it "
                    + "back from a copy")
        }
        let isRight =
            noted.nextOffset == summary.nextOffset && noted.maxTimestamp == summary.maxTimestamp
            && noted.offsetOfMaxTimestamp == summary.offsetOfMaxTimestamp
        if !isRight {
            damage(
                path,
                "it does not say what is in \(segment.path()); remove it, and the next opening makes it "
                    + "anew")
        }
        var indexes = IndexVerification(
            segment, summary, isSealed: !isLastNoted, firstOffset: firstOffset)
        try indexes.verify(noted)
        findings += indexes.findings
    }

    private mutating func verifyEnd() {
        if let recoveryPoint, logEnd < recoveryPoint, !isBroken {
            damage(
                directory,
                "it ends at offset \(logEnd), but offsets up to \(recoveryPoint) were flushed; put the "
                    + "directory back from a copy")
        }
        if let startOffset, startOffset > logEnd {
            damage(
                directory, "it ends at offset \(logEnd), below the start offset \(startOffset)")
        }
    }

    private mutating func verifySnapshot(firstOffset: Offset) throws {
        guard let checkpoint = manifest.last?.nextOffset else { return }
        let path = ProducerSnapshotFile.path(directory, checkpoint)
        guard let bytes = try files.bytes(of: path) else {
            return damage(
                path, "it is missing; the next opening reads all segments and makes it anew")
        }
        do {
            let stored = try bytes.withUnsafeBytes { try ProducerStates(snapshot: $0) }
            // What deleted segments and compaction have taken with them is not known any more.
            guard firstOffset == .zero, !isCompacted, !isBroken, let expected = producersThen else {
                return
            }
            guard !stored.areExpired(from: expected) else { return }
            damage(
                path,
                "it does not say what the segments say of their producers; remove it, and the next "
                    + "opening makes it anew")
        } catch { damage(path, "\(error); the next opening makes it anew") }
    }
}
