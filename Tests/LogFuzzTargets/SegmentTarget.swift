// A whole `.log` file of bytes that nobody has checked.

import StreamJobsLog

enum SegmentTarget {
    private static let log = "t-0/00000000000000000000.log"

    /// - Parameter mode: 1: lengths and checksums are mended; 2: offsets as well, to follow on each other;
    ///   4: the stop was clean, so that nothing may be cut; 8: `recovery-points` is lost.
    static func run(_ mode: UInt8, _ bytes: [UInt8]) throws {
        var files = ScratchLog.empty
        files[log] = mode & 1 != 0 ? mended(bytes, withOffsets: mode & 2 != 0) : bytes
        if mode & 4 == 0 { files["clean-shutdown"] = nil }
        if mode & 8 != 0 { files["recovery-points"] = nil }
        files = files.filter { !$0.key.hasPrefix("t-0/") || $0.key == log }
        let scratch = try ScratchLog(files)
        _ = try orRefused {
            let observer = try scratch.observer()
            _ = try observer.readAll(.readCommitted)
            _ = try observer.readAll(.readUncommitted)
        }
        _ = try scratch.damages()
        guard let first = try orRefused({ try recover(scratch) }) else { return }
        guard let second = try orRefused({ try recover(scratch) }) else {
            throw Finding("what was opened once is refused the second time")
        }
        try require(first == second, "opened twice: \(first), then \(second)")
        let isDamaged = first.contains(where: \.isDamaged)
        try require(try !isDamaged || scratch.damages() > 0, "readers find damage, verify none")
    }

    private static func recover(_ scratch: ScratchLog) throws -> [ReadRecords] {
        let owner = try scratch.owner()
        return try [owner.readAll(.readCommitted), owner.readAll(.readUncommitted)]
    }

    /// Batches one behind the other, as far as their lengths can be true; the last one takes the rest.
    private static func mended(_ bytes: [UInt8], withOffsets: Bool) -> [UInt8] {
        var file: [UInt8] = []
        var position = 0
        var next: Int64 = 0
        while bytes.count - position >= 61 {
            let rest = bytes.count - position
            let stated = bytes[position + 8..<position + 12].reduce(0) { $0 << 8 | Int($1) } + 12
            let count = (61...rest).contains(stated) ? stated : rest
            var batch = Array(bytes[position..<position + count])
            position += count
            if withOffsets {
                store(next, in: &batch, at: 0)
                let delta = batch[23..<27].reduce(0) { $0 << 8 | Int64($1) }
                next += max(0, delta & 0x7fff_ffff) + 1
            }
            mendBatch(&batch)
            file += batch
        }
        return file + bytes[position...]
    }
}
