// Reads a segment's file batch by batch and checks each: header, checksum, offsets in order. Used by
// recovery and by observers of a running log; it changes nothing.

/// Where and why a scan ended.
struct ScanEnd {
    /// The first byte behind the last good batch.
    let position: Int
    /// Nil at the end of the file.
    let damage: MalformedBatch?
}

struct BatchScanner {
    let file: File
    private var chunk: UnsafeMutableRawBufferPointer

    /// Calls `body` with each good batch of `file` from `start` on, until the end or the first batch
    /// that is not good, does not follow on the one before or is refused by `body` (`MalformedBatch`).
    static func scan(
        _ file: File, from start: Int, nextOffset: Int64,
        _ body: (BatchHeader, UnsafeRawBufferPointer) throws -> Void
    ) throws -> ScanEnd {
        var scanner = BatchScanner(file: file)
        defer { scanner.chunk.deallocate() }
        return try scanner.scan(from: start, nextOffset: nextOffset, body)
    }

    private init(file: File) {
        self.file = file
        chunk = .allocate(byteCount: Limits.fetchBytes, alignment: 16)
    }

    private mutating func scan(
        from start: Int, nextOffset: Int64,
        _ body: (BatchHeader, UnsafeRawBufferPointer) throws -> Void
    ) throws -> ScanEnd {
        var position = start
        var nextOffset = nextOffset
        while true {
            let count = try file.read(into: chunk, at: position)
            if count == 0 { return ScanEnd(position: position, damage: nil) }
            let bytes = UnsafeRawBufferPointer(rebasing: chunk[..<count])
            var used = 0
            do {
                while used < count {
                    let rest = UnsafeRawBufferPointer(rebasing: bytes[used...])
                    let header = try BatchHeader(rest)
                    guard header.batchByteCount <= Limits.batchBytesMax + BatchHeader.byteCount
                    else {
                        throw MalformedBatch.field("batch of \(header.batchByteCount) bytes")
                    }
                    let batch = UnsafeRawBufferPointer(rebasing: rest.prefix(header.batchByteCount))
                    try header.verify(batch)
                    // Not above either: the checksum leaves out the base offset, and no batch is
                    // ever taken out of the middle of a segment yet.
                    guard header.baseOffset == nextOffset else {
                        throw MalformedBatch.field(
                            "base offset is \(header.baseOffset), not \(nextOffset)")
                    }
                    try body(header, batch)
                    nextOffset = header.nextOffset
                    used += header.batchByteCount
                }
            } catch let damage as MalformedBatch {
                // Cut short by the chunk rather than by the file: read on from that batch.
                let isWholeFile = count < chunk.count
                guard case .cutShort = damage, !isWholeFile, makeRoom(used) else {
                    return ScanEnd(position: position + used, damage: damage)
                }
            }
            position += used
        }
    }

    /// Whether reading again can bring more: yes if something was used, or the chunk can grow.
    private mutating func makeRoom(_ used: Int) -> Bool {
        if used > 0 { return true }
        let wanted = Limits.batchBytesMax + BatchHeader.byteCount
        guard chunk.count < wanted else { return false }
        chunk.deallocate()
        chunk = .allocate(byteCount: wanted, alignment: 16)
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
                if isGoodBatch(rest, atOrAbove: offset) { return true }
            }
            if isLast { return false }
            start += candidates
        }
    }

    private static func isGoodBatch(_ bytes: UnsafeRawBufferPointer, atOrAbove offset: Int64)
        -> Bool
    {
        guard bytes.count >= BatchHeader.byteCount,
            bytes[BatchHeader.Position.magic] == UInt8(BatchHeader.currentMagic)
        else { return false }
        do {
            let header = try BatchHeader(bytes)
            guard header.baseOffset >= offset, header.batchByteCount <= Limits.batchBytesMax else {
                return false
            }
            try header.verify(bytes)
            return true
        } catch { return false }
    }
}
