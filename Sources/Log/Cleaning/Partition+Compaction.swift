// Compaction (`cleanup.policy=compact`): of each key the last record is kept. A pass reads what has come
// since the one before, notes the last offset of each key, and writes the sealed segments anew without
// what is older. No lock is held while files are read and written: appends, reads, flushes and checkpoints
// go on, and the segments are looked at again before they are replaced.

import Synchronization

extension Partition {
    /// Cleans if there is enough to clean. Gives the first offset that is dirty then, nil if nothing was
    /// done. When it returns what it has replaced survives a power loss.
    /// - Parameters:
    ///   - now: The wall clock.
    ///   - from: What this gave last; what lies below was cleaned. Nil: nothing is known.
    ///   - keyBytesMax: Bytes of memory for the map of keys.
    ///   - pause: Called every few milliseconds of work. What it throws ends the pass.
    package func compact(
        now: Timestamp, from: Offset?, keyBytesMax: Int = Limits.compactionKeysBytesMax,
        pause: () throws -> Void = {}
    ) throws -> Offset? {
        guard access == .owner, settings.cleanupPolicy.contains(.compact), !isClosed else {
            return nil
        }
        guard let range = try cleaningRange(now: now, from: from) else { return nil }
        do {
            return try clean(range, now: now, keyBytesMax: keyBytesMax, pause: pause)
        } catch is StaleCleanerOffset {
            environment.options.notify(
                "\(name) was not as clean as cleaner-offset-checkpoint says, and is cleaned from its "
                    + "start")
            guard let range = try cleaningRange(now: now, from: nil) else { return nil }
            return try clean(range, now: now, keyBytesMax: keyBytesMax, pause: pause)
        }
    }

    private func clean(
        _ range: CleaningRange, now: Timestamp, keyBytesMax: Int, pause: () throws -> Void
    ) throws -> Offset {
        let settings = settings
        let survey: CleaningSurvey
        do {
            survey = try CleaningSurvey(range, keyBytesMax: keyBytesMax, pause: pause)
        } catch let damage as MalformedBatch { throw unreadable(damage) }
        let cleaner = BatchCleaner(survey, now: now, settings)
        let segments = Array(range.segments.prefix(survey.segmentCount))
        var producers = ProducerStates()
        var hasSwapped = false
        // From the front: nothing that ends or deletes something goes before what it ends or deletes.
        for group in groups(segments, settings) {
            let cleaning = SegmentCleaning(
                group, settings: settings, directory: directory, files: files)
            do {
                guard try cleaning.write(cleaner, &producers, pause: pause) else { continue }
                try swap(cleaning)
            } catch {
                // What went wrong is told; what this cannot remove the next opening does.
                try? cleaning.abandon()
                if let damage = error as? MalformedBatch { throw unreadable(damage) }
                throw error
            }
            hasSwapped = true
        }
        if hasSwapped { try checkpoint() }
        return survey.end
    }

    private func unreadable(_ damage: MalformedBatch) -> LogError {
        LogError(.corrupted, "\(name) holds a batch that cannot be read to be compacted: \(damage)")
    }

    // MARK: What is cleaned

    /// Nil where there is too little to gain.
    private func cleaningRange(now: Timestamp, from: Offset?) throws -> CleaningRange? {
        let (candidates, lastStable, isFlushed) = try state.withLock { state in
            try requireWritable(state)
            let lastStable = state.ends.lastStable
            let sealed = Array(
                state.segments.dropLast().prefix { $0.nextOffset <= lastStable })
            return (sealed, lastStable, state.ends.flushed == state.ends.logEnd)
        }
        guard let start = candidates.first?.baseOffset, let end = candidates.last?.nextOffset
        else { return nil }
        let firstDirty = from.flatMap { start <= $0 && $0 <= end ? $0 : nil } ?? start
        let (segments, isWorthwhile) = try cleanable(candidates, firstDirty, now: now)
        guard isWorthwhile, let end = segments.last?.nextOffset else { return nil }
        // The markers that decide what lies here may lie further on: they are not to be lost any more.
        if !isFlushed { try flush() }
        while true {
            let (later, known) = state.withLock { state in
                (
                    state.segments.filter { $0.baseOffset >= start },
                    Set(state.producers.states.keys)
                )
            }
            do {
                var aborted: [AbortedRange] = []
                for segment in later {
                    aborted += try segment.abortedTransactions()
                        .filter { $0.first < end && $0.first < lastStable }.map(AbortedRange.init)
                }
                return CleaningRange(
                    segments: segments, firstDirty: firstDirty, aborted: aborted, producers: known)
            } catch let damage as DamagedIndex { try rebuildIndexes(damage) }
        }
    }

