import StreamJobsCompression
import Testing

struct CompressionCodecTests {
    @Test func `numbers are Kafka's`() {
        #expect(CompressionCodec.allCases.map(\.rawValue) == [0, 1, 2, 3, 4])
        #expect(CompressionCodec.allCases.map(\.name) == ["none", "gzip", "snappy", "lz4", "zstd"])
        #expect(CompressionCodec(rawValue: 5) == nil)
    }

    @Test func `names are Kafka's`() {
        for codec in CompressionCodec.allCases {
            #expect(CompressionCodec(name: codec.name) == codec)
        }
        #expect(CompressionCodec(name: "uncompressed") == CompressionCodec.none)
        #expect(CompressionCodec(name: "producer") == nil)
        #expect(CompressionCodec(name: "GZIP") == nil)
    }

    @Test func `limits fit each other`() throws {
        #expect(
            try #require(CompressionCodec.lz4.levels).contains(CompressionLimits.lz4LevelDefault))
        #expect(
            try #require(CompressionCodec.zstd.levels).contains(CompressionLimits.zstdLevelDefault))
        #expect(CompressionLimits.outputBytesStart <= CompressionLimits.keptBytesMax)
    }
}
