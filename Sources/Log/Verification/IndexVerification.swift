// An index file beside what its segment gives. Equal bytes are right; other entries are right as well where
// each says what is so: a topic's index interval may have been another one when it was written.

import StreamJobsChecksum

/// Compares the index files of one segment.
struct IndexVerification {
    let segment: Segment
    let summary: SegmentSummary
    /// The segment was ended before the manifest was written: then nothing may follow its entries.
    let isSealed: Bool
    /// The transactions that began before the first segment are not known.
    let firstOffset: Offset
    private(set) var findings: [LogFinding] = []

    init(_ segment: Segment, _ summary: SegmentSummary, isSealed: Bool, firstOffset: Offset) {
        self.segment = segment
        self.summary = summary
        self.isSealed = isSealed
        self.firstOffset = firstOffset
    }

    /// - Parameter fresh: The segment as it is made from its batches up to the size in the manifest.
    mutating func verify(_ fresh: SegmentCapture) throws {
        try verify(
            fresh.index, summary.index, mayDiffer: { try Self.isTrue($0, of: $1) })
        try verify(
            fresh.timeIndex, summary.timeIndex, mayDiffer: { try Self.isTrue($0, of: $1) })
        let first = firstOffset
        try verify(fresh.aborted, summary.transactionIndex) { stored, segment in
            let made = try fresh.aborted.all(
                in: segment.path(AbortedTransaction.fileSuffix), segment.files)
            return Self.agree(stored, made, firstOffset: first)
        }
    }

    /// Whether they differ only in what went with the segments below `firstOffset`: where a transaction
    /// began, and of those that have no record left that there was one.
    private static func agree(
        _ stored: [AbortedTransaction], _ made: [AbortedTransaction], firstOffset: Offset
    ) -> Bool {
        var rest = made[...]
        for entry in stored {
            guard let other = rest.first, other.last == entry.last else {
                guard entry.first < firstOffset else { return false }
                continue
            }
            rest.removeFirst()
            guard entry.producerID == other.producerID,
                entry.first == other.first || entry.first < firstOffset,
                entry.lastStable == other.lastStable || entry.lastStable < firstOffset
            else { return false }
        }
        return rest.isEmpty
    }

    private mutating func verify<Entry: IndexEntry>(
        _ fresh: SegmentIndex<Entry>, _ digest: IndexDigest,
        mayDiffer isTrue: ([Entry], Segment) throws -> Bool
    ) throws {
        let path = segment.path(Entry.fileSuffix)
        let made = IndexEntries(try fresh.all(in: path, segment.files)).encoded()
        let bytes = try segment.files.bytes(of: path) ?? []
        let count = digest.count * Entry.byteCount
        let isNoted =
            bytes.count >= count
            && bytes.prefix(count).withUnsafeBytes { CRC32C.checksum($0) } == digest.crc
        let ends = isSealed ? bytes.count == count : bytes.count >= count
        if isNoted, ends, made.elementsEqual(bytes.prefix(count)) { return }
        if isNoted, ends, let stored = Self.entries(bytes.prefix(count), Entry.self),
            try isTrue(stored, segment)
        {
            return
        }
        let same = zip(bytes, made).prefix { $0 == $1 }.count
        let position = same - same % Entry.byteCount
        findings.append(
            LogFinding(
                kind: .damage, path: path, position: bytes.isEmpty ? nil : position, offset: nil,
                message: bytes.isEmpty && count > 0
                    ? "it is missing; it is made anew from its segment when it is next used"
                    : "it is not what its segment gives; it is made anew when it is next used"))
    }

    private static func entries<Entry: IndexEntry>(
        _ bytes: ArraySlice<UInt8>, _ type: Entry.Type
    ) -> [Entry]? {
        let bytes = Array(bytes)
        let entries = stride(from: 0, to: bytes.count, by: Entry.byteCount).map { start in
            bytes.withUnsafeBytes {
                Entry(UnsafeRawBufferPointer(rebasing: $0[start..<start + Entry.byteCount]))
            }
        }
        let right = entries.compactMap { $0 }
        return right.count == entries.count ? right : nil
    }

    // MARK: What entries say

    /// Each entry is the place of a batch and its last offset, and they rise.
    private static func isTrue(_ entries: [OffsetEntry], of segment: Segment) throws -> Bool {
        var rest = entries[...]
        try scan(segment) { header, position in
            guard let entry = rest.first, Int(entry.position) == position,
                Int64(entry.relativeOffset) == header.nextOffset - 1 - segment.baseOffset.rawValue
            else { return }
            rest.removeFirst()
        }
        return rest.isEmpty
    }

    /// Each entry is the largest timestamp up to a batch and the last offset of the batch that has it.
    private static func isTrue(_ entries: [TimeEntry], of segment: Segment) throws -> Bool {
        var rest = entries[...]
        var largest: Int64 = -1
        try scan(segment) { header, _ in
            guard header.maxTimestamp > largest else { return }
            largest = header.maxTimestamp
            guard let entry = rest.first, entry.timestamp == largest,
                Int64(entry.relativeOffset) == header.nextOffset - 1 - segment.baseOffset.rawValue
            else { return }
            rest.removeFirst()
        }
        return rest.isEmpty
    }

    private static func scan(_ segment: Segment, _ body: (BatchHeader, Int) -> Void) throws {
        var position = 0
        _ = try BatchScanner.scan(
            try segment.log(), from: 0, to: segment.byteCount,
            nextOffset: segment.baseOffset.rawValue, mayHaveGaps: true
        ) { header, _ in
            body(header, position)
            position += header.batchByteCount
        }
    }
}
