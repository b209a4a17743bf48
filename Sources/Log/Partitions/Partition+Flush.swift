// Making what was appended survive a power loss, and checkpoints: notes of what is flushed, so that opening
// reads the notes and little more.

import Synchronization

extension Partition {
    /// When it returns everything appended before the call survives a power loss. Threads that call at
    /// the same time share a flush. A failure refuses all further writes: the kernel has dropped the
    /// pages, and a second flush would lie. Throws `noSuchTopic` where what was appended is gone with its
    /// topic.
    package func flush() throws {
        let target: Int64? = try state.withLock { state in
            try requireWritable(state)
            guard state.ends.flushed < state.ends.logEnd else { return nil }
            try requireTopic(state)
            return state.ends.logEnd.rawValue
        }
        guard let target else { return }
        // Those who wait do so once, for data and recovery point together.
        try flushes.reach(target) {
            guard let end = try flushData() else { return target }
            try setPoints([(self, end)])
            return end.rawValue
        }
    }

    /// Has the disk begin with what was appended, for a caller who goes on and flushes then.
    func startFlush() throws {
        let active = state.withLock { $0.isDeleted ? nil : $0.active }
        guard let active else { return }
        try active.log().startFlush(below: active.byteCount)
    }

    /// Flushes several partitions of one log, side by side; they share the flush of their recovery points.
    /// Where it throws, some of them may have been flushed.
    package static func flush(_ partitions: [Partition]) throws {
        let unflushed = distinct(partitions)
        let ends = Mutex<[(partition: Partition, end: Offset)]>([])
        try SideBySide.forEach(unflushed.count) { index in
            let partition = unflushed[index]
            guard let end = try partition.flushData() else { return }
            ends.withLock { $0.append((partition, end)) }
        }
        let flushed = ends.withLock { $0 }
        try flushed.first?.partition.setPoints(flushed)
    }

    /// Those that have something to flush or cannot, each once.
    private static func distinct(_ partitions: [Partition]) -> [Partition] {
        var seen: Set<ObjectIdentifier> = []
        return partitions.filter { partition in
            guard seen.insert(ObjectIdentifier(partition)).inserted else { return false }
            return partition.state.withLock { state in
                state.failure != nil || state.ends.flushed != state.ends.logEnd
            }
        }
    }

    /// The second half of a flush.
    private func setPoints(_ flushed: [(partition: Partition, end: Offset)]) throws {
        do {
            try environment.recoveryPoints?.set(
                flushed.map { .init(key: $0.recoveryKey, flushed: $1) })
        } catch let failure as LogError where failure.code != .noSpace {
            for (partition, _) in flushed { partition.state.withLock { $0.failure = failure } }
            throw failure
        }
        for (partition, end) in flushed { try partition.dataFlushed(to: end) }
    }

    /// The first half of a flush; gives up to where the data is flushed, or nil if all of it was.
    private func flushData() throws -> Offset? {
        let (target, isFlushed) = try state.withLock { state in
            try requireWritable(state)
            let isFlushed = state.ends.flushed == state.ends.logEnd
            if !isFlushed { try requireTopic(state) }
            return (state.ends.logEnd, isFlushed)
        }
        guard !isFlushed else { return nil }
        return Offset(try dataFlushes.reach(target.rawValue) { try flushSegments().rawValue })
    }

    private func flushSegments() throws -> Offset {
        let (unflushed, hasNewNames, end) = try state.withLock { state in
            try requireWritable(state)
            let flushed = state.ends.flushed
            let segments = state.segments.filter { $0.nextOffset > flushed }
            return (segments, state.hasNewNames, state.ends.logEnd)
        }
        do {
            for segment in unflushed { try segment.log().flush() }
            if hasNewNames {
                try files.flushDirectory(directory)
                state.withLock { state in
                    // A segment that began meanwhile has a name that this flush may have missed.
                    if state.segments.last === unflushed.last { state.hasNewNames = false }
                }
            }
        } catch let failure as LogError {
            state.withLock { $0.failure = failure }
            throw failure.forGood
        }
        return end
    }

    private func dataFlushed(to end: Offset) throws {
        let isCheckpointDue = try state.withLock { state in
            // An append may have been told of a failure meanwhile.
            try requireWritable(state)
            if state.ends.flushed < end { state.ends.advance(flushed: end) }
            return state.bytesSinceCheckpoint >= Limits.checkpointBytes
        }
        // Cheap now. What nobody flushes waits for the next round, so that writers are not held up.
        if isCheckpointDue { environment.background.notify() }
    }

