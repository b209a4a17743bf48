import StreamJobsLog
import TestSupport
import Testing

struct BatchHeaderTests {
    @Test func `the fields stand where Kafka's format has them`() throws {
        try KafkaPythonBatches.transactional.withUnsafeBytes { bytes in
            let header = try BatchHeader(bytes)
            #expect(header.baseOffset == 4 && header.nextOffset == 6 && header.recordsCount == 2)
            #expect(header.producer == ProducerStamp(id: 7, epoch: 3))
            #expect(header.isTransactional && !header.isControl && header.leaderEpoch == 0)
        }
    }

    /// Position, bytes put there, and what the message says.
    @Test(arguments: [
        (16, "01", "magic is 1"), (16, "03", "magic is 3"), (8, "ffffffff", "batch length is -1"),
        (8, "00000030", "batch length is 48"), (0, "ffffffffffffffff", "base offset is -1"),
        (0, "7fffffffffffffff", "base offset is 9223372036854775807"),
        (23, "ffffffff", "last offset delta is -1"), (57, "ffffffff", "records count is -1"),
        (57, "00000003", "records count is 3"), (57, "7fffffff", "records count is 2147483647"),
    ])
    func `a field that cannot be true is refused by name`(
        position: Int, hexadecimal: String, message: String
    ) {
        var batch = KafkaPythonBatches.transactional
        let field = bytes(hexadecimal)
        batch.replaceSubrange(position..<position + field.count, with: field)
        let error = #expect(throws: MalformedBatch.self) {
            try batch.withUnsafeBytes { _ = try BatchHeader($0) }
        }
        #expect(error?.description.contains(message) == true)
    }

    @Test func `bytes shorter than a header are cut short`() {
        for count in 0..<61 {
            let error = #expect(throws: MalformedBatch.self) {
                try KafkaPythonBatches.plain.prefix(count).withUnsafeBytes {
                    _ = try BatchHeader($0)
                }
            }
            #expect(error?.description == "the batch is cut short")
        }
    }
}
