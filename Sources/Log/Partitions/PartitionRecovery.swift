// Finding out what a partition holds, from its files alone. The owner does it once, when it opens the
// log, and cuts a torn tail; an observer does it again and again and touches nothing. Everything is
// scanned and checked (decision 0002): no file beside the segments is believed.

enum PartitionRecovery {
    /// Makes the files of a partition of a new topic.
    static func create(_ directory: String) throws {
        _ = try File(directory + "/" + Segment.fileName(.zero), .readWrite, create: true)
        try Directory.flush(directory)
    }

    /// For the owner. After a stop that was not clean the torn tail of the last segment is cut and
    /// the leader epoch rises; damage anywhere else is refused by name and position.
    static func recover(_ directory: String, name: TopicPartition, wasClean: Bool) throws
        -> sending Partition.State
    {
        try Directory.removeTemporaryFiles(in: directory)
        let offsets = try segmentOffsets(directory)
        guard let start = offsets.first else {
            throw LogError(
                .corrupted,
                "\(directory) has lost its segments: there is no .log file; put them back from a copy"
            )
        }
        var state = Partition.State(segments: [], ends: EndOffsets(start: start))
        state.leaderEpochs = try LeaderEpochs(directory: directory, mayBeStale: false)
        for (index, base) in offsets.enumerated() {
            let file = try File(directory + "/" + Segment.fileName(base), .readWrite)
            try requireSuccessor(base, file, state)
            state.segments.append(Segment(baseOffset: base, file: file))
            let end = try scanLast(&state)
            if let damage = end.damage {
                // What was closed in order has been flushed: it has no torn tail.
                let mayBeTorn = index == offsets.count - 1 && !wasClean
                try cut(file, end, damage, mayBeTorn: mayBeTorn, nextOffset: state.ends.logEnd)
            }
        }
        if !wasClean {
            // What was scanned may sit in the page cache only: from here on it counts as flushed.
            try state.segments[state.segments.count - 1].file.flush()
            // Of an empty partition as well: it may have lost all that somebody has read.
            try state.leaderEpochs.advance(at: state.ends.logEnd, in: directory)
        }
        state.ends.advance(flushed: state.ends.logEnd)
        return state
    }

    /// For an observer: takes in what has been appended since the last call. What is not whole yet is
    /// being written; it is looked at again next time. Throws `corrupted` for a batch that is not whole
    /// although others lie behind it.
    static func follow(_ directory: String, name: TopicPartition, _ state: inout Partition.State)
        throws
    {
        while true {
            if state.segments.isEmpty {
                guard let first = try segmentOffsets(directory).first else { return }
                let file = try File(directory + "/" + Segment.fileName(first), .readOnly)
                state.ends = EndOffsets(start: first)
                state.segments.append(Segment(baseOffset: first, file: file))
            }
            let scanned = try scanLast(&state)
            if scanned.damage != nil { try requireUnfinished(scanned, directory, &state) }
            let end = state.ends.logEnd
            let next = directory + "/" + Segment.fileName(end)
            let last = state.segments[state.segments.count - 1]
            guard last.baseOffset < end, try Directory.exists(next) else { return }
            state.segments.append(Segment(baseOffset: end, file: try File(next, .readOnly)))
        }
    }

    private static func segmentOffsets(_ directory: String) throws -> [Offset] {
        try Directory.names(in: directory).compactMap(Segment.baseOffset(ofFileNamed:)).sorted()
    }

    private static func scanLast(_ state: inout Partition.State) throws -> ScanEnd {
        let segment = state.segments[state.segments.count - 1]
        return try BatchScanner.scan(
            segment.file, from: segment.byteCount, nextOffset: state.ends.logEnd.rawValue
        ) { header, batch in
            let last = state.segments[state.segments.count - 1]
            guard last.canHold(header) else {
                throw MalformedBatch.field("last offset delta is \(header.lastOffsetDelta)")
            }
            try state.leaderEpochs.batchScanned(header)
            state.batchAdded(header, batch)
        }
    }

    /// Throws `corrupted` if something follows a batch that an observer found not whole. It may have
    /// been finished since the first look; when others follow, it was, and a second look must find it so.
    private static func requireUnfinished(
        _ scanned: ScanEnd, _ directory: String, _ state: inout Partition.State
    ) throws {
        let segment = state.segments[state.segments.count - 1]
        let end = state.ends.logEnd
        let isFollowed =
            try BatchScanner.goodBatchFollows(
                scanned.position + 1, in: segment.file, atOrAbove: end.rawValue)
            || segmentOffsets(directory).contains { $0 > end }
        guard isFollowed else { return }
        let again = try scanLast(&state)
        if let damage = again.damage, again.position == scanned.position {
            throw corrupted(segment.file, again, damage, nextOffset: end)
        }
    }

    private static func requireSuccessor(
        _ base: Offset, _ file: File, _ state: borrowing Partition.State
    ) throws {
        guard state.segments.isEmpty || base == state.ends.logEnd else {
            throw LogError(
                .corrupted,
                "\(file.path) does not follow on: a segment from offset \(state.ends.logEnd) is "
                    + "missing; put it back from a copy")
        }
    }

    private static func cut(
        _ file: File, _ end: ScanEnd, _ damage: MalformedBatch, mayBeTorn: Bool, nextOffset: Offset
    ) throws {
        guard mayBeTorn,
            try !BatchScanner.goodBatchFollows(
                end.position + 1, in: file, atOrAbove: nextOffset.rawValue)
        else { throw corrupted(file, end, damage, nextOffset: nextOffset) }
        try file.truncate(to: end.position)
    }

    private static func corrupted(
        _ file: File, _ end: ScanEnd, _ damage: MalformedBatch, nextOffset: Offset
    ) -> LogError {
        LogError(
            .corrupted,
            "\(file.path) is damaged at byte \(end.position) (offset \(nextOffset)): \(damage); "
                + "put the file back from a copy")
    }
}
