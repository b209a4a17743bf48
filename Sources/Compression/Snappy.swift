// snappy in the framing of the Java client (xerial's snappy-java); raw snappy, as librdkafka writes it, is
// read as well. The only file that imports snappy.
//
// | bytes | what |
// |---|---|
// | 8 | magic: 82 "SNAPPY" 00 |
// | 4 | version, big-endian: 1 |
// | 4 | lowest version that can read it, big-endian: 1 |
// | then for each block: 4 | n, big-endian: the block's bytes after compression |
// | n | raw snappy of up to 32 KiB |
//
// Nothing tells the number of blocks: data cut between two of them looks whole (the batch's CRC and count
// of records see it). A header where a block would begin starts a further stream, as in snappy-java.

private import CStreamJobsSnappy

/// As a raw snappy stream this would begin with a copy of something before its first byte, so no raw
/// stream begins like it.
private let magic: [UInt8] = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]
private let headerByteCount = 16
private let version: Int32 = 1

func compressSnappy(
    _ bytes: UnsafeRawBufferPointer, into output: inout OutputBuffer
) throws(CompressionError) {
    let blockBytes = CompressionLimits.snappyBlockBytes
    let blocks = (bytes.count + blockBytes - 1) / blockBytes
    let bound = headerByteCount + blocks * (4 + snappy_max_compressed_length(blockBytes))
    output.start(expecting: bound, cap: bound)
    output.room.copyBytes(from: magic)
    output.advance(magic.count)
    appendInteger(version, to: &output)
    appendInteger(version, to: &output)
    for start in stride(from: 0, to: bytes.count, by: blockBytes) {
        let block = UnsafeRawBufferPointer(
            rebasing: bytes[start..<min(start + blockBytes, bytes.count)])
        // Compressed behind the place of its length, which is known only then.
        let room = UnsafeMutableRawBufferPointer(rebasing: output.room[4...])
        var count = room.count
        let status = snappy_compress(
            block.baseAddress?.assumingMemoryBound(to: CChar.self), block.count,
            room.baseAddress?.assumingMemoryBound(to: CChar.self), &count)
        precondition(status == SNAPPY_OK, "snappy refused a block within its bound: \(status)")
        appendInteger(Int32(count), to: &output)
        output.advance(count)
    }
}

func decompressSnappy(
    _ bytes: UnsafeRawBufferPointer, into output: inout OutputBuffer, limit: Int
) throws(CompressionError) {
    guard bytes.starts(with: magic) else {
        return try decompressBlock(bytes, 0..<bytes.count, into: &output, limit: limit)
    }
    var position = 0
    while position < bytes.count {
        guard bytes.count - position >= 4 else { throw .endsEarly(.snappy, after: bytes.count) }
        if bytes[position...].starts(with: magic) {
            try checkHeader(bytes, at: position)
            position += headerByteCount
            continue
        }
        let length = Int(integer(bytes, at: position))
        guard length > 0 else {
            throw .damaged(.snappy, "a block of \(length) bytes", at: position, of: bytes.count)
        }
        position += 4
        guard length <= bytes.count - position else {
            throw .endsEarly(.snappy, after: bytes.count)
        }
        try decompressBlock(bytes, position..<position + length, into: &output, limit: limit)
        position += length
    }
}

private func checkHeader(
    _ bytes: UnsafeRawBufferPointer, at position: Int
) throws(CompressionError) {
    guard bytes.count - position >= headerByteCount else {
        throw .endsEarly(.snappy, after: bytes.count)
    }
    // snappy-java refuses only what is below 1, and some clients write the number the wrong way round.
    let found = integer(bytes, at: position + magic.count)
    guard found >= version else {
        throw .damaged(.snappy, "version \(found) of the framing", at: position, of: bytes.count)
    }
}

/// Raw snappy. The length it claims is believed only if so many compressed bytes can give it.
private func decompressBlock(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, into output: inout OutputBuffer,
    limit: Int
) throws(CompressionError) {
    let block = UnsafeRawBufferPointer(rebasing: bytes[range])
    let start = block.baseAddress?.assumingMemoryBound(to: CChar.self)
    var claimed = 0
    guard snappy_uncompressed_length(start, block.count, &claimed) == SNAPPY_OK else {
        throw .damaged(.snappy, "a block without its length", at: range.lowerBound, of: bytes.count)
    }
    let ratio = CompressionLimits.snappyRatioMax
    guard claimed <= block.count * ratio.output / ratio.input else {
        throw .damaged(
            .snappy, "\(block.count) bytes cannot give the \(claimed) that they claim",
            at: range.lowerBound, of: bytes.count)
    }
    guard claimed <= limit - output.count else { throw .tooLarge(limit: limit) }
    output.reserve(claimed)
    var count = output.room.count
    let status = snappy_uncompress(
        start, block.count, output.room.baseAddress?.assumingMemoryBound(to: CChar.self), &count)
    guard status == SNAPPY_OK else {
        throw .damaged(
            .snappy, "a block that is not snappy's", at: range.lowerBound, of: bytes.count)
    }
    precondition(count == claimed, "snappy gave \(count) bytes for \(claimed)")
    output.advance(count)
}

private func appendInteger(_ value: Int32, to output: inout OutputBuffer) {
    output.room.storeBytes(of: value.bigEndian, as: Int32.self)
    output.advance(4)
}

private func integer(_ bytes: UnsafeRawBufferPointer, at position: Int) -> Int32 {
    Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: Int32.self))
}
