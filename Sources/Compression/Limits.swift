// All sizes, limits and defaults of the codecs, each with its unit and reason.

package enum CompressionLimits {
    /// Bytes of the largest input: the length of a record batch has 31 bits, and so have the libraries'.
    package static let inputBytesMax = Int(Int32.max)
    /// Bytes of memory that decompressing begins with: most batches fit, and it costs nothing.
    package static let outputBytesStart = 64 * 1024
    /// Bytes of output expected of one compressed byte, for the first guess: what events give.
    package static let expectedRatio = 4
    /// Bytes of memory kept between two calls: a single huge batch must not be held for ever.
    package static let keptBytesMax = 16 * 1024 * 1024

    /// Bytes before compression of one snappy block: what the Java client uses.
    package static let snappyBlockBytes = 32 * 1024
    /// The most that snappy's format gives: a copy of 64 bytes takes 3 bytes (and of 11 bytes 2).
    package static let snappyRatioMax = (output: 64, input: 3)

    /// zlib's levels; its default is 6.
    package static let gzipLevels = 1...9
    /// Kafka's levels of LZ4. 9 is its default and means the fast way, as does asking for none.
    package static let lz4Levels = 1...17
    package static let lz4LevelDefault = 9
    /// Zstandard's levels; negative ones are faster than 1.
    package static let zstdLevels = -131_072...22
    package static let zstdLevelDefault = 3
}
