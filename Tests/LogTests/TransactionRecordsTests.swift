// The records of `__transaction_state`: bytes written by hand from Kafka's schemas, field by field.

import StreamJobsLog
import TestSupport
import Testing

struct TransactionRecordsTests {
    /// version 0, "orders"
    private static let key = bytes("0000 0006 6f7264657273")

    private static let prepared: TransactionMetadata = {
        var metadata = TransactionMetadata(
            transactionalID: "orders", producer: ProducerStamp(id: 258, epoch: 6),
            timeout: .seconds(60), lastUpdate: Timestamp(milliseconds: 2000))
        metadata.state = .prepareCommit
        metadata.partitions = [
            TopicPartition("b", PartitionID(0)), TopicPartition("a", PartitionID(300)),
            TopicPartition("a", PartitionID(2)),
        ]
        metadata.start = Timestamp(milliseconds: 1000)
        metadata.nextProducerID = 259
        return metadata
    }()

    /// version, producer id, epoch, timeout, status, two topics each with partitions and no tags, last
    /// update, start; two tags: 1 next producer id, 2 client transaction version.
    private static let preparedBytes = bytes(
        """
        0001 0000000000000102 0006 0000ea60 02
        03 02 61 03 00000002 0000012c 00  02 62 02 00000000 00
        00000000000007d0 00000000000003e8
        02  01 08 0000000000000103  02 02 0002
        """)

    @Test func `a key and a value have exactly the bytes of the schema`() {
        #expect(TransactionRecords.key("orders") == Self.key)
        #expect(TransactionRecords.value(Self.prepared) == Self.preparedBytes)
    }

    @Test func `a state without transaction has null for its partitions`() throws {
        var metadata = TransactionMetadata(
            transactionalID: "x", producer: ProducerStamp(id: 1, epoch: 0), timeout: .seconds(1),
            lastUpdate: Timestamp(milliseconds: 5))
        metadata.previousProducerID = 7
        let expected = bytes(
            """
            0001 0000000000000001 0000 000003e8 00  00  0000000000000005 ffffffffffffffff
            02  00 08 0000000000000007  02 02 0002
            """)
        #expect(TransactionRecords.value(metadata) == expected)
        #expect(try TransactionRecords.metadata(expected, of: "x") == metadata)
    }

    @Test func `what was written is read again`() throws {
        #expect(try TransactionRecords.transactionalID(key: Self.key) == "orders")
        let read = try TransactionRecords.metadata(Self.preparedBytes, of: "orders")
        #expect(read == Self.prepared)
    }

    @Test func `version 0, as older brokers write it, is read`() throws {
        let old = bytes(
            """
            0000 0000000000000102 0006 0000ea60 02
            00000002  0001 61 00000002 00000002 0000012c  0001 62 00000001 00000000
            00000000000007d0 00000000000003e8
            """)
        var expected = Self.prepared
        expected.nextProducerID = -1
        #expect(try TransactionRecords.metadata(old, of: "orders") == expected)
        let empty = bytes(
            "0000 0000000000000102 0006 0000ea60 00 ffffffff 00000000000007d0 ffffffffffffffff")
        #expect(try TransactionRecords.metadata(empty, of: "orders").partitions.isEmpty)
    }

    @Test func `tags that this version does not know are skipped`() throws {
        var later = Self.preparedBytes
        let count = later.count - 15
        later[count] = 3
        later += bytes("03 02 0007")
        #expect(try TransactionRecords.metadata(later, of: "orders") == Self.prepared)
    }

    @Test func `keys of other kinds are no transactional ids`() throws {
        #expect(try TransactionRecords.transactionalID(key: bytes("0001 0001 61")) == nil)
    }

    @Test func `every truncation is refused, and so are other versions and states`() {
        for count in 0..<Self.preparedBytes.count {
            #expect(throws: MalformedSchema.self) {
                try TransactionRecords.metadata(Array(Self.preparedBytes.prefix(count)), of: "x")
            }
        }
        for count in 0..<Self.key.count {
            #expect(throws: MalformedSchema.self) {
                try TransactionRecords.transactionalID(key: Array(Self.key.prefix(count)))
            }
        }
        for (position, value) in [(1, 2), (0, 255), (16, 6), (16, 8)] as [(Int, UInt8)] {
            var spoilt = Self.preparedBytes
            spoilt[position] = value
            #expect(throws: MalformedSchema.self) {
                try TransactionRecords.metadata(spoilt, of: "x")
            }
        }
    }

    @Test(arguments: seeds(10))
    func `spoilt bytes give a state or an error, never a trap`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            var spoilt = Self.preparedBytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let position = Int.random(in: 0..<spoilt.count, using: &random)
                spoilt[position] = random.chance(30) ? 0xff : .random(in: 0...255, using: &random)
            }
            _ = try? TransactionRecords.metadata(spoilt, of: "x")
        }
    }

    /// Computed with Java's `String.hashCode` by hand: "a" is 97, "ab" 97 * 31 + 98 = 3105.
    @Test func `a transactional id belongs to the partition that Java's hash gives`() {
        func partition(_ id: String, _ count: Int) -> Int32 {
            TransactionRecords.partition(of: id, partitionCount: count).rawValue
        }
        #expect(partition("", 50) == 0)
        #expect(partition("a", 50) == 47)
        #expect(partition("ab", 50) == 5)
        // The smallest number has no absolute value.
        #expect(partition("polygenelubricants", 50) == 0)
    }
}
