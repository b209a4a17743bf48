// The look for records without a key, which a compacted topic does not take.

import StreamJobsLog
import TestSupport
import Testing

struct NullKeysTests {
    private func bytes(keys: [[UInt8]?]) throws -> [UInt8] {
        let builder = BatchBuilder()
        for (index, key) in keys.enumerated() {
            try builder.append(
                key: key, value: [UInt8](repeating: 0, count: index * 100),
                timestamp: Timestamp(milliseconds: Int64(index) * 1_000_000))
        }
        return withExtendedLifetime(builder) { Array(builder.seal()) }
    }

    @Test func `the first null key is found wherever it is`() throws {
        for count in 1...100 {
            for missing in 0..<count {
                let keys = (0..<count).map {
                    $0 == missing ? nil : [UInt8](repeating: 1, count: $0)
                }
                let batch = try bytes(keys: keys)
                let found = try batch.withUnsafeBytes {
                    try NullKeys.first(
                        in: UnsafeRawBufferPointer(rebasing: $0[61...]), of: BatchHeader($0))
                }
                #expect(found == Int32(missing))
            }
        }
    }

    @Test(arguments: seeds(3))
    func `bytes that are no records are refused or read, never beyond their end`(seed: UInt64)
        throws
    {
        var random = SeededGenerator(seed: seed)
        let batch = try bytes(keys: (0..<20).map { [UInt8($0)] })
        let header = try batch.withUnsafeBytes { try BatchHeader($0) }
        for _ in 0..<5000 {
            var records = Array(batch[61...].prefix(.random(in: 0...1200, using: &random)))
            for _ in 0..<Int.random(in: 0...3, using: &random) where !records.isEmpty {
                let place = records.indices.randomElement(using: &random) ?? 0
                records[place] = .random(in: 0...255, using: &random)
            }
            // A copy of its own size, so that a sanitizer sees what lies beyond.
            try records.withUnsafeBytes { bytes in
                do {
                    _ = try NullKeys.first(in: bytes, of: header)
                } catch is MalformedBatch { return }
            }
        }
    }
}
