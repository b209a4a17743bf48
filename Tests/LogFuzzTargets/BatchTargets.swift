// Single batches and their records.

import StreamJobsChecksum
import StreamJobsCompression
import StreamJobsLog

enum BatchTargets {
    private static let headerBytes = 61
    /// Smaller than the log's own, so that a bomb shows soon.
    private static let decompressedBytesMax = 1 << 20

    /// - Parameter mode: 1: length, magic and checksum are mended; the next three bits: the codec that the
    ///   records are compressed with before.
    private static func build(_ mode: UInt8, _ bytes: [UInt8]) throws -> [UInt8] {
        var batch = bytes
        if let codec = CompressionCodec(rawValue: mode >> 1 & 7), codec != .none,
            bytes.count > headerBytes
        {
            let compressor = Compressor()
            let records = try bytes[headerBytes...].withUnsafeBytes {
                Array(try compressor.compress($0, with: codec))
            }
            batch = bytes[..<headerBytes] + records
            batch[22] = batch[22] & ~7 | codec.rawValue
        }
        if mode & 1 != 0 { mendBatch(&batch) }
        return batch
    }

    static func batch(_ mode: UInt8, _ bytes: [UInt8]) throws {
        let batch = try build(mode, bytes)
        let decompressor = Decompressor()
        try batch.withUnsafeBytes { batch in
            do {
                let header = try BatchHeader(batch)
                try require(
                    header.baseOffset >= 0 && header.nextOffset > header.baseOffset,
                    "offsets \(header.baseOffset) to \(header.nextOffset)")
                try read(
                    BatchRecords(batch, header, decompressor, limit: decompressedBytesMax), header)
            } catch is MalformedBatch {}
        }
    }

    /// Reads all records, and again from the middle.
    private static func read(_ records: BatchRecords, _ header: BatchHeader) throws {
        var next = records
        var last = header.baseOffset - 1
        var count = 0
        while let record = try next.next() {
            try require(
                record.offset.rawValue > last && record.offset.rawValue < header.nextOffset,
                "offset \(record.offset) behind \(last), before \(header.nextOffset)")
            last = record.offset.rawValue
            count += 1
            do { _ = try record.headers() } catch is LogError {}
        }
        try require(count == header.recordsCount, "\(count) of \(header.recordsCount) records")
        var skipped = records
        let middle = header.baseOffset + Int64(header.lastOffsetDelta) / 2
        try skipped.skip(to: Offset(middle))
        while let record = try skipped.next() {
            try require(record.offset.rawValue >= middle, "\(record.offset) is below \(middle)")
        }
    }

    static func validation(_ mode: UInt8, _ bytes: [UInt8]) throws {
        let batch = try build(mode, bytes)
        var validation = BatchValidation()
        validation.decompressedBytesMax = decompressedBytesMax
        validation.allowsControl = mode & 0x80 != 0
        let decompressor = Decompressor()
        try batch.withUnsafeBytes { batch in
            let header: BatchHeader
            do {
                header = try validation.validate(batch, decompressor)
            } catch is MalformedBatch { return } catch let error as LogError {
                try require(
                    [.corrupted, .recordTooLarge].contains(error.code), "refused by \(error)")
                return
            }
            // What was let in can be read by everybody.
            do {
                var records = try BatchRecords(batch, header, decompressor)
                var expected = header.baseOffset
                while let record = try records.next() {
                    try require(
                        record.offset.rawValue == expected, "\(record.offset), not \(expected)")
                    _ = try record.headers()
                    expected += 1
                }
                try require(expected == header.nextOffset, "ends at \(expected)")
            } catch let finding as Finding { throw finding } catch {
                throw Finding("a valid batch cannot be read: \(error)")
            }
        }
    }

    static func decompressor(_ mode: UInt8, _ bytes: [UInt8]) throws {
        guard let codec = CompressionCodec(rawValue: mode & 7) else { return }
        let decompressor = Decompressor()
        let limit = decompressedBytesMax
        let output: [UInt8]? = bytes.withUnsafeBytes { bytes in
            do {
                return Array(try decompressor.decompress(bytes, from: codec, limit: limit))
            } catch { return nil }
        }
        guard let output else { return }
        try require(output.count <= limit, "\(output.count) bytes, over the limit of \(limit)")
        let compressor = Compressor()
        let again = try output.withUnsafeBytes { bytes in
            let compressed = Array(try compressor.compress(bytes, with: codec))
            return try compressed.withUnsafeBytes {
                Array(try decompressor.decompress($0, from: codec, limit: limit))
            }
        }
        try require(again == output, "compressed and decompressed it is another")
    }
}

/// Gives a batch the length that it has, the magic that is read and the checksum that it needs. Leaves
/// alone what is shorter than a header.
func mendBatch(_ batch: inout [UInt8]) {
    guard batch.count >= 61 else { return }
    store(Int32(batch.count - 12), in: &batch, at: 8)
    batch[16] = 2
    let checksum = batch[21...].withUnsafeBytes { CRC32C.checksum($0) }
    store(checksum, in: &batch, at: 17)
}

func store(_ number: some FixedWidthInteger, in bytes: inout [UInt8], at position: Int) {
    withUnsafeBytes(of: number.bigEndian) {
        bytes.replaceSubrange(position..<position + $0.count, with: $0)
    }
}
