/// Why bytes were not compressed or decompressed. Who calls adds which batch of which file it was.
package enum CompressionError: Error, Equatable, CustomStringConvertible {
    /// The bytes are not what the codec writes, end too early or go on too long. The text names the
    /// codec, what is wrong and where.
    case damaged(String)
    /// The output would have more bytes than the limit.
    case tooLarge(limit: Int)
    /// The codec has no such level.
    case invalidLevel(Int, CompressionCodec)
    /// The library could not work, for want of memory most likely; the bytes may be good.
    case failed(String)

    package var description: String {
        switch self {
        case .damaged(let what): "the compressed bytes are damaged: \(what)"
        case .tooLarge(let limit):
            "the compressed bytes hold more than the \(limit) bytes that are allowed"
        case .invalidLevel(let level, let codec):
            if let levels = codec.levels {
                "\(codec.name) has no level \(level); its levels are "
                    + "\(levels.lowerBound) to \(levels.upperBound)"
            } else {
                "\(codec.name) has no levels, so \(level) cannot be asked for"
            }
        case .failed(let what): "the codec could not work: \(what)"
        }
    }

    static func damaged(_ codec: CompressionCodec, _ what: String, at position: Int, of count: Int)
        -> CompressionError
    {
        .damaged("\(codec.name): \(what) (at byte \(position) of \(count))")
    }

    static func endsEarly(_ codec: CompressionCodec, after count: Int) -> CompressionError {
        .damaged("\(codec.name): it ends in the middle (after \(count) bytes)")
    }
}
