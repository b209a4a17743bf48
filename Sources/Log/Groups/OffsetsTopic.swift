// Keys and values of the compacted topic `__consumer_offsets`, as Kafka writes them; a null value deletes.
// All fields in Kafka's classic encoding (Records/SchemaBytes.swift). Nothing here touches the log.
//
//  key                 version int16, then
//   0, 1 offset        group string, topic string, partition int32
//   2    group         group string
//  other versions are later kinds of records: skipped, as Kafka does
//
//  value of an offset  version int16 (0-3, written: 3), offset int64,
//                      from 3: leader epoch int32 (-1: none), metadata string, commit timestamp int64,
//                      only in 1: expire timestamp int64
//  value of a group    version int16 (0-3, written: 3), protocol type string, generation int32,
//                      protocol nullable string, leader nullable string,
//                      from 2: state timestamp int64, members [
//                        member id string, from 3: instance id nullable string, client id string,
//                        client host string, from 1: rebalance timeout int32 (ms),
//                        session timeout int32 (ms), subscription bytes, assignment bytes ]

/// The topic and which of its partitions holds a group.
package enum OffsetsTopic {
    package static let name = "__consumer_offsets"

    package static func partition(of group: String, partitionCount: Int) -> PartitionID {
        PartitionID(javaHashOf: group, partitionCount: partitionCount)
    }
}

/// A position that a group has committed for a partition.
public struct CommittedOffset: Hashable, Sendable {
    /// The next offset to be read.
    public var offset: Offset
    /// The leader epoch of the record before it; nil where nobody has noted it.
    public var leaderEpoch: Int32?
    /// Whatever the committer wants to keep; at most `Limits.offsetMetadataBytesMax` bytes.
    public var metadata: String
    /// When it was committed.
    public var timestamp: Timestamp

    public init(
        _ offset: Offset, leaderEpoch: Int32? = nil, metadata: String = "",
        timestamp: Timestamp = .now()
    ) {
        self.offset = offset
        self.leaderEpoch = leaderEpoch
        self.metadata = metadata
        self.timestamp = timestamp
    }
}

/// A group as its record in the topic says.
package struct GroupMetadata: Hashable, Sendable {
    package struct Member: Hashable, Sendable {
        package var id: String
        package var instanceID: String?
        package var clientID: String
        package var clientHost: String
        package var rebalanceTimeout: Duration
        package var sessionTimeout: Duration
        package var subscription: [UInt8]
        package var assignment: [UInt8]

        package init(
            id: String, instanceID: String?, clientID: String, clientHost: String,
            rebalanceTimeout: Duration, sessionTimeout: Duration, subscription: [UInt8],
            assignment: [UInt8]
        ) {
            self.id = id
            self.instanceID = instanceID
            self.clientID = clientID
            self.clientHost = clientHost
            self.rebalanceTimeout = rebalanceTimeout
            self.sessionTimeout = sessionTimeout
            self.subscription = subscription
            self.assignment = assignment
        }
    }

    package var protocolType: String
    package var generation: Int32
    package var protocolName: String?
    package var leader: String?
    package var timestamp: Timestamp
    package var members: [Member]

    package init(
        protocolType: String, generation: Int32, protocolName: String?, leader: String?,
        timestamp: Timestamp, members: [Member]
    ) {
        self.protocolType = protocolType
        self.generation = generation
        self.protocolName = protocolName
        self.leader = leader
        self.timestamp = timestamp
        self.members = members
    }
}

// MARK: Keys

/// What a record of the topic is about.
package enum OffsetsKey: Hashable, Sendable {
    case offset(group: String, TopicPartition)
    case group(String)

    package var group: String {
        switch self {
        case .offset(let group, _), .group(let group): group
        }
    }

    package var encoded: [UInt8] {
        var writer = SchemaWriter()
        switch self {
        case .offset(let group, let partition):
            writer.integer(Int16(1))
            writer.string(group)
            writer.string(partition.topic)
            writer.integer(partition.partition.rawValue)
        case .group(let group):
            writer.integer(Int16(2))
            writer.string(group)
        }
        return writer.bytes
    }

    /// Nil for a kind of record that this version does not know.
    package static func decode(_ bytes: [UInt8]) throws(MalformedSchema) -> OffsetsKey? {
        var reader = SchemaReader(bytes)
        switch try reader.integer(Int16.self) {
        case 0, 1:
            let group = try reader.string()
            let topic = try reader.string()
            let partition = try reader.partition()
            return .offset(group: group, TopicPartition(topic, partition))
        case 2: return .group(try reader.string())
        default: return nil
        }
    }
}

// MARK: Values

extension CommittedOffset {
    private static let version: Int16 = 3

    package var encoded: [UInt8] {
        var writer = SchemaWriter()
        writer.integer(Self.version)
        writer.integer(offset.rawValue)
        writer.integer(leaderEpoch ?? -1)
        writer.string(metadata)
        writer.integer(timestamp.milliseconds)
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MalformedSchema) {
        var reader = SchemaReader(bytes)
        let version = try reader.version(upTo: Self.version)
        let offset = try reader.integer(Int64.self)
        guard offset >= 0 else { throw MalformedSchema("a committed offset is \(offset)") }
        let epoch: Int32 = version >= 3 ? try reader.integer() : -1
        self.init(
            Offset(offset), leaderEpoch: epoch < 0 ? nil : epoch, metadata: try reader.string(),
            timestamp: Timestamp(milliseconds: try reader.integer()))
    }
}

extension GroupMetadata {
    private static let version: Int16 = 3

    package var encoded: [UInt8] {
        var writer = SchemaWriter()
        writer.integer(Self.version)
        writer.string(protocolType)
        writer.integer(generation)
        writer.nullableString(protocolName)
        writer.nullableString(leader)
        writer.integer(timestamp.milliseconds)
        writer.array(members) { writer, member in
            writer.string(member.id)
            writer.nullableString(member.instanceID)
            writer.string(member.clientID)
            writer.string(member.clientHost)
            writer.integer(member.rebalanceTimeout.wholeMilliseconds)
            writer.integer(member.sessionTimeout.wholeMilliseconds)
            writer.nullableBytes(member.subscription)
            writer.nullableBytes(member.assignment)
        }
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(MalformedSchema) {
        var reader = SchemaReader(bytes)
        let version = try reader.version(upTo: Self.version)
        protocolType = try reader.string()
        generation = try reader.integer()
        protocolName = try reader.nullableString()
        leader = try reader.nullableString()
        timestamp = Timestamp(milliseconds: version >= 2 ? try reader.integer() : -1)
        members = try reader.array { reader throws(MalformedSchema) in
            let id = try reader.string()
            let instanceID = version >= 3 ? try reader.nullableString() : nil
            let clientID = try reader.string()
            let clientHost = try reader.string()
            let rebalance: Int32? = version >= 1 ? try reader.integer() : nil
            let session: Int32 = try reader.integer()
            return Member(
                id: id, instanceID: instanceID, clientID: clientID, clientHost: clientHost,
                // Before version 1 one time-out stood for both.
                rebalanceTimeout: .milliseconds(rebalance ?? session),
                sessionTimeout: .milliseconds(session), subscription: try reader.bytes(),
                assignment: try reader.bytes())
        }
    }
}

extension Duration {
    /// Held within what the schema can say.
    fileprivate var wholeMilliseconds: Int32 {
        let parts = components
        let milliseconds = parts.seconds.multipliedReportingOverflow(by: 1000)
        guard !milliseconds.overflow else { return .max }
        return Int32(
            clamping: milliseconds.partialValue + parts.attoseconds / 1_000_000_000_000_000)
    }
}
