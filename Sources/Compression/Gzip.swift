// gzip (RFC 1952) by zlib: one member when writing, any number of them when reading, as Java's
// GZIPInputStream reads. The only file here that imports zlib.

private import CStreamJobsZlib

/// 15 bits of window, and 16 for "gzip, with its checksum".
private let windowBits: Int32 = 15 + 16
private let streamByteCount = Int32(MemoryLayout<z_stream>.size)

/// Room and input are told to zlib in 32 bits.
private func clamped(_ byteCount: Int) -> UInt32 { UInt32(clamping: byteCount) }

private func makeStream() -> UnsafeMutablePointer<z_stream> {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    return stream
}

/// The bytes as zlib wants them: without the `const`, though it only reads them.
private func input(_ bytes: UnsafeRawBufferPointer) -> UnsafeMutablePointer<Bytef>? {
    UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: Bytef.self))
}

final class GzipCompressor {
    // zlib keeps a pointer to it: it must not move. Made in init, gone in deinit, never handed out.
    private let stream = makeStream()
    /// The level that the stream is set up for; nil when it is not set up.
    private var level: Int32?

    deinit {
        if level != nil { deflateEnd(stream) }
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    func compress(
        _ bytes: UnsafeRawBufferPointer, level: Int?, into output: inout OutputBuffer
    ) throws(CompressionError) {
        try prepare(level: level.map(Int32.init) ?? Z_DEFAULT_COMPRESSION)
        let bound = Int(deflateBound(stream, UInt(bytes.count)))
        output.start(expecting: bound, cap: bound)
        let room = output.room
        stream.pointee.next_in = input(bytes)
        stream.pointee.avail_in = clamped(bytes.count)
        stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: Bytef.self)
        stream.pointee.avail_out = clamped(room.count)
        let code = deflate(stream, Z_FINISH)
        stream.pointee.next_in = nil
        // The bound that zlib gave is enough, so one call ends the stream.
        precondition(code == Z_STREAM_END, "zlib did not end a member: \(code)")
        output.advance(Int(stream.pointee.total_out))
    }

    private func prepare(level: Int32) throws(CompressionError) {
        if self.level == level {
            deflateReset(stream)
            return
        }
        if self.level != nil { deflateEnd(stream) }
        self.level = nil
        // 8 is zlib's default for the memory of its hash.
        let code = deflateInit2_(
            stream, level, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            streamByteCount)
        guard code == Z_OK else { throw .failed("zlib does not start (\(code))") }
        self.level = level
    }
}

final class GzipDecompressor {
    // As in the compressor.
    private let stream = makeStream()
    private var isSetUp = false

    deinit {
        if isSetUp { inflateEnd(stream) }
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    func decompress(
        _ bytes: UnsafeRawBufferPointer, into output: inout OutputBuffer, limit: Int
    ) throws(CompressionError) {
        try prepare()
        stream.pointee.next_in = input(bytes)
        stream.pointee.avail_in = clamped(bytes.count)
        defer { stream.pointee.next_in = nil }
        while true {
            if output.room.isEmpty, !output.grow() { throw .tooLarge(limit: limit) }
            let room = output.room
            stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: Bytef.self)
            stream.pointee.avail_out = clamped(room.count)
            let offered = Int(stream.pointee.avail_out)
            let code = inflate(stream, Z_NO_FLUSH)
            output.advance(offered - Int(stream.pointee.avail_out))
            let left = Int(stream.pointee.avail_in)
            switch code {
            case Z_STREAM_END:
                if left == 0 { return }
                inflateReset(stream)
            // Z_BUF_ERROR: nothing could be done, for want of input if there is room.
            case Z_OK, Z_BUF_ERROR:
                if left == 0, stream.pointee.avail_out > 0 {
                    throw .endsEarly(.gzip, after: bytes.count)
                }
            case Z_MEM_ERROR: throw .failed("zlib has no memory")
            default:
                let message = stream.pointee.msg.map { String(cString: $0) }
                throw .damaged(
                    .gzip, message ?? "zlib says \(code)", at: bytes.count - left, of: bytes.count)
            }
        }
    }

    private func prepare() throws(CompressionError) {
        if isSetUp {
            inflateReset(stream)
            return
        }
        let code = inflateInit2_(stream, windowBits, ZLIB_VERSION, streamByteCount)
        guard code == Z_OK else { throw .failed("zlib does not start (\(code))") }
        isSetUp = true
    }
}
