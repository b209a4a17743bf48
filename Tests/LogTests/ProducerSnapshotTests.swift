// The file of producer states: Kafka's bytes, written by hand from its schema, and damage of every kind.

import StreamJobsChecksum
import StreamJobsLog
import TestSupport
import Testing

struct ProducerSnapshotTests {
    /// version, crc, count; then id, epoch, last sequence, last offset, offset delta, timestamp,
    /// coordinator epoch, current transaction's first offset.
    private static let golden = sealed(
        bytes(
            """
            0001 00000000 00000003
            0000000000000003 0002 ffffffff ffffffffffffffff 00000000
            0000000000000bb8 00000005 ffffffffffffffff
            0000000000000007 0000 0000000b 000000000000000b 00000001
            00000000000007d0 ffffffff ffffffffffffffff
            0000000000000009 0004 00000002 000000000000000e 00000002
            ffffffffffffffff ffffffff 000000000000000c
            """))

    private func states() throws -> ProducerStates {
        var states = ProducerStates()
        states.batchAppended(try header(id: 7, sequence: 0, at: 0, count: 10, timestamp: 1000))
        states.batchAppended(try header(id: 7, sequence: 10, at: 10, count: 2, timestamp: 2000))
        states.batchAppended(
            try header(id: 9, epoch: 4, sequence: 0, at: 12, count: 3, isTransactional: true))
        states.batchAppended(
            try header(id: 3, epoch: 1, sequence: 0, at: 15, isTransactional: true))
        states.markerAppended(
            .commit, try header(id: 3, epoch: 2, at: 16, timestamp: 3000, isControl: true),
            coordinatorEpoch: 5)
        return states
    }

    @Test func `a snapshot has exactly the bytes of the format`() throws {
        #expect(try states().snapshot() == Self.golden)
        #expect(ProducerStates().snapshot() == Self.sealed(bytes("0001 00000000 00000000")))
    }

    @Test func `a snapshot read again knows what it knew`() throws {
        let states = try read(Self.golden)
        #expect(states.snapshot() == Self.golden)
        #expect(states.firstOpen == Offset(12))
        #expect(states.openTransactions.map(\.producer) == [ProducerStamp(id: 9, epoch: 4)])
        #expect(
            try states.admit(header(id: 7, sequence: 10, at: 17, count: 2), to: TestLog.name)
                == .duplicate(first: Offset(10), last: Offset(11)))
        #expect(
            try states.admit(header(id: 7, sequence: 12, at: 17), to: TestLog.name) == .append)
        #expect(throws: LogError.self) {
            try states.admit(header(id: 3, epoch: 1, sequence: 1, at: 17), to: TestLog.name)
        }
    }

    @Test func `every truncation and every flipped bit is refused`() throws {
        for count in 0..<Self.golden.count {
            #expect(throws: LogError.self) { try read(Array(Self.golden.prefix(count))) }
        }
        for bit in 0..<Self.golden.count * 8 {
            var flipped = Self.golden
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: LogError.self) { try read(flipped) }
        }
    }

    @Test func `what a right checksum covers is still looked at`() throws {
        let entry = Array(Self.golden[56..<102])
        let open = Array(Self.golden[102...])
        var otherID = open
        otherID[7] = 10
        var negativeID = entry
        negativeID[0] = 0x80
        var deltaOverOffset = entry
        deltaOverOffset[25] = 12
        let spoilt: [(count: UInt8, [UInt8])] = [
            (2, entry), (0, entry), (1, entry + [0]), (2, entry + entry), (2, open + otherID),
            (1, negativeID), (1, deltaOverOffset),
        ]
        for (count, entries) in spoilt {
            let snapshot = bytes("0001 00000000 000000") + [count] + entries
            #expect(throws: LogError.self) { try read(Self.sealed(snapshot)) }
        }
        #expect(try read(Self.sealed(bytes("0001 00000000 00000001") + entry)).count == 1)
        #expect(throws: LogError.self) { try read(Self.sealed(bytes("0001 00000000 ffffffff"))) }
    }

    @Test(arguments: seeds(10))
    func `random bytes with a right checksum never trap`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let count = UInt8.random(in: 0..<4, using: &random)
            let entries = random.bytes(Int(count) * 46)
            let snapshot = Self.sealed(bytes("0001 00000000 000000") + [count] + entries)
            guard let states = try? read(snapshot) else { continue }
            #expect(states.count == Int(count))
            // Retries and appends beside whatever it says.
            let id = states.openTransactions.first?.producer.id ?? 1
            _ = try? states.admit(header(id: id, epoch: .max, at: 5), to: TestLog.name)
        }
    }

    private func read(_ bytes: [UInt8]) throws -> ProducerStates {
        try bytes.withUnsafeBytes { try ProducerStates(snapshot: $0) }
    }

    private static func sealed(_ snapshot: [UInt8]) -> [UInt8] {
        var snapshot = snapshot
        let checksum = snapshot[6...].withUnsafeBytes { CRC32C.checksum($0) }
        withUnsafeBytes(of: checksum.bigEndian) { snapshot.replaceSubrange(2..<6, with: $0) }
        return snapshot
    }
}
