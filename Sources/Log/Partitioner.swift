// Which partition a record goes to.

/// How a producer chooses the partition of a record that was given none.
public struct Partitioner: Sendable {
    /// Nil: any partition, the same one until its batch is full (sticky, KIP-480).
    let choose: (@Sendable (_ key: UnsafeRawBufferPointer?, _ topic: Topic) -> PartitionID?)?

    /// Kafka's default: murmur2 over the key's bytes; records without a key are spread, a batch each.
    public static let byKey = Partitioner(choose: nil)

    /// A choice of the user's own, called with each record; nil is any partition, as for null keys. The
    /// key is valid during the call. A partition that the topic does not have makes `send` throw.
    public static func custom(
        _ choose:
            @escaping @Sendable (_ key: UnsafeRawBufferPointer?, _ topic: Topic) -> PartitionID?
    ) -> Partitioner {
        Partitioner(choose: choose)
    }
}

/// Kafka's hash (Kafka: `Utils.murmur2`, `BuiltInPartitioner`): our topics are co-partitioned with those of
/// Java producers.
extension Partitioner {
    /// - Parameter partitionCount: One at least.
    public static func partition(forKey key: UnsafeRawBufferPointer, of partitionCount: Int)
        -> PartitionID
    {
        PartitionID(Int(murmur2(key) & 0x7fff_ffff) % partitionCount)
    }

    /// MurmurHash2, 32 bits, with Kafka's seed.
    static func murmur2(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let multiplier: UInt32 = 0x5bd1_e995
        var hash = 0x9747_b28c ^ UInt32(truncatingIfNeeded: bytes.count)
        let wholeWords = bytes.count & ~3
        var position = 0
        while position < wholeWords {
            var word = UInt32(
                littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
            word &*= multiplier
            word ^= word >> 24
            word &*= multiplier
            hash = (hash &* multiplier) ^ word
            position += 4
        }
        let rest = bytes.count - wholeWords
        if rest > 0 {
            for index in (0..<rest).reversed() {
                hash ^= UInt32(bytes[wholeWords + index]) << UInt32(8 * index)
            }
            hash &*= multiplier
        }
        hash ^= hash >> 13
        hash &*= multiplier
        hash ^= hash >> 15
        return hash
    }
}

extension PartitionID {
    /// The partition of an internal topic that holds what is called `text`: Java's `String.hashCode`, made
    /// positive, modulo the partitions, as Kafka has it for groups and transactional ids.
    init(javaHashOf text: String, partitionCount: Int) {
        let hash = text.utf16.reduce(Int32(0)) { 31 &* $0 &+ Int32($1) }
        // Java's least integer has no positive counterpart; Kafka takes 0 for it.
        self.init(hash == .min ? 0 : Int(abs(hash)) % partitionCount)
    }
}
