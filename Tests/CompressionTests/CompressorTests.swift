import StreamJobsCompression
import TestSupport
import Testing

struct CompressorTests {
    static let contents: [(String, [UInt8])] = [
        ("nothing", []),
        ("one byte", [7]),
        ("a snappy block", lines(3000).prefix(32 * 1024) + []),
        ("a snappy block and a byte", lines(3000).prefix(32 * 1024 + 1) + []),
        ("lines", lines(10_000)),
        ("zeros", Array(repeating: 0, count: 300_000)),
        ("random bytes", randomBytes(300_000, seed: 1)),
        (
            "10 MiB, half of them random",
            randomBytes(5 << 20, seed: 2) + [UInt8](repeating: 9, count: 5 << 20)
        ),
    ]

    @Test(arguments: CompressionCodec.allCases)
    func `what is compressed comes back`(codec: CompressionCodec) throws {
        // The same two objects for all, from small to large and back to small.
        let compressor = Compressor()
        let decompressor = Decompressor()
        for (name, content) in Self.contents + Self.contents.reversed() {
            let compressed = try compressor.compress(content, with: codec)
            let result = try decompressor.decompress(compressed, from: codec, limit: content.count)
            #expect(result == content, "\(name)")
        }
    }

    @Test(arguments: codecs)
    func `lines become less than half`(codec: CompressionCodec) throws {
        let content = lines(10_000)
        #expect(try Compressor().compress(content, with: codec).count < content.count / 2)
    }

    @Test(arguments: codecs)
    func `one object serves all levels in any order`(codec: CompressionCodec) throws {
        let compressor = Compressor()
        let decompressor = Decompressor()
        let content = lines(2000)
        var generator = SeededGenerator(seed: 1)
        let levels = (codec.levels.map { Array($0.clamped(to: -5...22)) } ?? [])
            .shuffled(using: &generator)
        for level in [nil] + levels + [nil] {
            let compressed = try compressor.compress(content, with: codec, level: level)
            #expect(
                try decompressor.decompress(compressed, from: codec) == content, "\(level ?? 0)")
        }
    }

    @Test func `a higher level compresses more`() throws {
        let compressor = Compressor()
        let content = lines(10_000)
        for (codec, low, high) in [(CompressionCodec.gzip, 1, 9), (.lz4, 9, 12), (.zstd, -5, 19)] {
            let less = try compressor.compress(content, with: codec, level: low)
            #expect(try compressor.compress(content, with: codec, level: high).count < less.count)
        }
    }

    @Test(arguments: [
        (CompressionCodec.none, 1), (.gzip, 0), (.gzip, 10), (.snappy, 1), (.lz4, 0), (.lz4, 18),
        (.zstd, 23), (.zstd, .min),
    ])
    func `a level that the codec does not have is refused`(codec: CompressionCodec, level: Int) {
        #expect(throws: CompressionError.invalidLevel(level, codec)) {
            try Compressor().compress([1], with: codec, level: level)
        }
    }

    @Test func `snappy is framed as the Java client does, in blocks of 32 KiB`() throws {
        let content = randomBytes(70_000, seed: 3)
        let compressed = try Compressor().compress(content, with: .snappy)
        // 82 "SNAPPY" 0, version 1, compatible with 1.
        #expect(Array(compressed[..<16]) == bytes("82534e41505059000000000100000001"))
        var position = 16
        var result: [UInt8] = []
        var sizes: [Int] = []
        while position < compressed.count {
            let start = position + 4
            let length = compressed[position..<start].reduce(0) { $0 << 8 | Int($1) }
            position = start + length
            // A block is raw snappy, which is read as well.
            let block = Array(compressed[start..<position])
            result += try Decompressor().decompress(block, from: .snappy)
            sizes.append(result.count)
        }
        #expect(result == content)
        #expect(sizes == [32 * 1024, 64 * 1024, 70_000])
    }

    @Test func `an LZ4 frame has independent blocks of 64 KiB and nothing optional`() throws {
        for level in [nil, 1, 12] {
            let compressed = try Compressor().compress(lines(9000), with: .lz4, level: level)
            // Magic, flags (version 1, independent), block size 4, and the right checksum of these.
            #expect(Array(compressed[..<7]) == bytes("04224d18604082"))
        }
    }

    @Test func `a zstd frame is one segment that tells its size`() throws {
        let compressed = try Compressor().compress(lines(20), with: .zstd)
        // Magic; size in two bytes (less 256), one segment, no checksum, no dictionary.
        #expect(Array(compressed[..<5]) == bytes("28b52ffd60"))
        #expect(Int(compressed[5]) + Int(compressed[6]) << 8 + 256 == lines(20).count)
    }

    @Test func `gzip is one member with a checksum, by deflate`() throws {
        let compressed = try Compressor().compress(lines(20), with: .gzip)
        #expect(Array(compressed[..<4]) == bytes("1f8b0800"))
    }
}
