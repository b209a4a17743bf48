// Reading: where the bytes for a fetch are. The bytes themselves are read by a cursor, without a lock.

import Synchronization

/// Which records a reader sees.
public enum Isolation: Sendable {
    /// Those of committed transactions and of none, in order, up to the first undecided one.
    case readCommitted
    /// As `readCommitted`, but undecided transactions are left out rather than waited for: what comes
    /// behind them is seen, and they themselves are not seen later.
    case readDecided
    /// All that is written.
    case readUncommitted
}

/// Where the bytes for a fetch are, how far it may read, and what was aborted there.
struct ReadPlan {
    let file: File
    let position: Int
    /// Bytes of whole batches from `position` on.
    let byteCount: Int
    /// Readers stop before this offset.
    let upTo: Offset
    let aborted: [AbortedRange]
    /// Compaction may have removed batches and records.
    let mayHaveGaps: Bool
}

extension Partition {
    /// Nil if there is nothing at or behind `offset` yet. Throws `offsetOutOfRange` for one that is not
    /// there and never will be.
    func readPlan(from offset: Offset, isolation: Isolation) throws -> ReadPlan? {
        if access == .observer { try refresh() }
        var attempts = 0
        while true {
            // The segment with those behind it: what one says of transactions goes with the records of
            // the others only as long as none of them was compacted.
            let found = try state.withLock {
                state -> (ArraySlice<Segment>, Int, Offset, [OpenTransaction])? in
                try requireInRange(offset, state.ends)
                let upTo = isolation == .readCommitted ? state.ends.lastStable : state.ends.logEnd
                guard offset < upTo, let index = state.indexOfSegment(holding: offset) else {
                    return nil
                }
                let open = isolation == .readDecided ? state.producers.openTransactions : []
                return (state.segments[index...], state.segments[index].byteCount, upTo, open)
            }
            guard let (segments, byteCount, upTo, open) = found, let segment = segments.first
            else { return nil }
            do {
                let position = try segment.position(atOrBefore: offset)
                var hidden =
                    isolation == .readUncommitted
                    ? [] : try aborted(from: offset, in: segments, upTo: upTo)
                hidden += open.map {
                    AbortedRange(producerID: $0.producer.id, first: $0.first, last: upTo)
                }
                let file = try segment.log()
                try requireSame(file, segments, byteCount)
                return ReadPlan(
                    file: file, position: position, byteCount: byteCount - position,
                    upTo: upTo, aborted: hidden, mayHaveGaps: segment.isCleaned)
            } catch let damage as DamagedIndex {
                if isReplaced(segments) { continue }
                attempts += 1
                if access == .observer, attempts < Limits.observerAttemptsMax {
                    try beginAgain()
                } else {
                    try rebuildIndexes(damage)
                }
            } catch let error as LogError where access == .observer {
                // The owner may have replaced or removed what an observer knows.
                attempts += 1
                guard attempts < Limits.observerAttemptsMax else { throw error }
                try beginAgain()
            }
        }
    }

    /// An observer opens files late: compaction may have put another one under the name.
    private func requireSame(_ file: File, _ segments: ArraySlice<Segment>, _ byteCount: Int) throws
    {
        guard access == .observer, segments.count > 1, try file.byteCount() != byteCount else {
            return
        }
        throw LogError(.corrupted, "\(file.path) has not the \(byteCount) bytes that it had")
    }

    private func beginAgain() throws {
        try state.withLock { state in
            try PartitionFollower.beginAgain(directory, name: name, files, &state)
        }
    }

    /// Whether compaction or retention has put other files in the place of some of these.
    private func isReplaced(_ segments: ArraySlice<Segment>) -> Bool {
        state.withLock { state in
            let present = Set(state.segments.map(ObjectIdentifier.init))
            return !segments.allSatisfy { present.contains(ObjectIdentifier($0)) }
        }
    }

    private func requireInRange(_ offset: Offset, _ ends: EndOffsets) throws {
        guard offset < ends.start || offset > ends.logEnd else { return }
        throw LogError(
            .offsetOutOfRange,
            "offset \(offset) of \(name) is out of range: it has offsets from \(ends.start) to "
                + "\(ends.logEnd)")
    }

    /// Aborted transactions with records at or behind `offset` that lie in the first of `segments`. Their
    /// markers may be in later ones, but in none behind the first marker that found everything in between decided.
    private func aborted(from offset: Offset, in segments: ArraySlice<Segment>, upTo: Offset)
        throws -> [AbortedRange]
    {
        let end = min(segments.first?.nextOffset ?? upTo, upTo)
        var ranges: [AbortedRange] = []
        for later in segments {
            for transaction in try later.abortedTransactions() {
                if transaction.last >= offset, transaction.first < end {
                    ranges.append(AbortedRange(transaction))
                }
                if transaction.lastStable >= end { return ranges }
            }
        }
        return ranges
    }

    // MARK: Times

    /// The first offset whose record has `timestamp` or a later one; nil if there is none.
    package func offset(atOrAfter timestamp: Timestamp) throws -> Offset? {
        let segments = state.withLock { state in (state.segments, state.ends.start) }
        for segment in segments.0 where segment.maxTimestamp >= timestamp {
            let start: Offset
            do {
                start = try segment.offset(before: timestamp)
            } catch let damage as DamagedIndex {
                try rebuildIndexes(damage)
                return try offset(atOrAfter: timestamp)
            }
            let cursor = PartitionCursor(
                self, from: max(start, segments.1), isolation: .readUncommitted)
            while try cursor.hasRecord(), let found = cursor.recordTimestamp {
                if found >= timestamp { return cursor.recordOffset }
                cursor.take()
            }
        }
        return nil
    }

    /// Makes the indexes of the segment with a damaged one anew from its batches.
    func rebuildIndexes(_ damage: DamagedIndex) throws {
        let name = damage.path.split(separator: "/").last ?? ""
        let base = Segment.baseOffset(
            ofFileNamed: String(name.prefix(20)) + Segment.logSuffix)
        let segments = state.withLock { $0.segments }
        guard let base, let damaged = segments.first(where: { $0.baseOffset == base }) else {
            throw LogError(.corrupted, "\(damage.path) is damaged, and its segment is gone")
        }
        let rebuilt = try PartitionRecovery.rebuild(damaged, among: segments, settings: settings)
        damaged.replaceIndexes(by: rebuilt)
        guard access == .owner else { return }
        environment.options.notify(
            "\(damage.path) was damaged or missing and was made again from its segment")
        try maintenance.withLock { maintenance in
            maintenance.manifest.removeAll { $0.baseOffset == base }
            try checkpoint(&maintenance)
        }
    }

    /// An observer's look at what the owner has appended since.
    package func refresh() throws {
        guard access == .observer else { return }
        try state.withLock { state in
            try PartitionFollower.follow(directory, name: name, files, &state)
        }
    }
}

extension Partition.State {
    /// Of the segment that holds `offset`.
    fileprivate borrowing func indexOfSegment(holding offset: Offset) -> Int? {
        let index = (segments.lastIndex { $0.baseOffset <= offset }) ?? 0
        return segments[index...].firstIndex { $0.nextOffset > offset }
    }
}
