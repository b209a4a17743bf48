// What consumers tell each other through the coordinator, which does not look into it: the metadata and
// assignments of protocol type "consumer" (Kafka: ConsumerProtocolSubscription, ConsumerProtocolAssignment).
// Later versions only add fields at the end: what is behind the known ones is left unread, as KIP-429 asks.
//
//  subscription  version int16, topics [string], user data nullable bytes,
//                from 1: owned [topic string, partitions [int32]], from 2: generation int32
//  assignment    version int16, assigned [topic string, partitions [int32]], user data nullable bytes

package enum ConsumerProtocol {
    /// The protocol type of groups of consumers, in all of Kafka's clients.
    package static let type = "consumer"
    static let subscriptionVersion: Int16 = 2
    /// The assignment has had no new field since version 0; Kafka writes the subscription's version.
    static let assignmentVersion: Int16 = 2
}

/// What a member wants, and what it has.
package struct Subscription: Hashable, Sendable {
    package var topics: [String]
    /// What the member holds while it joins: everything for cooperative members, nothing for eager ones.
    package var owned: [TopicPartition]
    /// The generation in which it got them; -1 for none.
    package var generation: Int32

    package init(topics: [String], owned: [TopicPartition] = [], generation: Int32 = -1) {
        self.topics = topics
        self.owned = owned
        self.generation = generation
    }

    package var encoded: [UInt8] {
        var writer = SchemaWriter()
        writer.integer(ConsumerProtocol.subscriptionVersion)
        writer.array(topics) { $0.string($1) }
        writer.nullableBytes(nil)
        writer.partitions(owned)
        writer.integer(generation)
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MalformedSchema) {
        var reader = SchemaReader(bytes)
        let version = try reader.integer(Int16.self)
        topics = try reader.array { reader throws(MalformedSchema) in try reader.string() }
        _ = try reader.nullableBytes()
        owned = version >= 1 ? try reader.partitions() : []
        generation = version >= 2 ? try reader.integer() : -1
    }
}

/// What a member got.
package enum Assignment {
    package static func encode(_ partitions: [TopicPartition]) -> [UInt8] {
        var writer = SchemaWriter()
        writer.integer(ConsumerProtocol.assignmentVersion)
        writer.partitions(partitions)
        writer.nullableBytes(nil)
        return writer.bytes
    }

    /// No bytes at all are the assignment of a member that the leader left out.
    package static func decode(_ bytes: [UInt8]) throws(MalformedSchema) -> [TopicPartition] {
        guard !bytes.isEmpty else { return [] }
        var reader = SchemaReader(bytes)
        _ = try reader.integer(Int16.self)
        return try reader.partitions()
    }
}

extension SchemaWriter {
    /// Partitions by topic, both in order.
    fileprivate mutating func partitions(_ partitions: [TopicPartition]) {
        let topics = Dictionary(grouping: partitions, by: \.topic).sorted { $0.key < $1.key }
        array(topics) { writer, topic in
            writer.string(topic.key)
            writer.array(topic.value.map(\.partition).sorted()) { $0.integer($1.rawValue) }
        }
    }
}

extension SchemaReader {
    fileprivate mutating func partitions() throws(MalformedSchema) -> [TopicPartition] {
        try array { reader throws(MalformedSchema) in
            let topic = try reader.string()
            return try reader.array { reader throws(MalformedSchema) in
                TopicPartition(topic, try reader.partition())
            }
        }.flatMap { $0 }
    }
}
