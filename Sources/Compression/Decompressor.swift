// Decompresses the records of a batch. The bytes may come from anyone: whatever they are, a result or an
// error comes back, and no more memory is taken than real output or the limit asks for.

/// Keeps the libraries' contexts and its memory between calls; belongs to one thread.
package final class Decompressor {
    private var output = OutputBuffer()
    // Made at the first use, for most logs have batches of one codec.
    private lazy var gzip = GzipDecompressor()
    private lazy var lz4 = LZ4Decompressor()
    private lazy var zstd = ZstdDecompressor()

    package init() {}

    /// Bytes of memory for results.
    package var heldBytes: Int { output.heldBytes }

    /// Gives back the memory of a result that was larger than most, which is not valid any more.
    package func releaseMemory() { output.release() }

    /// The bytes before compression, valid until the next call or the end of this object; with `.none` the
    /// bytes themselves. They must not be a result of this object. After an error it is as good as new.
    ///
    /// - Parameters:
    ///   - bytes: less than 2 GiB; all of them must belong to the compressed data.
    ///   - limit: bytes of output that are allowed.
    /// - Throws: `.tooLarge` as soon as the output exceeds the limit; `.damaged` for anything that is not
    ///   whole; `.failed` when the library has no memory.
    package func decompress(
        _ bytes: UnsafeRawBufferPointer, from codec: CompressionCodec, limit: Int
    ) throws(CompressionError) -> UnsafeRawBufferPointer {
        precondition(
            bytes.count <= CompressionLimits.inputBytesMax,
            "\(bytes.count) bytes are more than a batch can have")
        precondition(limit >= 0, "a limit of \(limit) bytes")
        if codec == .none {
            guard bytes.count <= limit else { throw .tooLarge(limit: limit) }
            return bytes
        }
        // Every codec writes something even for nothing.
        guard !bytes.isEmpty else { throw .endsEarly(codec, after: 0) }
        // One byte more than allowed, so that "full" and "too large" differ.
        output.start(
            expecting: max(
                CompressionLimits.outputBytesStart, bytes.count * CompressionLimits.expectedRatio),
            cap: limit == .max ? limit : limit + 1)
        switch codec {
        case .none: preconditionFailure("is done above")
        case .gzip: try gzip.decompress(bytes, into: &output, limit: limit)
        case .snappy: try decompressSnappy(bytes, into: &output, limit: limit)
        case .lz4: try lz4.decompress(bytes, into: &output, limit: limit)
        case .zstd: try zstd.decompress(bytes, into: &output, limit: limit)
        }
        guard output.count <= limit else { throw .tooLarge(limit: limit) }
        return output.bytes
    }
}
