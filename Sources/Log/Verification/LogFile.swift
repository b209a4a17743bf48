// `log dump`: the files of a log one by one, as they are. Each reader gives what the bytes say, with what is
// wrong with them beside it, as Kafka's dump tool does.

/// One file of a data directory.
package struct LogFile: Sendable {
    package enum Kind: Sendable {
        case segment
        case offsetIndex
        case timeIndex
        case transactionIndex
        case producerSnapshot
        case recoveryPoints
        /// Lines of words: leader epochs, start offsets, the manifest, the list of topics.
        case text
    }

    package let path: String
    package let kind: Kind
    fileprivate let files = FileSystem.live

    /// Knows the kind by the name. Throws `invalidArgument` for a name that no file of a log has, and what
    /// looking at it throws.
    package init(_ path: String) throws {
        self.path = path
        let name = String(
            path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...])
        // A segment that is being removed or made is one too.
        let plain =
            [SegmentRemoval.suffix, SegmentFiles.cleaned, SegmentFiles.swap]
            .first(where: name.hasSuffix)
            .map { String(name.dropLast($0.count)) } ?? name
        let kinds: [(suffix: String, kind: Kind)] = [
            (Segment.logSuffix, .segment), (OffsetEntry.fileSuffix, .offsetIndex),
            (TimeEntry.fileSuffix, .timeIndex),
            (AbortedTransaction.fileSuffix, .transactionIndex),
            (ProducerSnapshotFile.suffix, .producerSnapshot),
            (String(RecoveryPoints.fileName.dropFirst()), .recoveryPoints),
            ("-checkpoint", .text), (SegmentManifest.fileName, .text), ("topics", .text),
        ]
        guard let kind = kinds.first(where: { plain.hasSuffix($0.suffix) })?.kind else {
            throw LogError(
                .invalidArgument,
                "\(path) has no name of a file of a log, such as 00000000000000000000.log, .index, "
                    + ".timeindex, .txnindex or .snapshot")
        }
        self.kind = kind
    }

    // MARK: Segments

    /// Calls `body` with each batch and each damage, and its position in bytes.
    package func forEachPiece(_ body: (Int, SegmentPiece) throws -> Bool) throws {
        var walk = try SegmentWalk(try File(path, .readOnly, in: files))
        try walk.forEachPiece(body)
    }

    // MARK: Indexes

    /// An entry of an index, and what is wrong with it.
    package struct IndexLine<Entry> {
        package let entry: Entry
        /// Where it begins in the index file.
        package let filePosition: Int
        package let problem: String?
    }

    /// `offset` is the last one of the batch at `position`.
    package struct OffsetLine: Sendable {
        package let offset: Offset
        package let position: Int
    }

    package struct TimeLine: Sendable {
        package let timestamp: Timestamp
        package let offset: Offset
    }

    /// The entries of an `.index`, compared with the `.log` beside it if there is one.
    package func offsetEntries() throws -> [IndexLine<OffsetLine>] {
        let base = try baseOffset()
        let batches = try places { $0.position }
        return try entries(OffsetEntry.self).map { entry, filePosition in
            let line = OffsetLine(
                offset: base + Int(entry.relativeOffset), position: Int(entry.position))
            return IndexLine(
                entry: line, filePosition: filePosition,
                problem: batches.flatMap { Self.problem(line, $0) })
        }
    }

    /// The entries of a `.timeindex`, compared with the `.log` beside it if there is one.
    package func timeEntries() throws -> [IndexLine<TimeLine>] {
        let base = try baseOffset()
        let batches = try places { $0.lastOffset }
        return try entries(TimeEntry.self).map { entry, filePosition in
            let line = TimeLine(
                timestamp: Timestamp(milliseconds: entry.timestamp),
                offset: base + Int(entry.relativeOffset))
            return IndexLine(
                entry: line, filePosition: filePosition,
                problem: batches.flatMap { Self.problem(line, $0) })
        }
    }

    /// The entries of a `.txnindex`.
    package func abortedTransactions() throws -> [IndexLine<AbortedTransaction>] {
        try entries(AbortedTransaction.self).map {
            IndexLine(entry: $0, filePosition: $1, problem: nil)
        }
    }

    private struct Place {
        let position: Int
        let lastOffset: Offset
        let maxTimestamp: Int64
        /// Of the segment up to and with this batch.
        let largestTimestamp: Int64
    }

    private static func problem(_ line: OffsetLine, _ batches: [Int: Place]) -> String? {
        guard let batch = batches[line.position] else {
            return "no batch begins at position \(line.position)"
        }
        guard batch.lastOffset == line.offset else {
            return "the batch at position \(line.position) ends with offset \(batch.lastOffset)"
        }
        return nil
    }

    private static func problem(_ line: TimeLine, _ batches: [Offset: Place]) -> String? {
        guard let batch = batches[line.offset] else {
            return "no batch ends with offset \(line.offset)"
        }
        guard batch.maxTimestamp == line.timestamp.milliseconds else {
            return "the batch that ends there has the timestamp \(batch.maxTimestamp)"
        }
        guard batch.largestTimestamp == line.timestamp.milliseconds else {
            return "a record before it has the timestamp \(batch.largestTimestamp)"
        }
        return nil
    }

    /// The batches by what an index names them by; nil where there is no `.log`.
    private func places<Name: Hashable>(by name: (Place) -> Name) throws -> [Name: Place]? {
        let log = String(path[..<(path.lastIndex(of: ".") ?? path.endIndex)]) + Segment.logSuffix
        guard try files.exists(log) else { return nil }
        var places: [Name: Place] = [:]
        var largest: Int64 = -1
        try LogFile(log).forEachPiece { position, piece in
            guard case .batch(let header, _) = piece else { return true }
            largest = max(largest, header.maxTimestamp)
            let place = Place(
                position: position, lastOffset: Offset(header.nextOffset - 1),
                maxTimestamp: header.maxTimestamp, largestTimestamp: largest)
            places[name(place)] = place
            return true
        }
        return places
    }

    private func baseOffset() throws -> Offset {
        let name = path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]
        let digits = String(name.prefix(20))
        // The entries' distances from it must give offsets as well.
        guard let base = Segment.baseOffset(ofFileNamed: digits + Segment.logSuffix),
            base.rawValue <= Int64.max - Int64(UInt32.max)
        else {
            throw LogError(
                .invalidArgument,
                "\(path) does not begin with the 20 digits of its first offset, which its entries are "
                    + "counted from")
        }
        return base
    }

    private func entries<Entry: IndexEntry>(_ type: Entry.Type) throws -> [(Entry, Int)] {
        let bytes = try content()
        guard bytes.count.isMultiple(of: Entry.byteCount) else {
            throw LogError(
                .corrupted,
                "\(path) has \(bytes.count) bytes, which is no multiple of an entry's "
                    + "\(Entry.byteCount)")
        }
        return try stride(from: 0, to: bytes.count, by: Entry.byteCount).map { start in
            let entry = bytes.withUnsafeBytes {
                Entry(UnsafeRawBufferPointer(rebasing: $0[start..<start + Entry.byteCount]))
            }
            guard let entry else {
                throw LogError(.corrupted, "\(path) has no entry at byte \(start)")
            }
            return (entry, start)
        }
    }

    private func content() throws -> [UInt8] {
        guard let bytes = try files.bytes(of: path) else {
            throw LogError(.io, "there is no file \(path)")
        }
        return bytes
    }

    // MARK: Other files

    /// A producer in a snapshot.
    package struct ProducerLine: Sendable {
        package let producer: ProducerStamp
        package let coordinatorEpoch: Int32
        package let lastTimestamp: Timestamp
        /// Of its open transaction.
        package let firstOpen: Offset?
        /// Of its last batch; -1 where it has none.
        package let lastSequence: Int32
        package let lastOffset: Int64
        package let offsetDelta: Int32
    }

    /// The producers of a `.snapshot`, by id.
    package func producers() throws -> [ProducerLine] {
        let states = try content().withUnsafeBytes { bytes in
            do {
                return try ProducerStates(snapshot: bytes)
            } catch let error as LogError {
                throw LogError(error.code, "\(path): \(error.message)")
            }
        }
        return states.states.sorted { $0.key < $1.key }.map { id, state in
            ProducerLine(
                producer: ProducerStamp(id: id, epoch: state.epoch),
                coordinatorEpoch: state.coordinatorEpoch,
                lastTimestamp: Timestamp(milliseconds: state.lastTimestamp),
                firstOpen: state.firstOpen, lastSequence: state.lastSequence,
                lastOffset: state.lastBatch?.lastOffset ?? -1,
                offsetDelta: state.lastBatch?.offsetDelta ?? 0)
        }
    }

    /// Up to where a partition is flushed.
    package struct RecoveryPointLine: Sendable {
        package let topicID: TopicID
        package let partition: PartitionID
        package let flushed: Offset
        package let start: Offset
        package let leaderEpoch: Int32
        package let writeNumber: Int64
    }

    package func recoveryPoints() throws -> [RecoveryPointLine] {
        try RecoveryPoints.slots(inFile: path, files).compactMap { slot in
            slot.key.map { key in
                RecoveryPointLine(
                    topicID: key.topicID, partition: key.partition, flushed: slot.point.flushed,
                    start: slot.point.start, leaderEpoch: slot.point.leaderEpoch,
                    writeNumber: slot.writeNumber)
            }
        }
    }

    /// The lines of a text file.
    package func lines() throws -> [String] {
        String(decoding: try content(), as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

extension LogFile {
    package var exists: Bool {
        get throws { try files.exists(path) }
    }
}

extension CommitLog {
    /// The `.log` files of a partition, in order.
    package func segmentPaths(of name: TopicPartition) throws -> [String] {
        let path = "\(directory)/\(name)"
        return try PartitionRecovery.segmentOffsets(path, files).map {
            "\(path)/\(Segment.fileName($0))"
        }
    }
}
