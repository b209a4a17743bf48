import StreamJobsLog
import TestSupport
import Testing

struct BatchBuilderTests {
    /// Written out by hand from Kafka's description of the format; the checksum was computed with the
    /// bitwise definition of CRC-32C.
    @Test func `a batch has the bytes of Kafka's record batch version 2`() throws {
        let batch = BatchBuilder()
        try batch.append(
            key: Array("k".utf8), value: Array("hi".utf8), timestamp: Timestamp(milliseconds: 1000),
            headers: [Header("h", nil)])
        try batch.append(key: nil, value: [], timestamp: Timestamp(milliseconds: 1002))
        let expected = bytes(
            """
            0000000000000000 00000045 00000000 02 4c67cb5e
            0000 00000001 00000000000003e8 00000000000003ea ffffffffffffffff ffff ffffffff 00000002
            18 00 00 00 02 6b 04 6869 02 02 68 01
            0c 00 04 02 01 00 00
            """)
        #expect(Array(batch.seal()) == expected)
    }

    @Test func `a marker has the bytes of Kafka's end of transaction`() throws {
        let commit = BatchBuilder.sealMarker(.commit, of: ProducerStamp(id: 7, epoch: 3))
        let sealed = Array(commit.sealed)
        #expect(sealed[16] == 2)
        #expect(Array(sealed[21..<27]) == bytes("0030 00000000"))
        #expect(Array(sealed[43..<61]) == bytes("0000000000000007 0003 ffffffff 00000001"))
        #expect(Array(sealed[61...]) == bytes("20 00 00 00 08 00000001 0c 000000000000 00"))
    }

    @Test func `a record that no batch can hold is refused and adds nothing`() throws {
        let batch = BatchBuilder()
        let value = [UInt8](repeating: 1, count: Limits.batchBytesMax)
        let now = Timestamp(milliseconds: 5)
        let error = #expect(throws: LogError.self) {
            try batch.append(key: nil, value: value, timestamp: now)
        }
        #expect(error?.code == .recordTooLarge)
        #expect(error?.message.contains(String(Limits.batchBytesMax - 61)) == true)
        #expect(batch.isEmpty && batch.byteCount == 61)
        try batch.append("small")
        let before = Array(batch.seal())
        #expect(throws: LogError.self) { try batch.append(key: value, value: nil, timestamp: now) }
        #expect(Array(batch.seal()) == before)
    }

    @Test func `the largest record fits and one byte more does not`() throws {
        // Header 61, length 3, attributes 1, deltas 2, null key 1, length of the value 3, headers 1.
        let largest = Limits.batchBytesMax - 61 - 3 - 1 - 2 - 1 - 3 - 1
        let batch = BatchBuilder()
        #expect(throws: LogError.self) {
            try batch.append(
                key: nil, value: [UInt8](repeating: 0, count: largest + 1),
                timestamp: Timestamp(milliseconds: 0))
        }
        try batch.append(
            key: nil, value: [UInt8](repeating: 0, count: largest),
            timestamp: Timestamp(milliseconds: 0))
        #expect(batch.byteCount == Limits.batchBytesMax)
    }

    @Test func `headers count when a batch is asked for room`() throws {
        let batch = BatchBuilder()
        let headers = [Header("h", [UInt8](repeating: 0, count: Limits.batchBytesTarget))]
        #expect(batch.hasRoom(for: 1, headers: headers), "an empty batch takes any record")
        try batch.append("a")
        #expect(!batch.hasRoom(for: 1, headers: headers))
        #expect(batch.hasRoom(for: 1))
    }

    @Test func `a builder begins again after a reset`() throws {
        let batch = BatchBuilder()
        try batch.append(key: nil, value: [1], timestamp: Timestamp(milliseconds: 999))
        _ = batch.seal(producer: ProducerStamp(id: 1, epoch: 1), isTransactional: true)
        batch.reset()
        try batch.append("a")
        let other = BatchBuilder()
        try other.append("a")
        #expect(Array(batch.seal()) == Array(other.seal()))
    }
}
