// The bytes of `__consumer_offsets`, written here field by field as Apache Kafka's schemas list them
// (OffsetCommitKey, OffsetCommitValue, GroupMetadataKey, GroupMetadataValue, ConsumerProtocolSubscription,
// ConsumerProtocolAssignment; all in the encoding before "flexible" versions).

import StreamJobsLog
import TestSupport
import Testing

struct GroupFormatTests {
    private let partition = TopicPartition("in", PartitionID(7))

    @Test func `the key of an offset is version, group, topic and partition`() throws {
        let key = OffsetsKey.offset(group: "g1", partition)
        let golden = bytes("0001" + "0002 6731" + "0002 696e" + "00000007")
        #expect(key.encoded == golden)
        #expect(try OffsetsKey.decode(golden) == key)
        #expect(try OffsetsKey.decode(bytes("0000" + "0002 6731 0002 696e 00000007")) == key)
    }

    @Test func `the key of a group is version and group`() throws {
        let golden = bytes("0002" + "0002 6731")
        #expect(OffsetsKey.group("g1").encoded == golden)
        #expect(try OffsetsKey.decode(golden) == .group("g1"))
    }

    @Test func `keys of later kinds are left to later versions`() throws {
        // Version 3: a member of a group of the next protocol (KIP-848).
        #expect(try OffsetsKey.decode(bytes("0003 0002 6731")) == nil)
    }

    private let committed = CommittedOffset(
        Offset(258), leaderEpoch: 3, metadata: "note", timestamp: Timestamp(milliseconds: 1_000))

    @Test func `a committed offset is written in version 3`() throws {
        let golden = bytes(
            "0003"  // version
                + "0000000000000102"  // offset
                + "00000003"  // leader epoch
                + "0004 6e6f7465"  // metadata
                + "00000000000003e8")  // commit timestamp
        #expect(committed.encoded == golden)
        #expect(try CommittedOffset(decoding: golden) == committed)
    }

