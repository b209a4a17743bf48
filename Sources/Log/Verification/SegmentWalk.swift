// Goes through a `.log` file from its beginning to its end, past whatever is damaged: where recovery and
// readers stop at the first batch that is not good, this one says where it is and finds the next good one.

/// A piece of a `.log` file.
package enum SegmentPiece {
    /// A whole batch with the right checksum.
    case batch(BatchHeader, UnsafeRawBufferPointer)
    /// So many bytes are no batch. The header is given where it can be read.
    case damage(MalformedBatch, byteCount: Int, BatchHeader?)
}

/// Belongs to one thread; keeps the memory that it reads into.
struct SegmentWalk: ~Copyable {
    private let file: File
    private let end: Int
    private var memory: UnsafeMutableRawBufferPointer
    /// The bytes of the file that are in memory.
    private var loaded = 0..<0

    init(_ file: File) throws {
        self.file = file
        end = try file.byteCount()
        memory = .allocate(byteCount: Limits.fetchBytes, alignment: 16)
    }

    deinit { memory.deallocate() }

    /// Calls `body` with each piece and its position, in their order; bytes are valid during the call.
    /// - Parameter body: False ends the walk.
    mutating func forEachPiece(_ body: (Int, SegmentPiece) throws -> Bool) throws {
        var position = 0
        while position < end {
            var header: BatchHeader?
            do {
                let batch = try batch(at: position, &header)
                guard try body(position, .batch(batch.header, batch.bytes)) else { return }
                position += batch.header.batchByteCount
            } catch let damage as MalformedBatch {
                let next = try nextGoodBatch(behind: position, header) ?? end
                let piece = SegmentPiece.damage(damage, byteCount: next - position, header)
                guard try body(position, piece) else { return }
                position = next
            }
        }
    }

    /// The batch at `position`, whole and with the right checksum. Throws `MalformedBatch`.
    private mutating func batch(at position: Int, _ found: inout BatchHeader?) throws -> (
        header: BatchHeader, bytes: UnsafeRawBufferPointer
    ) {
        let header = try BatchHeader(try bytes(at: position, BatchHeader.byteCount))
        found = header
        // A length is believed only as far as there is a file.
        guard header.batchByteCount <= min(end - position, Limits.batchBytesMaxMax) else {
            throw MalformedBatch.cutShort
        }
        let bytes = try bytes(at: position, header.batchByteCount)
        try header.verify(bytes)
        return (header, bytes)
    }

    /// Where the damage at `position` ends: where its header says, if the file ends or a good batch begins
    /// there; or else at the first good batch. Nil if none follows.
    private mutating func nextGoodBatch(behind position: Int, _ header: BatchHeader?) throws -> Int?
    {
        if let header, header.batchByteCount <= end - position {
            let next = position + header.batchByteCount
            if try next == end || isGoodBatch(at: next) { return next }
        }
        for candidate in (position + 1)..<max(position + 1, end - BatchHeader.byteCount + 1) {
            // Most are told from a batch by the one byte.
            let magic = try bytes(at: candidate, BatchHeader.byteCount)[BatchHeader.Position.magic]
            if magic == UInt8(BatchHeader.currentMagic), try isGoodBatch(at: candidate) {
                return candidate
            }
        }
        return nil
    }

    private mutating func isGoodBatch(at position: Int) throws -> Bool {
        var header: BatchHeader?
        do {
            _ = try batch(at: position, &header)
            return true
        } catch is MalformedBatch {
            return false
        }
    }

    /// `count` bytes at `position`, fewer at the end; valid until the next call.
    private mutating func bytes(at position: Int, _ count: Int) throws -> UnsafeRawBufferPointer {
        let wanted = position..<min(position + count, end)
        if !(loaded.lowerBound <= wanted.lowerBound && wanted.upperBound <= loaded.upperBound) {
            if wanted.count > memory.count {
                memory.deallocate()
                memory = .allocate(byteCount: wanted.count, alignment: 16)
            }
            let room = min(memory.count, end - position)
            let read = try file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: memory[..<room]), at: position)
            loaded = position..<position + read
        }
        let start = position - loaded.lowerBound
        let available = min(wanted.count, loaded.upperBound - position)
        return UnsafeRawBufferPointer(rebasing: memory[start..<start + max(0, available)])
    }
}
