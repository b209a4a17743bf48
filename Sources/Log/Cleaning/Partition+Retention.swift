// What is removed from the beginning of a partition: whole segments beyond the retention, and everything
// below an offset on request. First the new start is noted for the whole log, then the files go: a crash
// between leaves segments below the start, which opening removes.

import Synchronization

extension Partition {
    /// Makes `offset` the first one; the records below are gone for readers when it returns, and their
    /// segments where they hold nothing else. Throws `offsetOutOfRange` for one beyond the last stable
    /// offset.
    /// - Parameter note: Writes the new start where the next opening reads it.
    func deleteRecords(before offset: Offset, note: (Offset) throws -> Void) throws {
        try maintenance.withLock { maintenance in
            let isNew = try state.withLock { state in
                try requireWritable(state)
                try requireOpen(state)
                guard offset <= state.ends.lastStable else {
                    throw LogError(
                        .offsetOutOfRange,
                        "offset \(offset) of \(name) is beyond its last stable offset "
                            + "\(state.ends.lastStable): only what is decided can be deleted")
                }
                return offset > state.ends.start
            }
            guard isNew else { return }
            // A power loss must neither leave a beginning behind the end (what is appended then would be
            // below it, and gone with the opening after) nor make undecided again what is removed.
            try flush()
            try note(offset)
            try removeSegments(below: offset, &maintenance)
        }
    }

    /// Removes all that is decided, with the active segment where that can be ended: a topic that is to be
    /// deleted makes room so.
    func discardRecords(note: (Offset) throws -> Void) throws {
        try maintenance.withLock { maintenance in
            let (end, isNew) = try state.withLock { state in
                try requireWritable(state)
                try requireOpen(state)
                let end = state.ends.lastStable
                if end == state.ends.logEnd, state.active.byteCount > 0 {
                    do {
                        try roll(at: end, &state)
                    } catch let failure as LogError where failure.code == .noSpace {
                        // What lies before the active one goes all the same.
                    }
                }
                return (end, end > state.ends.start)
            }
            try flush()
            if isNew { try note(end) }
            try removeSegments(below: end, &maintenance)
        }
    }

    /// Removes the segments that the topic's settings no longer keep; gives how many those were. An active
    /// segment that goes as well is ended first, so that there is always one to append to.
    @discardableResult
    func retain(now: Timestamp, note: (Offset) throws -> Void) throws -> Int {
        try maintenance.withLock { maintenance in
            let (start, noted, hasRolled) = try state.withLock { state in
                try requireWritable(state)
                try requireOpen(state)
                let noted = state.ends.start
                guard let start = try state.retentionStart(now: now) else {
                    return (noted, noted, false)
                }
                let base = state.active.baseOffset
                guard start == state.ends.logEnd, base < start else { return (start, noted, false) }
                do {
                    try roll(at: start, &state)
                } catch let failure as LogError where failure.code == .noSpace {
                    // What lies before the active one makes room.
                    return (max(base, noted), noted, false)
                }
                return (start, noted, true)
            }
            // The new segment is there before the old one goes, and what the old one says of producers.
            if hasRolled { _ = try checkpointIfRoom(&maintenance) }
            if start > noted {
                // The markers of what is removed as well.
                try flush()
                try note(start)
            }
            // Also what a crash has left below the start.
            return try removeSegments(below: start, &maintenance)
        }
    }

    @discardableResult
    private func removeSegments(below start: Offset, _ maintenance: inout Maintenance) throws -> Int
    {
        let (count, isNoted) = try takeOutSegments(below: start, &maintenance)
        // The files are closed only now, so that there is room again, most likely.
        if !isNoted { _ = try checkpointIfRoom(&maintenance) }
        return count
    }

    private func takeOutSegments(below start: Offset, _ maintenance: inout Maintenance) throws -> (
        count: Int, isNoted: Bool
    ) {
        let removed = state.withLock { state in
            state.ends.advance(start: max(start, state.ends.start))
            let count = state.segments.dropLast().prefix { $0.nextOffset <= start }.count
            defer { state.segments.removeFirst(count) }
            return Array(state.segments.prefix(count))
        }
        guard !removed.isEmpty else { return (0, true) }
        // What goes on is there before the others go, the last segment above all.
        try files.flushDirectory(directory)
        let bases = Set(removed.map(\.baseOffset))
        let left = maintenance.manifest.filter { !bases.contains($0.baseOffset) }
        let isNoted: Bool
        if left.isEmpty {
            // What is known of producers goes with the manifest: it is not to name only what is missing.
            isNoted = try checkpointIfRoom(&maintenance)
        } else {
            maintenance.manifest = left
            isNoted = try ifRoom { try SegmentManifest.write(left, to: directory, in: files) }
        }
        try SegmentRemoval.remove(removed, from: directory, in: files)
        return (removed.count, isNoted)
    }

    private func checkpointIfRoom(_ maintenance: inout Maintenance) throws -> Bool {
        try ifRoom { try checkpoint(&maintenance) }
    }

    /// False where a full disk has no room for it: room is what removing is to make, and opening knows by
    /// the start what was removed.
    private func ifRoom(_ body: () throws -> Void) throws -> Bool {
        do {
            try body()
            return true
        } catch let failure as LogError where failure.code == .noSpace { return false }
    }
}

extension Partition.State {
    /// Where the partition would begin without the segments beyond the retention; nil if none is.
    fileprivate borrowing func retentionStart(now: Timestamp) throws -> Offset? {
        guard settings.cleanupPolicy.contains(.delete) else { return nil }
        var start: Offset?
        var byteCount = segments.reduce(0) { $0 + $1.byteCount }
        for segment in segments where segment.byteCount > 0 {
            // What is undecided, or may still be cut by a crash, is nobody's to remove.
            guard segment.nextOffset <= min(ends.lastStable, ends.flushed) else { break }
            let isTooMuch = settings.retentionBytes.map { byteCount - segment.byteCount >= $0 }
            let isTooOld = try settings.retention.map { retention in
                try segment.retentionTime(now: now).advanced(by: retention) < now
            }
            guard isTooMuch ?? false || isTooOld ?? false else { break }
            start = segment.nextOffset
            byteCount -= segment.byteCount
        }
        return start
    }
}

extension Segment {
    /// When its last record was written, for retention: its largest timestamp, or when its file was last
    /// written where that is none (-1) or in the future. So neither a record without a time nor one of
    /// the year 9999 decides for the others.
    func retentionTime(now: Timestamp) throws -> Timestamp {
        let latest = maxTimestamp
        if latest.milliseconds >= 0, latest <= now { return latest }
        return try files.status(of: path())?.modified ?? now
    }
}