    /// The segments that are old enough, and whether cleaning them is worth while: enough is dirty, or
    /// some of it for too long (Kafka: LogToClean, `max.compaction.lag.ms`).
    private func cleanable(_ sealed: [Segment], _ firstDirty: Offset, now: Timestamp) throws -> (
        [Segment], isWorthwhile: Bool
    ) {
        let settings = settings
        var segments: [Segment] = []
        var cleanBytes = 0
        var dirtyBytes = 0
        var isOverdue = false
        for segment in sealed {
            guard segment.nextOffset > firstDirty else {
                segments.append(segment)
                cleanBytes += segment.byteCount
                continue
            }
            if settings.compactionLagMin > .zero {
                let age = try segment.retentionTime(now: now)
                guard age.advanced(by: settings.compactionLagMin) <= now else { break }
            }
            segments.append(segment)
            dirtyBytes += segment.byteCount
            if let lag = settings.compactionLagMax, let first = try segment.firstBatchTimestamp(),
                first.milliseconds >= 0
            {
                isOverdue = isOverdue || first.advanced(by: lag) < now
            }
        }
        guard dirtyBytes > 0 else { return (segments, false) }
        let ratio = Double(dirtyBytes) / Double(cleanBytes + dirtyBytes)
        return (segments, isOverdue || ratio >= settings.cleanableRatioMin)
    }

    /// Neighbours that fit one segment go into one.
    private func groups(_ segments: [Segment], _ settings: TopicSettings) -> [[Segment]] {
        let bytesMax = environment.options.segmentBytes ?? settings.segmentBytes
        var groups: [[Segment]] = []
        var byteCount = 0
        for segment in segments {
            byteCount += segment.byteCount
            if let base = groups.last?.first?.baseOffset, byteCount <= bytesMax,
                segment.nextOffset.rawValue - base.rawValue <= Int64(Int32.max)
            {
                groups[groups.count - 1].append(segment)
            } else {
                groups.append([segment])
                byteCount = segment.byteCount
            }
        }
        return groups
    }

    // MARK: Replacing segments

    private func swap(_ cleaning: SegmentCleaning) throws {
        let bases = Set(cleaning.old.map(\.baseOffset))
        try maintenance.withLock { maintenance in
            try requireUnchanged(cleaning)
            // Readers that have found an old segment read on in it: its files are open, and stay so.
            for segment in cleaning.old { try segment.openFiles() }
            if maintenance.manifest.contains(where: { bases.contains($0.baseOffset) }) {
                var manifest = maintenance.manifest
                manifest.removeAll { bases.contains($0.baseOffset) }
                try SegmentManifest.write(manifest, to: directory, in: files)
                maintenance.manifest = manifest
            }
            do {
                try SegmentSwap.decide(cleaning, in: files)
                cleaning.new.replaceLog(
                    try File(cleaning.new.path() + SegmentFiles.swap, .readOnly, in: files))
                replace(cleaning)
                try SegmentSwap.finish(
                    cleaning.new.baseOffset,
                    superfluous: cleaning.old.dropFirst().map(\.baseOffset), in: directory, files)
                cleaning.new.replaceLog(try File(cleaning.new.path(), .readOnly, in: files))
            } catch let failure as LogError {
                // What is in the directory is not known, until the next opening finishes it.
                state.withLock { $0.failure = failure }
                throw failure.forGood
            }
        }
    }

    /// Retention or a request may have removed segments or the topic meanwhile. With the `maintenance` lock held that
    /// is over.
    private func requireUnchanged(_ cleaning: SegmentCleaning) throws {
        try state.withLock { state in
            try requireWritable(state)
            let base = cleaning.new.baseOffset
            let index = state.segments.firstIndex { $0.baseOffset == base }
            // Of a deleted topic the directory may be another one's by now.
            guard let index, !state.isClosed, !state.isDeleted,
                state.segments.count - index > cleaning.old.count,
                zip(state.segments[index...], cleaning.old).allSatisfy({ $0 === $1 })
            else { throw CompactionOvertaken() }
        }
    }

    private func replace(_ cleaning: SegmentCleaning) {
        state.withLock { state in
            let index = state.segments.firstIndex { $0 === cleaning.old[0] }
            guard let index else { preconditionFailure("the segments were there, under the lock") }
            state.segments.replaceSubrange(
                index..<index + cleaning.old.count, with: [cleaning.new])
        }
    }
}

/// What was to be compacted was removed meanwhile; the next pass sees what is left.
package struct CompactionOvertaken: Error {}
