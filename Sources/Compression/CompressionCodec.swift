// The codecs that a record batch may be compressed with, by Kafka's numbers and names.

/// How the records of a batch are compressed. The raw value is what Kafka writes into bits 0 to 2 of the
/// batch's attributes; a number without a case is a codec of the future or damage.
package enum CompressionCodec: UInt8, Sendable, CaseIterable {
    case none = 0
    case gzip
    case snappy
    case lz4
    case zstd

    /// The codec of Kafka's `compression.type`; nil for a name that is none ("producer" is a policy and
    /// no codec).
    package init?(name: String) {
        switch name {
        case "none", "uncompressed": self = .none
        case "gzip": self = .gzip
        case "snappy": self = .snappy
        case "lz4": self = .lz4
        case "zstd": self = .zstd
        default: return nil
        }
    }

    package var name: String {
        switch self {
        case .none: "none"
        case .gzip: "gzip"
        case .snappy: "snappy"
        case .lz4: "lz4"
        case .zstd: "zstd"
        }
    }

    /// The levels that may be asked for, as in Kafka (KIP-390); nil for a codec that has none.
    package var levels: ClosedRange<Int>? {
        switch self {
        case .none, .snappy: nil
        case .gzip: CompressionLimits.gzipLevels
        case .lz4: CompressionLimits.lz4Levels
        case .zstd: CompressionLimits.zstdLevels
        }
    }
}
