// Reads a segment's file batch by batch and checks each: header, checksum, offsets in order. Used by
// recovery and by observers of a running log; it changes nothing.

/// Where and why a scan ended.
struct ScanEnd {
    /// The first byte behind the last good batch.
    let position: Int
    /// Nil at the end of the bytes that were to be looked at.
    let damage: MalformedBatch?
}

struct BatchScanner {
    private let file: File
    private let end: Int
    private let endOffset: Int64
    private let mayHaveGaps: Bool
    private var chunk: UnsafeMutableRawBufferPointer

    /// Calls `body` with each good batch of `file` from `start` on, until the end or the first batch
    /// that is not good, does not follow on the one before or is refused by `body` (`MalformedBatch`).
    /// - Parameter end: Of the bytes to be looked at; the file's unless given.
    /// - Parameter endOffset: Where the segment ends, if that is known: no batch reaches beyond.
    /// - Parameter mayHaveGaps: Compaction may have removed batches.
    static func scan(
        _ file: File, from start: Int, to end: Int? = nil, nextOffset: Int64,
        endOffset: Int64 = .max, mayHaveGaps: Bool,
        _ body: (BatchHeader, UnsafeRawBufferPointer) throws -> Void
    ) throws -> ScanEnd {
        var scanner = BatchScanner(
            file: file, end: try end ?? file.byteCount(), endOffset: endOffset,
            mayHaveGaps: mayHaveGaps, chunk: .allocate(byteCount: Limits.fetchBytes, alignment: 16))
        defer { scanner.chunk.deallocate() }
        return try scanner.scan(from: start, nextOffset: nextOffset, body)
    }

    private mutating func scan(
        from start: Int, nextOffset: Int64,
        _ body: (BatchHeader, UnsafeRawBufferPointer) throws -> Void
    ) throws -> ScanEnd {
        var position = start
        var nextOffset = nextOffset
        while position < end {
            let wanted = min(chunk.count, end - position)
            let count = try file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: chunk[..<wanted]), at: position)
            if count == 0 { return ScanEnd(position: position, damage: .cutShort) }
            let bytes = UnsafeRawBufferPointer(rebasing: chunk[..<count])
            var used = 0
            do {
                while used < count {
                    let rest = UnsafeRawBufferPointer(rebasing: bytes[used...])
                    let batch = try self.batch(rest, nextOffset: nextOffset)
                    try body(batch.header, batch.bytes)
                    nextOffset = batch.header.nextOffset
                    used += batch.header.batchByteCount
                }
            } catch let damage as MalformedBatch {
                // Cut short by the chunk rather than by the file: read on from that batch.
                let rest = UnsafeRawBufferPointer(rebasing: bytes[used...])
                guard case .cutShort = damage, position + count < end,
                    makeRoom(for: rest, at: position + used, isProgress: used > 0)
                else { return ScanEnd(position: position + used, damage: damage) }
            }
            position += used
        }
        return ScanEnd(position: position, damage: nil)
    }

    /// The batch at the start of `rest`, whole and good.
    private func batch(_ rest: UnsafeRawBufferPointer, nextOffset: Int64) throws -> (
        header: BatchHeader, bytes: UnsafeRawBufferPointer
    ) {
        let header = try BatchHeader(rest)
        let batch = UnsafeRawBufferPointer(rebasing: rest.prefix(header.batchByteCount))
        try header.verify(batch)
        // Not above either, where nothing was compacted: the checksum leaves out the base offset.
        let follows =
            header.baseOffset == nextOffset || mayHaveGaps && header.baseOffset > nextOffset
        guard follows else {
            throw MalformedBatch.field("base offset is \(header.baseOffset), not \(nextOffset)")
        }
        // Where there may be gaps, nothing else speaks against the last batch's.
        guard header.nextOffset <= endOffset else {
            throw MalformedBatch.field(
                "base offset is \(header.baseOffset), but the segment ends at offset \(endOffset)")
        }
        return (header, batch)
    }

    /// Whether reading again from the batch of which `rest` is the beginning can bring more.
    private mutating func makeRoom(
        for rest: UnsafeRawBufferPointer, at position: Int, isProgress: Bool
    ) -> Bool {
        if isProgress { return true }
        // Its length may be damage: it is believed only as far as there is a file.
        guard let header = try? BatchHeader(rest), header.batchByteCount > chunk.count,
            header.batchByteCount <= Limits.batchBytesMaxMax,
            position + header.batchByteCount <= end
        else { return false }
        chunk.deallocate()
        chunk = .allocate(byteCount: header.batchByteCount, alignment: 16)
        return true
    }

    /// Whether a whole, good batch begins anywhere at or behind `position`: then what lies before it
    /// is damage, not a torn tail. Looks for the magic byte at its place.
    static func goodBatchFollows(_ position: Int, in file: File, atOrAbove offset: Int64) throws
        -> Bool
    {
        // Windows overlap by a batch, so that one that begins in the first half is whole.
        let window = UnsafeMutableRawBufferPointer.allocate(
            byteCount: 2 * Limits.batchBytesMax, alignment: 16)
        defer { window.deallocate() }
        var start = position
        while true {
            let count = try file.read(into: window, at: start)
            let isLast = count < window.count
            let bytes = UnsafeRawBufferPointer(rebasing: window[..<count])
            let candidates = isLast ? count : Limits.batchBytesMax
            for candidate in 0..<candidates {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[candidate...])
                if try isGoodBatch(rest, start + candidate, in: file, atOrAbove: offset) {
                    return true
                }
            }
            if isLast { return false }
            start += candidates
        }
    }

    /// - Parameters:
    ///   - bytes: What begins at `position`, a window of it.
    private static func isGoodBatch(
        _ bytes: UnsafeRawBufferPointer, _ position: Int, in file: File, atOrAbove offset: Int64
    ) throws -> Bool {
        guard bytes.count >= BatchHeader.byteCount,
            bytes[BatchHeader.Position.magic] == UInt8(BatchHeader.currentMagic)
        else { return false }
        let header: BatchHeader
        do { header = try BatchHeader(bytes) } catch { return false }
        // Of the same segment; what looks like a header by chance is told by that before it is read.
        guard (0...Int64(Int32.max)).contains(header.baseOffset &- offset) else { return false }
        if header.batchByteCount <= bytes.count { return isWhole(header, bytes) }
        guard header.batchByteCount > Limits.batchBytesMax,
            header.batchByteCount <= Limits.batchBytesMaxMax,
            try position + header.batchByteCount <= file.byteCount()
        else { return false }
        let batch = UnsafeMutableRawBufferPointer.allocate(
            byteCount: header.batchByteCount, alignment: 16)
        defer { batch.deallocate() }
        let count = try file.read(into: batch, at: position)
        return count == batch.count && isWhole(header, UnsafeRawBufferPointer(batch))
    }

    private static func isWhole(_ header: BatchHeader, _ bytes: UnsafeRawBufferPointer) -> Bool {
        do {
            try header.verify(bytes)
            return true
        } catch { return false }
    }
}
