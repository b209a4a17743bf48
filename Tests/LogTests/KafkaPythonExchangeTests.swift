// Reads batches that kafka-python and aiokafka have written, and writes segments for them to read: run by
// scripts/check-kafka-python, which sets STREAMJOBS_EXCHANGE to a directory of both.

import Foundation
import StreamJobsCompression
import StreamJobsLog
import Testing

private let exchange = ProcessInfo.processInfo.environment["STREAMJOBS_EXCHANGE"]

@Suite(.enabled(if: exchange != nil))
struct KafkaPythonExchangeTests {
    /// The script's program has the same records.
    private let expected = (0..<50).map { number in
        let value = String(repeating: "value \(number) ", count: number % 9 + 1)
        return Entry(
            offset: Int64(number),
            key: number % 5 == 0 ? nil : Array("key \(number)".utf8),
            value: number % 7 == 0 ? nil : Array(value.utf8),
            timestamp: 1_000_000 + Int64(number) * 10,
            headers: number % 3 == 0 ? [Header("h", [UInt8(number)]), Header("n", nil)] : [])
    }

    @Test(arguments: ["kafka-python", "aiokafka"], CompressionCodec.allCases)
    func `what the other has written is read`(client: String, codec: CompressionCodec) throws {
        let directory = try #require(exchange)
        let log = try TestLog()
        let theirs = try readFile("\(directory)/\(client)-\(codec.name).log")
        try writeFile(try log.segments[0], theirs)
        let read = try log.withPartition { try $0.entries() }
        #expect(read == expected)
        // And would be taken from the network.
        var position = 0
        while position < theirs.count {
            let end = position + batchByteCount(theirs, at: position)
            let header = try theirs[position..<end].withUnsafeBytes {
                try BatchValidation().validate($0, Decompressor())
            }
            #expect(try header.compression == codec)
            position = end
        }
    }

    @Test(arguments: CompressionCodec.allCases)
    func `a segment is written for the other to read`(codec: CompressionCodec) throws {
        let directory = try #require(exchange)
        let log = try TestLog()
        try log.withPartition { partition in
            for first in [0, 25] {
                let batch = BatchBuilder()
                for entry in expected[first..<first + 25] {
                    try batch.append(
                        key: entry.key, value: entry.value,
                        timestamp: Timestamp(milliseconds: entry.timestamp),
                        headers: entry.headers)
                }
                let sealed = batch.seal(
                    producer: ProducerStamp(id: 7, epoch: 0), baseSequence: Int32(first),
                    compression: codec)
                _ = try withExtendedLifetime(batch) { try partition.append(sealed) }
            }
        }
        let path = "\(directory)/ours-\(codec.name).log"
        try Data(try readFile(try log.segments[0])).write(to: URL(fileURLWithPath: path))
    }
}
