// Zstandard (RFC 8878): one frame with its content size when writing, any number of frames when reading.
// The only file that imports Zstandard.

private import CStreamJobsZstd

final class ZstdCompressor {
    // Made at the first call, freed in deinit, never handed out.
    private var context: OpaquePointer?

    deinit { ZSTD_freeCCtx(context) }

    func compress(
        _ bytes: UnsafeRawBufferPointer, level: Int?, into output: inout OutputBuffer
    ) throws(CompressionError) {
        if context == nil { context = ZSTD_createCCtx() }
        guard let context else { throw .failed("Zstandard has no memory") }
        let code = ZSTD_CCtx_setParameter(
            context, ZSTD_c_compressionLevel, Int32(level ?? CompressionLimits.zstdLevelDefault))
        precondition(ZSTD_isError(code) == 0, "Zstandard refused a level: \(name(code))")
        let bound = ZSTD_compressBound(bytes.count)
        output.start(expecting: bound, cap: bound)
        let count = ZSTD_compress2(
            context, output.room.baseAddress, output.room.count, bytes.baseAddress, bytes.count)
        // The room is Zstandard's own bound: only memory can lack.
        guard ZSTD_isError(count) == 0 else { throw .failed("Zstandard says \(name(count))") }
        output.advance(count)
    }
}

final class ZstdDecompressor {
    // As in the compressor.
    private var context: OpaquePointer?

    deinit { ZSTD_freeDCtx(context) }

    func decompress(
        _ bytes: UnsafeRawBufferPointer, into output: inout OutputBuffer, limit: Int
    ) throws(CompressionError) {
        if context == nil { context = ZSTD_createDCtx() }
        guard let context else { throw .failed("Zstandard has no memory") }
        var position = 0
        while position < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
            try checkMagic(rest, at: position, of: bytes.count)
            let frameByteCount = ZSTD_findFrameCompressedSize(rest.baseAddress, rest.count)
            guard ZSTD_isError(frameByteCount) == 0 else {
                throw error(frameByteCount, at: position, of: bytes.count)
            }
            let frame = UnsafeRawBufferPointer(rebasing: rest[..<frameByteCount])
            try decompressFrame(frame, context, into: &output, limit: limit) { code in
                error(code, at: position, of: bytes.count)
            }
            guard output.count <= limit else { throw .tooLarge(limit: limit) }
            position += frameByteCount
        }
    }

    /// In one call, straight into the output: the streaming calls would allocate a window as large as the
    /// frame's header claims. When the room is too small it doubles and the frame starts again, which
    /// costs as much again at most; the room is kept, so that the next batch of the kind does not.
    private func decompressFrame(
        _ frame: UnsafeRawBufferPointer, _ context: OpaquePointer, into output: inout OutputBuffer,
        limit: Int, error: (Int) -> CompressionError
    ) throws(CompressionError) {
        // A content size is a claim: believed when it says that the frame will be refused, otherwise not.
        // (All ones, and all ones less one, say that there is none.)
        let claimed = ZSTD_getFrameContentSize(frame.baseAddress, frame.count)
        if claimed < .max - 1, claimed > UInt64(limit - output.count) {
            throw .tooLarge(limit: limit)
        }
        while true {
            let count = ZSTD_decompressDCtx(
                context, output.room.baseAddress, output.room.count, frame.baseAddress, frame.count)
            if ZSTD_isError(count) == 0 { return output.advance(count) }
            guard ZSTD_getErrorCode(count) == ZSTD_error_dstSize_tooSmall else {
                throw error(count)
            }
            guard output.grow() else { throw .tooLarge(limit: limit) }
        }
    }

    /// Keeps out the formats before Zstandard 1.0, which the library may still read and nobody writes.
    private func checkMagic(
        _ rest: UnsafeRawBufferPointer, at position: Int, of count: Int
    ) throws(CompressionError) {
        guard rest.count >= 4 else { throw .endsEarly(.zstd, after: count) }
        let magic = UInt32(littleEndian: rest.loadUnaligned(as: UInt32.self))
        // Frames with data, and 16 kinds of frames to be skipped.
        guard magic == 0xfd2f_b528 || magic & 0xffff_fff0 == 0x184d_2a50 else {
            throw .damaged(.zstd, "no frame begins here", at: position, of: count)
        }
    }
}

private func error(_ code: Int, at position: Int, of count: Int) -> CompressionError {
    switch ZSTD_getErrorCode(code) {
    case ZSTD_error_memory_allocation: .failed("Zstandard has no memory")
    case ZSTD_error_srcSize_wrong: .endsEarly(.zstd, after: count)
    default: .damaged(.zstd, "\(name(code)), in the frame", at: position, of: count)
    }
}

private func name(_ code: Int) -> String {
    ZSTD_getErrorName(code).map { String(cString: $0) } ?? "error \(code)"
}