    // MARK: Checkpoints

    /// One round of the background: a checkpoint where enough has gathered, or a flush of what nobody has
    /// flushed since the round before.
    func flushInBackground() throws {
        let (end, flushed, gathered) = state.withLock {
            ($0.ends.logEnd, $0.ends.flushed, $0.bytesSinceCheckpoint)
        }
        try maintenance.withLock { maintenance in
            if gathered >= Limits.checkpointBytes {
                try checkpoint(&maintenance)
            } else if flushed < maintenance.endSeen {
                try flush()
            }
            maintenance.endSeen = end
            if maintenance.expired.duration(to: .now) >= Limits.producerExpiryInterval {
                maintenance.expired = .now
                let idle = Duration.zero - Limits.producerExpiration
                expireProducers(idleSince: Timestamp.now().advanced(by: idle))
            }
        }
    }

    /// Forgets producers that have written nothing since `time` and since the call before this one.
    package func expireProducers(idleSince time: Timestamp) {
        state.withLock { $0.producers.expire(idleSince: time) }
    }

    /// Flushes, and writes what opening needs instead of reading the segments: index files, a snapshot
    /// of the producers, the manifest. Appends go on meanwhile.
    package func checkpoint() throws {
        try maintenance.withLock { try checkpoint(&$0) }
    }

    func checkpoint(_ maintenance: inout Maintenance) throws {
        // The directory may be another topic's by now. (`retire` waits for `maintenance`.)
        if state.withLock({ $0.isDeleted }) { return }
        var (captures, producers, end, gathered) = state.withLock { state in
            (
                state.segments.map { $0.capture() }, state.producers, state.ends.logEnd,
                state.bytesSinceCheckpoint
            )
        }
        try flush()
        // Nothing is noted of a partition that never held anything.
        if maintenance.manifest.isEmpty, end == .zero { return }
        let known = Dictionary(
            uniqueKeysWithValues: maintenance.manifest.map { ($0.baseOffset, $0) })
        var manifest: [SegmentSummary] = []
        for index in captures.indices {
            let isSealed = index < captures.count - 1
            let capture = captures[index]
            if isSealed, let summary = known[capture.segment.baseOffset],
                summary.nextOffset == capture.nextOffset, capture.isInFiles
            {
                manifest.append(summary)
                continue
            }
            let summary = try captures[index].writeIndexes()
            capture.segment.captureWritten(capture, summary, isSealed: isSealed)
            manifest.append(summary)
        }
        if manifest != maintenance.manifest || end != maintenance.checkpoint {
            // In the place of the one before where nothing was appended since: that one is still vouched for.
            // The names of the indexes are flushed with its own.
            let snapshot = ProducerSnapshotFile.path(directory, end)
            try producers.snapshot().withUnsafeBytes { try files.replaceFile(snapshot, with: $0) }
            try SegmentManifest.write(manifest, to: directory, in: files)
            maintenance.manifest = manifest
            maintenance.checkpoint = end
            try removeSnapshots(except: end)
        }
        // Only now: one that has failed is due again.
        state.withLock { $0.bytesSinceCheckpoint -= gathered }
    }

    /// The snapshot of the last checkpoint is the one that opening uses.
    private func removeSnapshots(except checkpoint: Offset) throws {
        for name in try files.names(in: directory) {
            let offset = Segment.baseOffset(ofFileNamed: name, suffix: ProducerSnapshotFile.suffix)
            guard let offset, offset != checkpoint else { continue }
            try files.remove(directory + "/" + name)
        }
    }

    // MARK: The end

    /// Refuses further appends, flushes what there is and writes a checkpoint. When it returns, or throws,
    /// nobody writes in the directory any more.
    func close() throws {
        let active = state.withLock { state in
            state.isClosed = true
            return state.active
        }
        do {
            try active.releaseRoom()
            try noteLeaderEpoch()
            try checkpoint()
        } catch let failure as LogError {
            // The directory may have another owner from here on: a flush that comes late changes nothing.
            state.withLock { $0.failure = $0.failure ?? failure }
            // Nor does a retention, or a deletion of records, that has begun: its end is waited for.
            maintenance.withLock { _ in }
            throw failure
        }
    }
}
