// Batches from outside: what is not exactly right is refused, whichever bit it is.

import StreamJobsCompression
import StreamJobsLog
import TestSupport
import Testing

struct BatchValidationTests {
    private func batch(
        _ codec: CompressionCodec = .none, producer: ProducerStamp? = ProducerStamp(id: 7, epoch: 3)
    ) throws -> [UInt8] {
        let builder = BatchBuilder()
        for number in 0..<5 {
            try builder.append(
                key: [1, 2, 3], value: [UInt8](repeating: UInt8(number), count: 40),
                timestamp: Timestamp(milliseconds: 1000 + Int64(number)),
                headers: number == 2 ? [Header("h", [9]), Header("h", nil)] : [])
        }
        return Array(
            builder.seal(
                producer: producer, baseSequence: producer == nil ? -1 : 10, compression: codec))
    }

    @discardableResult
    private func validate(
        _ batch: [UInt8], _ change: (inout BatchValidation) -> Void = { _ in }
    ) throws -> BatchHeader {
        var validation = BatchValidation()
        change(&validation)
        return try batch.withUnsafeBytes { try validation.validate($0, Decompressor()) }
    }

    private func refusal(
        _ batch: [UInt8], _ change: (inout BatchValidation) -> Void = { _ in }
    ) -> String {
        do {
            try validate(batch, change)
            return "accepted"
        } catch { return "\(error)" }
    }

    @Test(arguments: CompressionCodec.allCases)
    func `a good batch is taken, and its header given`(codec: CompressionCodec) throws {
        let header = try validate(batch(codec))
        #expect(header.recordsCount == 5 && header.baseSequence == 10)
        #expect(try header.compression == codec)
        try validate(batch(codec, producer: nil))
        try validate(KafkaPythonBatches.plain)
    }

    /// All but the base offset and the leader epoch, which the log sets, and which no checksum covers.
    @Test(arguments: CompressionCodec.allCases)
    func `a bit that flips anywhere is noticed`(codec: CompressionCodec) throws {
        let good = try batch(codec)
        for position in good.indices where position >= 16 || (8..<12).contains(position) {
            for bit in 0..<8 {
                var bad = good
                bad[position] ^= 1 << UInt8(bit)
                #expect(throws: (any Error).self, "byte \(position) bit \(bit)") {
                    try validate(bad)
                }
            }
        }
    }

    @Test func `every prefix and every byte behind the batch is refused`() throws {
        let good = try batch()
        for count in good.indices {
            #expect(throws: (any Error).self) { try validate(Array(good.prefix(count))) }
        }
        #expect(refusal(good + [0]).contains("1 bytes follow the batch"))
    }

    /// Position, bytes put there, and what the refusal says, with the checksum mended.
    @Test(arguments: [
        (21, "0008", "append time"), (21, "0020", "control batch"), (21, "0040", "delete horizon"),
        (21, "0080", "unknown bits"),
        (21, "8000", "unknown bits"), (21, "0005", "codec number 5"),
        (21, "0007", "codec number 7"),
        (23, "00000005", "records count is 5 and last offset delta 5"),
        (57, "00000004", "records count"),
        (43, "ffffffffffffffff", "without a producer id"), (51, "ffff", "producer epoch is -1"),
        (53, "ffffffff", "base sequence is -1"), (53, "80000000", "base sequence"),
        (61, "00", "length"), (61, "ff", "length"),
        (64, "02", "offset delta"),
        (65, "7f", "key's length"), (69, "7e", "value's length"),
    ])
    func `a field that is not right is refused by name`(
        position: Int, hexadecimal: String, words: String
    ) throws {
        var bad = try batch()
        let field = bytes(hexadecimal)
        bad.replaceSubrange(position..<position + field.count, with: field)
        mendChecksum(&bad)
        let said = refusal(bad)
        #expect(said != "accepted" && !said.contains("checksum"), "\(said)")
        #expect(said.contains(words), "\(said)")
    }

    @Test func `limits hold: the batch's size, and what it inflates to`() throws {
        let good = try batch()
        try validate(good) { $0.bytesMax = good.count }
        let error = #expect(throws: LogError.self) {
            try validate(good) { $0.bytesMax = good.count - 1 }
        }
        #expect(error?.code == .recordTooLarge)
        let builder = BatchBuilder()
        for _ in 0..<8 {
            try builder.append(
                key: nil, value: [UInt8](repeating: 0, count: 100_000),
                timestamp: Timestamp(milliseconds: 0))
        }
        let bomb = Array(builder.seal(compression: .zstd))
        try validate(bomb)
        #expect(refusal(bomb) { $0.decompressedBytesMax = 100_000 }.contains("decompressed"))
    }

    @Test func `a marker is taken only from the log's own`() throws {
        let marker = BatchBuilder.sealMarker(.commit, of: ProducerStamp(id: 7, epoch: 3))
        let sealed = Array(marker.sealed)
        #expect(refusal(sealed).contains("control batch"))
        #expect(try validate(sealed) { $0.allowsControl = true }.isControl)
    }

    @Test(arguments: seeds(3))
    func `spoilt batches with good checksums are taken only if they can be read`(seed: UInt64)
        throws
    {
        var random = SeededGenerator(seed: seed)
        let codecs = try CompressionCodec.allCases.map { try batch($0) }
        for _ in 0..<4000 {
            guard var bad = codecs.randomElement(using: &random) else { return }
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bad[.random(in: 16..<bad.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            mendChecksum(&bad)
            guard let header = try? validate(bad) else { continue }
            try bad.withUnsafeBytes { bytes in
                let decompressor = Decompressor()
                var records = try BatchRecords(bytes, header, decompressor)
                var count: Int32 = 0
                while let record = try records.next() {
                    _ = try record.headers()
                    count += 1
                }
                // The records lie in its memory.
                withExtendedLifetime(decompressor) {}
                #expect(count == header.recordsCount)
            }
        }
    }
}
