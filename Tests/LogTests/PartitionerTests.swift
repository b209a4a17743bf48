import StreamJobsLog
import Testing

struct PartitionerTests {
    /// The hashes of Kafka's UtilsTest and of kafka-python's `murmur2`, modulo the partitions.
    @Test(arguments: [
        ("", 275_646_681), ("a", -1_563_381_124), ("ab", 316_155_434), ("abc", 479_470_107),
        ("abcd", -1_323_649_548), ("21", -973_932_308), ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536), ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("EWR|2013-01-01T05:00:00Z", 678_460_076),
    ])
    func `a key goes where Kafka's producer sends it`(key: String, hash: Int32) {
        for count in [1, 2, 4, 7, 1000] {
            let partition = Array(key.utf8).withUnsafeBytes {
                Partitioner.partition(forKey: $0, of: count)
            }
            #expect(partition.rawValue == (hash & 0x7fff_ffff) % Int32(count))
        }
    }

    @Test func `bytes above 127 hash as in Kafka`() {
        let partition = [UInt8](0...255).withUnsafeBytes {
            Partitioner.partition(forKey: $0, of: 1_000_000)
        }
        #expect(partition.rawValue == (-1_948_347_274 & 0x7fff_ffff) % 1_000_000)
    }
}
