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
    /// Where the next segment begins; nil in the last one.
    let nextSegment: Offset?
    /// Of the batch at `position`.
    let firstBatch: KnownBatch
}

/// What is known of a batch before it is read.
enum KnownBatch {
    case unknown
    case begins(at: Int64)
    case ends(at: Int64)

    func isTrue(of header: BatchHeader) -> Bool {
        switch self {
        case .unknown: true
        case .begins(let offset): header.baseOffset == offset
        case .ends(let offset): header.nextOffset - 1 == offset
        }
    }
}

extension Partition {
    /// The file that holds `offset`, or would.
    func path(ofSegmentWith offset: Offset) -> String {
        let segment = state.withLock { state in
            state.segments.last { $0.baseOffset <= offset } ?? state.active
        }
        return segment.path()
    }

    /// Nil if there is nothing at or behind `offset` yet. Throws `offsetOutOfRange` for one that is not
    /// there and never will be.
    /// - Parameter byteCount: Bytes that the reader wants at once. It may get more, but the plan may end
    ///   behind what begins in these: what was aborted is looked up for them only.
    func readPlan(from offset: Offset, isolation: Isolation, byteCount: Int) throws -> ReadPlan? {
        try refresh()
        var attempts = 0
        while true {
            guard let place = try place(of: offset, isolation) else { return nil }
            let segment = place.segment
            do {
                let (position, batch) = try segment.position(atOrBefore: offset)
                var upTo = place.upTo
                var hidden = place.open.map {
                    AbortedRange(producerID: $0.producer.id, first: $0.first, last: place.upTo)
                }
                if isolation != .readUncommitted, place.segments.contains(where: \.hasAborted) {
                    if let end = try segment.end(
                        ofBatchesBelow: position + min(byteCount, place.byteCount))
                    {
                        upTo = min(upTo, end)
                    }
                    hidden += try aborted(from: offset, in: place.segments, upTo: upTo)
                }
                let file = try segment.log()
                try requireSame(file, place)
                return ReadPlan(
                    file: file, position: position,
                    byteCount: place.byteCount - position, upTo: upTo, aborted: hidden,
                    mayHaveGaps: segment.isCleaned, nextSegment: place.nextSegment,
                    firstBatch: batch)
            } catch let damage as DamagedIndex {
                guard areListed(place.segments) else { continue }
                attempts += 1
                if access == .observer, attempts < Limits.observerAttemptsMax {
                    try beginAgain()
                } else {
                    try rebuildIndexes(damage)
                }
            } catch let error as LogError where error.code == .io || access == .observer {
                // Removed or replaced between the look at the list and at its files; an observer learns
                // of that by looking at all of them again.
                guard isListed(segment) else { continue }
                attempts += 1
                guard access == .observer, attempts < Limits.observerAttemptsMax else {
                    throw error
                }
                try beginAgain()
            }
        }
    }

    /// An observer opens files late: compaction, or another topic, may have put another one under the name.
    private func requireSame(_ file: File, _ place: Place) throws {
        guard let observed = environment.observed, place.segments.count > 1 else { return }
        _ = try observed.topic(of: name, topicID)
        guard try file.byteCount() != place.byteCount else { return }
        throw LogError(
            .corrupted, "\(file.path) has not the \(place.byteCount) bytes that it had")
    }

    private func beginAgain() throws {
        _ = try environment.observed?.topic(of: name, topicID)
        try state.withLock { state in
            try PartitionFollower.beginAgain(directory, name: name, files, &state)
        }
    }

    private func areListed(_ segments: ArraySlice<Segment>) -> Bool {
        state.withLock { state in
            let listed = Set(state.segments.map(ObjectIdentifier.init))
            return segments.allSatisfy { listed.contains(ObjectIdentifier($0)) }
        }
    }

    private func isListed(_ segment: Segment) -> Bool {
        state.withLock { state in state.segments.contains { $0 === segment } }
    }

    /// A segment as it is when a reader asks for it.
    private struct Place {
        let segment: Segment
        /// From that one on: what a later one says of transactions goes with the records here only as
        /// long as neither was compacted.
        let segments: ArraySlice<Segment>
        let byteCount: Int
        let nextSegment: Offset?
        let upTo: Offset
        let open: [OpenTransaction]
    }