    @Test func `committed offsets of earlier versions are read`() throws {
        var expected = committed
        expected.leaderEpoch = nil
        let fields = "0000000000000102" + "0004 6e6f7465" + "00000000000003e8"
        #expect(try CommittedOffset(decoding: bytes("0000" + fields)) == expected)
        #expect(
            try CommittedOffset(decoding: bytes("0001" + fields + "00000000000007d0")) == expected)
        #expect(try CommittedOffset(decoding: bytes("0002" + fields)) == expected)
    }

    @Test func `no leader epoch is minus one`() throws {
        let unknown = CommittedOffset(Offset(1), timestamp: Timestamp(milliseconds: 0))
        let golden = bytes("0003 0000000000000001 ffffffff 0000 0000000000000000")
        #expect(unknown.encoded == golden)
        #expect(try CommittedOffset(decoding: golden) == unknown)
    }

    private var metadata: GroupMetadata {
        GroupMetadata(
            protocolType: "consumer", generation: 5, protocolName: "range", leader: "m-1",
            timestamp: Timestamp(milliseconds: 1_000),
            members: [
                GroupMetadata.Member(
                    id: "m-1", instanceID: nil, clientID: "c", clientHost: "/h",
                    rebalanceTimeout: .seconds(60), sessionTimeout: .milliseconds(45_000),
                    subscription: [1, 2], assignment: [3]),
                GroupMetadata.Member(
                    id: "m-2", instanceID: "i", clientID: "c", clientHost: "/h",
                    rebalanceTimeout: .seconds(60), sessionTimeout: .milliseconds(45_000),
                    subscription: [], assignment: []),
            ])
    }

    @Test func `a group is written in version 3`() throws {
        let golden = bytes(
            "0003"  // version
                + "0008 636f6e73756d6572"  // protocol type
                + "00000005"  // generation
                + "0005 72616e6765"  // protocol
                + "0003 6d2d31"  // leader
                + "00000000000003e8"  // state timestamp
                + "00000002"  // members
                + "0003 6d2d31" + "ffff" + "0001 63" + "0002 2f68"  // ids, client id, client host
                + "0000ea60" + "0000afc8"  // rebalance and session timeout
                + "00000002 0102" + "00000001 03"  // subscription, assignment
                + "0003 6d2d32" + "0001 69" + "0001 63" + "0002 2f68"
                + "0000ea60" + "0000afc8" + "00000000" + "00000000")
        #expect(metadata.encoded == golden)
        #expect(try GroupMetadata(decoding: golden) == metadata)
    }

    @Test func `groups of earlier versions are read`() throws {
        let golden = bytes(
            "0000" + "0008 636f6e73756d6572" + "00000005" + "0005 72616e6765" + "0003 6d2d31"
                + "00000001" + "0003 6d2d31" + "0001 63" + "0002 2f68" + "0000afc8"
                + "00000002 0102" + "00000001 03")
        var expected = metadata
        expected.timestamp = Timestamp(milliseconds: -1)
        expected.members.removeLast()
        expected.members[0].rebalanceTimeout = .milliseconds(45_000)
        #expect(try GroupMetadata(decoding: golden) == expected)
    }

    @Test func `an empty group has no protocol and no leader`() throws {
        let empty = GroupMetadata(
            protocolType: "consumer", generation: 6, protocolName: nil, leader: nil,
            timestamp: Timestamp(milliseconds: 0), members: [])
        let golden = bytes(
            "0003 0008 636f6e73756d6572 00000006 ffff ffff 0000000000000000 00000000")
        #expect(empty.encoded == golden)
        #expect(try GroupMetadata(decoding: golden) == empty)
    }

    @Test func `a subscription is written in version 2`() throws {
        let subscription = Subscription(
            topics: ["in", "x"],
            owned: [partition, TopicPartition("in", PartitionID(1))], generation: 9)
        let golden = bytes(
            "0002"  // version
                + "00000002" + "0002 696e" + "0001 78"  // topics
                + "ffffffff"  // user data
                + "00000001" + "0002 696e" + "00000002 00000001 00000007"  // owned
                + "00000009")  // generation
        #expect(subscription.encoded == golden)
        let read = try Subscription(decoding: golden)
        #expect(read.topics == ["in", "x"] && read.generation == 9)
        #expect(Set(read.owned) == Set(subscription.owned))
    }

    @Test func `subscriptions of other versions are read as far as they are known`() throws {
        let oldest = try Subscription(decoding: bytes("0000 00000001 0001 78 00000002 aabb"))
        #expect(oldest == Subscription(topics: ["x"]))
        let later = try Subscription(
            decoding: bytes("0004 00000001 0001 78 ffffffff 00000000 00000002 c0ffee"))
        #expect(later == Subscription(topics: ["x"], generation: 2))
    }

    @Test func `an assignment names partitions by topic`() throws {
        let partitions = [TopicPartition("in", PartitionID(1)), partition]
        let golden = bytes(
            "0002" + "00000001" + "0002 696e" + "00000002 00000001 00000007" + "ffffffff")
        #expect(Assignment.encode(partitions) == golden)
        #expect(try Assignment.decode(golden) == partitions)
        #expect(try Assignment.decode([]) == [])
    }

    /// Values of Java's `Math.abs("…".hashCode()) % n`, computed by hand: "a" is 97, "ab" is 97·31+98,
    /// "polygenelubricants" is the least integer.
    @Test func `a group's partition is that of Java's hash`() {
        func partition(_ group: String, _ count: Int) -> Int32 {
            OffsetsTopic.partition(of: group, partitionCount: count).rawValue
        }
        #expect(partition("a", 50) == 47)
        #expect(partition("ab", 50) == 5)
        #expect(partition("", 50) == 0)
        #expect(partition("polygenelubricants", 50) == 0)
        // "hello" hashes to 99162322, "é" to 233 (one UTF-16 unit), "😀" to 55357·31+56832.
        #expect(partition("hello", 50) == 22)
        #expect(partition("é", 50) == 33)
        #expect(partition("😀", 50) == 49)
    }

    @Test func `values of a later version are refused as such`() {
        #expect(throws: MalformedSchema.self) { try CommittedOffset(decoding: bytes("0004 00")) }
        #expect(throws: MalformedSchema.self) { try GroupMetadata(decoding: bytes("0004 00")) }
    }

    @Test func `bytes that are cut short, or claim more than there is, are refused`() throws {
        let whole = metadata.encoded
        for count in 0..<whole.count {
            #expect(throws: MalformedSchema.self) {
                try GroupMetadata(decoding: Array(whole.prefix(count)))
            }
        }
        // 2³¹ - 1 members in no bytes.
        let claim = bytes("0003 0000 00000000 ffff ffff 0000000000000000 7fffffff")
        #expect(throws: MalformedSchema.self) { try GroupMetadata(decoding: claim) }
    }

    @Test(arguments: seeds(20))
    func `random bytes are read or refused, never trapped on`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            var noise = random.bytes(.random(in: 0...60, using: &random))
            if noise.count > 1 { (noise[0], noise[1]) = (0, .random(in: 0...4, using: &random)) }
            _ = try? OffsetsKey.decode(noise)
            _ = try? CommittedOffset(decoding: noise)
            _ = try? GroupMetadata(decoding: noise)
            _ = try? Subscription(decoding: noise)
            _ = try? Assignment.decode(noise)
        }
    }
}
