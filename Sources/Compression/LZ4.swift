// LZ4 frames as Kafka's record batches v2 have them: independent blocks of 64 KiB, the right checksum of the
// header (message format 0 had a wrong one), neither content size nor checksums of the content,
// which the batch's CRC covers. The only file that imports LZ4.

private import CStreamJobsLZ4

private let frameVersion = UInt32(LZ4F_VERSION)

final class LZ4Compressor {
    // Made at the first call, freed in deinit, never handed out.
    private var context: OpaquePointer?

    deinit { LZ4F_freeCompressionContext(context) }

    func compress(
        _ bytes: UnsafeRawBufferPointer, level: Int?, into output: inout OutputBuffer
    ) throws(CompressionError) {
        if context == nil, LZ4F_isError(LZ4F_createCompressionContext(&context, frameVersion)) != 0
        {
            throw .failed("LZ4 has no memory")
        }
        var preferences = LZ4F_preferences_t()
        preferences.frameInfo.blockSizeID = LZ4F_max64KB
        preferences.frameInfo.blockMode = LZ4F_blockIndependent
        // Kafka takes the fast way at its default level, and LZ4 HC at all others.
        let isFast = level == nil || level == CompressionLimits.lz4LevelDefault
        // LZ4 takes levels above its own greatest (12) for that one, and below 3 the fast way.
        preferences.compressionLevel = isFast ? 0 : Int32(level ?? 0)
        // Nothing is kept back in the context, so one update does all.
        preferences.autoFlush = 1

        let bound = LZ4F_compressFrameBound(bytes.count, &preferences)
        output.start(expecting: bound, cap: bound)
        try add(
            LZ4F_compressBegin(context, output.room.baseAddress, output.room.count, &preferences),
            to: &output)
        if !bytes.isEmpty {
            try add(
                LZ4F_compressUpdate(
                    context, output.room.baseAddress, output.room.count, bytes.baseAddress,
                    bytes.count, nil),
                to: &output)
        }
        try add(
            LZ4F_compressEnd(context, output.room.baseAddress, output.room.count, nil), to: &output)
    }

    private func add(_ result: Int, to output: inout OutputBuffer) throws(CompressionError) {
        // The room is LZ4's own bound and the calls are in order: only memory can lack.
        guard LZ4F_isError(result) == 0 else { throw .failed("LZ4 says \(name(result))") }
        output.advance(result)
    }
}

final class LZ4Decompressor {
    // As in the compressor.
    private var context: OpaquePointer?

    deinit { LZ4F_freeDecompressionContext(context) }

    func decompress(
        _ bytes: UnsafeRawBufferPointer, into output: inout OutputBuffer, limit: Int
    ) throws(CompressionError) {
        if context == nil,
            LZ4F_isError(LZ4F_createDecompressionContext(&context, frameVersion)) != 0
        {
            throw .failed("LZ4 has no memory")
        }
        LZ4F_resetDecompressionContext(context)
        try checkStart(bytes)
        var position = 0
        while true {
            if output.room.isEmpty, !output.grow() { throw .tooLarge(limit: limit) }
            let room = output.room
            var written = room.count
            var read = bytes.count - position
            let result = LZ4F_decompress(
                context, room.baseAddress, &written, bytes.baseAddress.map { $0 + position }, &read,
                nil)
            guard LZ4F_isError(result) == 0 else {
                throw .damaged(.lz4, name(result), at: position, of: bytes.count)
            }
            output.advance(written)
            position += read
            if result == 0 {
                // One frame is all that Kafka reads.
                guard position == bytes.count else {
                    throw .damaged(
                        .lz4, "there is something behind the frame", at: position, of: bytes.count)
                }
                return
            }
            // With room left LZ4 stops only for want of input.
            if written < room.count, position == bytes.count {
                throw .endsEarly(.lz4, after: bytes.count)
            }
            precondition(read > 0 || written > 0, "LZ4 neither reads nor writes")
        }
    }

    /// What LZ4 would take and Kafka does not: skippable frames, and blocks that refer to earlier ones,
    /// for which LZ4 would also keep more memory.
    private func checkStart(_ bytes: UnsafeRawBufferPointer) throws(CompressionError) {
        let magic: [UInt8] = [0x04, 0x22, 0x4d, 0x18]
        guard bytes.count > magic.count else { throw .endsEarly(.lz4, after: bytes.count) }
        guard bytes.starts(with: magic) else {
            throw .damaged(.lz4, "it does not begin with a frame", at: 0, of: bytes.count)
        }
        // Bit 5 of the flags: blocks are independent.
        guard bytes[magic.count] & 0x20 != 0 else {
            throw .damaged(
                .lz4, "its blocks depend on each other, which Kafka refuses", at: magic.count,
                of: bytes.count)
        }
    }
}

private func name(_ result: Int) -> String {
    LZ4F_getErrorName(result).map { String(cString: $0) } ?? "error \(result)"
}