    private func place(of offset: Offset, _ isolation: Isolation) throws -> Place? {
        try state.withLock { state in
            try requireInRange(offset, state.ends)
            let upTo = isolation == .readCommitted ? state.ends.lastStable : state.ends.logEnd
            guard offset < upTo, let index = state.segmentIndex(holding: offset) else { return nil }
            let next = index + 1 < state.segments.count ? state.segments[index + 1] : nil
            return Place(
                segment: state.segments[index], segments: state.segments[index...],
                byteCount: state.segments[index].byteCount,
                nextSegment: next?.baseOffset, upTo: upTo,
                open: isolation == .readDecided ? state.producers.openTransactions : [])
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
            let (transactions, isComplete) = try later.aborted(from: offset, upTo: end)
            ranges += transactions.map(AbortedRange.init)
            if isComplete { break }
        }
        return ranges
    }

    // MARK: Times

    /// The first offset whose record has `timestamp` or a later one; nil if there is none.
    package func offset(atOrAfter timestamp: Timestamp) throws -> Offset? {
        let (segments, begin) = state.withLock { state in (state.segments, state.ends.start) }
        for segment in segments where segment.maxTimestamp >= timestamp {
            do {
                let start = try segment.offset(before: timestamp)
                let found = try offset(atOrAfter: timestamp, readingFrom: max(start, begin))
                if let found { return found }
            } catch let damage as DamagedIndex {
                if isListed(segment) { try rebuildIndexes(damage) }
                return try offset(atOrAfter: timestamp)
            } catch let error as LogError
                where error.code == .offsetOutOfRange && startOffset > begin
            {
                // What was being read has been removed; the first may be in what is left.
                return try offset(atOrAfter: timestamp)
            }
        }
        return nil
    }

    private func offset(atOrAfter timestamp: Timestamp, readingFrom start: Offset) throws -> Offset?
    {
        let cursor = PartitionCursor(self, from: start, isolation: .readUncommitted)
        while try cursor.hasRecord(), let found = cursor.recordTimestamp {
            if found >= timestamp { return cursor.recordOffset }
            cursor.take()
        }
        return nil
    }

    /// Makes the indexes of the segment with a damaged one anew from its batches. Does nothing where the
    /// segment, or one that is read for it, is removed meanwhile: whoever met the damage looks again.
    func rebuildIndexes(_ damage: DamagedIndex) throws {
        let name = damage.path.split(separator: "/").last ?? ""
        let base = Segment.baseOffset(
            ofFileNamed: String(name.prefix(20)) + Segment.logSuffix)
        guard let base else { preconditionFailure("\(damage.path) is no segment's index") }
        let segments = state.withLock { $0.segments }
        guard let index = segments.firstIndex(where: { $0.baseOffset == base }) else { return }
        let damaged = segments[index]
        do {
            damaged.replaceIndexes(
                by: try PartitionRecovery.rebuild(damaged, among: segments, settings: settings))
        } catch let error as LogError {
            if areListed(segments[...index]) { throw error }
            return
        }
        guard access == .owner else { return }
        environment.options.notify(
            "\(damage.path) was damaged or missing and was made again from its segment")
        maintenance.withLock { maintenance in
            maintenance.manifest.removeAll { $0.baseOffset == base }
            // Reading goes on from memory: a disk that is full, a log that was closed or that refuses
            // writes does not hinder it.
            guard state.withLock({ !$0.isClosed && !$0.isDeleted && $0.failure == nil }) else {
                return
            }
            do {
                try checkpoint(&maintenance)
            } catch {
                environment.options.notify("could not write \(damage.path) again: \(error)")
            }
        }
    }

    /// An observer's look at what the owner has appended, removed and set since. Throws `noSuchTopic` where
    /// the topic was deleted, also if it was made again.
    package func refresh() throws {
        guard let observed = environment.observed else { return }
        // Before the topic is looked at: of another one of its name these are not taken.
        let start = try observed.start(of: name)
        let followed = Result {
            try state.withLock { state in
                try PartitionFollower.follow(directory, name: name, files, &state)
            }
        }
        // What was found may be of another topic, and so may be what went wrong.
        let topic = try observed.topic(of: name, topicID)
        try followed.get()
        state.withLock { state in
            state.settings = topic.settings
            state.ends.begin(at: start)
        }
    }
}

extension Partition.State {
    /// The segment that holds `offset`, or the first behind it where compaction has left a gap.
    fileprivate borrowing func segmentIndex(holding offset: Offset) -> Int? {
        let index = (segments.lastIndex { $0.baseOffset <= offset }) ?? 0
        // A segment may end before the next begins.
        return segments[index...].firstIndex { $0.nextOffset > offset }
    }
}
