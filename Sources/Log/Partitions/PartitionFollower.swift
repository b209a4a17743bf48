// Following a partition that another process owns: takes in what has been appended since the last look,
// and changes nothing. What is not whole yet is being written; it is looked at again next time.

enum PartitionFollower {
    /// Takes in what the owner has appended. Throws `corrupted` for a batch that is not whole although
    /// others lie behind it.
    static func follow(
        _ directory: String, name: TopicPartition, _ files: FileSystem,
        _ state: inout Partition.State
    ) throws {
        let isKnown = try !isReplaced(directory, files, state)
        guard try !isKnown || !takeIn(directory, name: name, files, &state) else { return }
        try beginAgain(directory, name: name, files, &state)
    }

    /// Whether compaction may have put others in the place of segments that are known. Those that are open
    /// would go on to be read, and with them a record whose tombstone has gone from a later one.
    private static func isReplaced(
        _ directory: String, _ files: FileSystem, _ state: borrowing Partition.State
    ) throws -> Bool {
        guard state.settings.cleanupPolicy.contains(.compact), !state.segments.isEmpty else {
            return false
        }
        return try manifest(directory, files) != state.manifestSeen
    }

    private static func manifest(_ directory: String, _ files: FileSystem) throws -> FileIdentity? {
        try files.status(of: directory + "/" + SegmentManifest.fileName)?.identity
    }

    /// Looks at all files anew, where the owner has replaced or removed some that were known. While it is
    /// doing that they may not fit together: then nothing changes, and the next look is for more.
    static func beginAgain(
        _ directory: String, name: TopicPartition, _ files: FileSystem,
        _ state: inout Partition.State
    ) throws {
        var fresh = Partition.State(
            settings: state.settings, segments: [], ends: EndOffsets(start: state.ends.start))
        _ = try takeIn(directory, name: name, files, &fresh)
        if fresh.ends.logEnd >= state.ends.logEnd { state = fresh }
    }

    /// False where segments follow that do not follow on: compaction has replaced what is known.
    private static func takeIn(
        _ directory: String, name: TopicPartition, _ files: FileSystem,
        _ state: inout Partition.State
    ) throws -> Bool {
        if state.segments.isEmpty {
            guard try begin(directory, name: name, files, &state) else { return true }
        }
        try forgetRemoved(directory, files, &state)
        while true {
            let scanned = try scan(directory, files, &state)
            let end = state.ends.logEnd
            guard state.active.baseOffset < end else { return true }
            let path = directory + "/" + Segment.fileName(end)
            guard try files.exists(path) else {
                return try !PartitionRecovery.segmentOffsets(directory, files).contains { $0 > end }
            }
            // It may have been appended to between the scan and the roll.
            if try scan(directory, files, &state).position > scanned.position { continue }
            state.active.seal()
            state.active.allowClosing()
            state.segments.append(
                Segment(
                    baseOffset: end, directory: directory, files: files,
                    log: try File(path, .readOnly, in: files)))
        }
    }

    private static func scan(
        _ directory: String, _ files: FileSystem, _ state: inout Partition.State
    ) throws -> ScanEnd {
        var scanned = try PartitionRecovery.scanActive(&state, mayHaveGaps: false)
        guard scanned.damage != nil else { return scanned }
        let base = state.active.baseOffset
        let isSealed = try PartitionRecovery.segmentOffsets(directory, files).contains { $0 > base }
        // Compaction may have left gaps.
        if isSealed { scanned = try PartitionRecovery.scanActive(&state, mayHaveGaps: true) }
        if scanned.damage != nil {
            try requireUnfinished(scanned, mayHaveGaps: isSealed, directory, files, &state)
        }
        return scanned
    }

    /// What the owner's retention has removed is no more; the files that are open are read on.
    private static func forgetRemoved(
        _ directory: String, _ files: FileSystem, _ state: inout Partition.State
    ) throws {
        let first = Segment.fileName(state.segments[0].baseOffset)
        guard state.segments.count > 1, try !files.exists(directory + "/" + first) else { return }
        let present = Set(try PartitionRecovery.segmentOffsets(directory, files))
        let removed = state.segments.dropLast().prefix { !present.contains($0.baseOffset) }
        state.segments.removeFirst(removed.count)
        let start = min(state.segments[0].baseOffset, state.ends.lastStable)
        state.ends.advance(start: max(state.ends.start, start))
    }

    /// Begins with what the last checkpoint vouches for, or with the first segment.
    private static func begin(
        _ directory: String, name: TopicPartition, _ files: FileSystem,
        _ state: inout Partition.State
    ) throws -> Bool {
        let recovery = PartitionRecovery(
            name: name, directory: directory, files: files, settings: state.settings,
            startOffset: state.ends.start, recoveryPoint: nil, leaderEpoch: nil, wasClean: false,
            notify: { _ in })
        // The owner may replace manifest and snapshot between our looks at them.
        for _ in 0..<Limits.observerAttemptsMax {
            let manifest = try manifest(directory, files)
            let bases = try PartitionRecovery.segmentOffsets(directory, files)
            guard let first = bases.first else { throw recovery.lost() }
            do {
                let start = state.ends.start
                if let resumed = try recovery.resume(bases, access: .readOnly) {
                    state = resumed.state
                } else {
                    let path = directory + "/" + Segment.fileName(first)
                    state.ends = EndOffsets(start: first)
                    state.leaderEpochs = try LeaderEpochs(
                        directory: directory, in: files, mayBeStale: true)
                    state.segments = [
                        Segment(
                            baseOffset: first, directory: directory, files: files,
                            log: try File(path, .readOnly, in: files))
                    ]
                }
                state.ends.begin(at: start)
                state.manifestSeen = manifest
                return true
            } catch let error as LogError where error.code == .corrupted || error.code == .io {
                if try PartitionRecovery.segmentOffsets(directory, files) == bases { throw error }
            }
        }
        return false
    }

    /// Throws `corrupted` if something follows a batch that was found not whole. It may have been finished
    /// since the first look; when others follow, it was, and a second look must find it so.
    private static func requireUnfinished(
        _ scanned: ScanEnd, mayHaveGaps: Bool, _ directory: String, _ files: FileSystem,
        _ state: inout Partition.State
    ) throws {
        let end = state.ends.logEnd
        let file = try state.active.log()
        let isFollowed =
            try BatchScanner.goodBatchFollows(
                scanned.position + 1, in: file, atOrAbove: end.rawValue)
            || PartitionRecovery.segmentOffsets(directory, files).contains { $0 > end }
        guard isFollowed else { return }
        let again = try PartitionRecovery.scanActive(&state, mayHaveGaps: mayHaveGaps)
        if let damage = again.damage, again.position == scanned.position {
            throw LogError(
                .corrupted,
                "\(file.path) is damaged at byte \(again.position) (offset \(end)): \(damage)")
        }
    }
}
