// Compresses the records of a batch, by the codec's framing as Kafka's clients write it.

/// Keeps the libraries' contexts and its memory between calls; belongs to one thread.
package final class Compressor {
    private var output = OutputBuffer()
    // Made at the first use: each has contexts of up to some hundred kilobytes.
    private lazy var gzip = GzipCompressor()
    private lazy var lz4 = LZ4Compressor()
    private lazy var zstd = ZstdCompressor()

    package init() {}

    /// The compressed bytes, valid until the next call or the end of this object; with `.none` the bytes
    /// themselves. They must not be a result of this object.
    ///
    /// - Parameters:
    ///   - bytes: less than 2 GiB.
    ///   - level: one of the codec's `levels`; nil is its default.
    /// - Throws: `.invalidLevel`, or `.failed` when the library has no memory.
    package func compress(
        _ bytes: UnsafeRawBufferPointer, with codec: CompressionCodec, level: Int? = nil
    ) throws(CompressionError) -> UnsafeRawBufferPointer {
        precondition(
            bytes.count <= CompressionLimits.inputBytesMax,
            "\(bytes.count) bytes are more than a batch can have")
        if let level, codec.levels?.contains(level) != true {
            throw .invalidLevel(level, codec)
        }
        switch codec {
        case .none: return bytes
        case .gzip: try gzip.compress(bytes, level: level, into: &output)
        case .snappy: try compressSnappy(bytes, into: &output)
        case .lz4: try lz4.compress(bytes, level: level, into: &output)
        case .zstd: try zstd.compress(bytes, level: level, into: &output)
        }
        return output.bytes
    }
}
