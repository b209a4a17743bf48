// Builders that the tests of the codecs share.

import StreamJobsCompression
import TestSupport

/// The codecs that compress.
let codecs = CompressionCodec.allCases.filter { $0 != .none }

extension Compressor {
    func compress(_ bytes: [UInt8], with codec: CompressionCodec, level: Int? = nil)
        throws -> [UInt8]
    {
        try bytes.withUnsafeBytes {
            Array(try compress($0, with: codec, level: level))
        }
    }
}

extension Decompressor {
    func decompress(_ bytes: [UInt8], from codec: CompressionCodec, limit: Int = 1 << 24)
        throws -> [UInt8]
    {
        try bytes.withUnsafeBytes {
            Array(try decompress($0, from: codec, limit: limit))
        }
    }
}

/// Lines that compress as events do.
func lines(_ count: Int) -> [UInt8] {
    Array((0..<count).map { "EWR|2013-01-01|\($0 * 7919)\n" }.joined().utf8)
}

/// Random bytes; made of words, for SeededGenerator's bytes are slow in a debug build.
func randomBytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    let words = (0..<(count + 7) / 8).map { _ in generator.next() }
    return words.withUnsafeBytes { Array($0.prefix(count)) }
}
