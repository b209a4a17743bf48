import StreamJobsCompression
import TestSupport
import Testing

struct DecompressorTests {
    @Test(arguments: KafkaPythonCompression.all)
    func `what a Python client wrote is read`(sample: KafkaPythonCompression.Sample) throws {
        let result = try Decompressor().decompress(sample.compressed, from: sample.codec)
        #expect(result == sample.content)
    }

    @Test(arguments: codecs)
    func `streams one after the other are read, but for LZ4`(codec: CompressionCodec) throws {
        let content = lines(50)
        let stream = try Compressor().compress(content, with: codec)
        let decompressor = Decompressor()
        guard codec != .lz4 else {
            return expectDamage { try decompressor.decompress(stream + stream, from: codec) }
        }
        #expect(try decompressor.decompress(stream + stream, from: codec) == content + content)
        // The limit is for all of them.
        #expect(throws: CompressionError.tooLarge(limit: content.count * 2 - 1)) {
            try decompressor.decompress(
                stream + stream, from: codec, limit: content.count * 2 - 1)
        }
    }

    // MARK: limits

    @Test(arguments: CompressionCodec.allCases)
    func `the limit is exact`(codec: CompressionCodec) throws {
        let decompressor = Decompressor()
        for content in [[1], lines(20), lines(20_000)] {
            let compressed = try Compressor().compress(content, with: codec)
            let result = try decompressor.decompress(compressed, from: codec, limit: content.count)
            #expect(result == content)
            for limit in [content.count - 1, content.count / 2, 0] {
                #expect(throws: CompressionError.tooLarge(limit: limit)) {
                    try decompressor.decompress(compressed, from: codec, limit: limit)
                }
            }
        }
    }

    @Test(arguments: codecs)
    func `a bomb is inflated up to the limit only`(codec: CompressionCodec) throws {
        let bomb = try Compressor().compress(
            [UInt8](repeating: 0, count: 64 << 20), with: codec)
        #expect(throws: CompressionError.tooLarge(limit: 1 << 20)) {
            try Decompressor().decompress(bomb, from: codec, limit: 1 << 20)
        }
    }

    /// Allows any claim.
    static let noLimit = Int(1) << 60

    @Test(arguments: ["ffffffff0f", "ffffffff0f00", "8080808001fe0100"])
    func `snappy's claimed length is not believed`(raw: String) {
        let block = bytes(raw)
        let framed =
            bytes("82534e4150505900 00000001 00000001 000000") + [UInt8(block.count)] + block
        // The sentence shows that the claim alone was refused, before memory was taken for it.
        for claim in [block, framed] {
            expectDamage("cannot give") {
                try Decompressor().decompress(claim, from: .snappy, limit: Self.noLimit)
            }
        }
    }

    @Test(arguments: ["7fffffff", "ffffffff", "80000000", "00000000"])
    func `the length of a snappy block is checked`(length: String) {
        let framed = bytes("82534e4150505900 00000001 00000001" + length + "0100 61")
        expectDamage { try Decompressor().decompress(framed, from: .snappy, limit: Self.noLimit) }
    }

    @Test func `the version of the snappy framing may be the wrong way round but not 0`() throws {
        var framed = KafkaPythonCompression.snappyEvents
        framed.replaceSubrange(8..<16, with: [1, 0, 0, 0, 1, 0, 0, 0])
        #expect(
            try Decompressor().decompress(framed, from: .snappy) == KafkaPythonCompression.events)
        framed[8] = 0
        expectDamage { try Decompressor().decompress(framed, from: .snappy) }
    }

    @Test func `zstd's claimed sizes are not believed`() {
        // No machine has memory for these claims: taking it would end the process.
        // A content size of 2^56 - 1, then of 2^56 in a segment of its own; one raw block of one byte.
        for frame in ["28b52ffd c0 58 ffffffffffffff00", "28b52ffd e0 0000000000000001"] {
            let claim = bytes(frame + "090000 61")
            expectDamage { try Decompressor().decompress(claim, from: .zstd, limit: Self.noLimit) }
            #expect(throws: CompressionError.tooLarge(limit: 1000)) {
                try Decompressor().decompress(claim, from: .zstd, limit: 1000)
            }
        }
    }

    // MARK: damage

    @Test(arguments: KafkaPythonCompression.all)
    func `every truncation is noticed`(sample: KafkaPythonCompression.Sample) throws {
        let decompressor = Decompressor()
        let compressed = sample.compressed
        // Where nothing tells that more was to come: between streams and between xerial blocks.
        var seams: Set<Int> = []
        if sample.codec == .snappy, sample.name != "snappyRaw" {
            var position = 16
            while position < compressed.count {
                seams.insert(position)
                position += 4 + compressed[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
            }
        }
        for count in 0..<compressed.count where !seams.contains(count) {
            do {
                let result = try decompressor.decompress(
                    Array(compressed[..<count]), from: sample.codec)
                // A stream that was whole, of several.
                #expect(
                    sample.isOfSeveral && result == Array(sample.content[..<100]),
                    "\(count) of \(compressed.count) bytes passed")
            } catch {}
        }
        for seam in seams {
            let result = try decompressor.decompress(
                Array(compressed[..<seam]), from: sample.codec)
            #expect(sample.content.starts(with: result) && result.count < sample.content.count)
        }
        #expect(try decompressor.decompress(compressed, from: sample.codec) == sample.content)
    }

    @Test(arguments: KafkaPythonCompression.all, [[0], [0x61, 0x62, 0x63, 0x64, 0x65]])
    func `bytes behind the end are refused`(
        sample: KafkaPythonCompression.Sample, trailing: [UInt8]
    ) {
        expectDamage {
            try Decompressor().decompress(sample.compressed + trailing, from: sample.codec)
        }
    }

    @Test(arguments: codecs)
    func `what another codec wrote is refused`(codec: CompressionCodec) throws {
        for other in codecs where other != codec {
            let compressed = try Compressor().compress(lines(20), with: other)
            expectDamage { try Decompressor().decompress(compressed, from: codec) }
        }
    }

    @Test func `LZ4 that Kafka would refuse is refused`() {
        expectDamage {
            try Decompressor().decompress(KafkaPythonCompression.lz4Linked, from: .lz4)
        }
        // A skippable frame of no bytes before the frame.
        let skippable = bytes("502a4d1800000000") + KafkaPythonCompression.lz4Events
        expectDamage { try Decompressor().decompress(skippable, from: .lz4) }
        // The wrong checksum of the header that message formats before v2 have.
        var old = KafkaPythonCompression.lz4Text
        old[14] ^= 0xff
        expectDamage { try Decompressor().decompress(old, from: .lz4) }
    }

    @Test func `an error tells the codec and the place`() {
        let compressed = KafkaPythonCompression.gzipMembers + [1, 2, 3]
        #expect(
            throws: CompressionError.damaged(
                "gzip: incorrect header check (at byte \(compressed.count - 1) of "
                    + "\(compressed.count))")
        ) {
            try Decompressor().decompress(compressed, from: .gzip)
        }
    }

    @Test(arguments: seeds(20))
    func `flipped bytes give a result within the limit or an error`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let decompressor = Decompressor()
        let limit = 100_000
        for sample in KafkaPythonCompression.all {
            for _ in 0..<50 {
                var damaged = sample.compressed
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let position = Int.random(in: 0..<damaged.count, using: &generator)
                    damaged[position] ^= UInt8.random(in: 1...255, using: &generator)
                }
                do {
                    let result = try decompressor.decompress(
                        damaged, from: sample.codec, limit: limit)
                    #expect(result.count <= limit)
                } catch {}
            }
            // An error leaves nothing behind.
            let result = try decompressor.decompress(
                sample.compressed, from: sample.codec, limit: limit)
            #expect(result == sample.content)
        }
    }

    @Test(arguments: seeds(20))
    func `garbage behind a good start gives a result within the limit or an error`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let decompressor = Decompressor()
        for sample in KafkaPythonCompression.all {
            for _ in 0..<20 {
                let kept = Int.random(in: 0..<min(sample.compressed.count, 40), using: &generator)
                let count = Int.random(in: 1...300, using: &generator)
                let garbage = sample.compressed[..<kept] + generator.bytes(count)
                do {
                    let result = try decompressor.decompress(
                        Array(garbage), from: sample.codec, limit: 5000)
                    #expect(result.count <= 5000)
                } catch {}
            }
        }
    }

    /// The damage is noticed and told with these words.
    private func expectDamage(
        _ words: String = "", location: SourceLocation = #_sourceLocation,
        _ body: () throws -> [UInt8]
    ) {
        do {
            let result = try body()
            Issue.record("\(result.count) bytes came back", sourceLocation: location)
        } catch CompressionError.damaged(let what) {
            #expect(words.isEmpty || what.contains(words), sourceLocation: location)
        } catch {
            Issue.record("\(error)", sourceLocation: location)
        }
    }
}

extension KafkaPythonCompression.Sample {
    /// Made of two streams, the first of which holds 100 bytes.
    fileprivate var isOfSeveral: Bool { name == "gzipMembers" || name == "zstdFrames" }
}
