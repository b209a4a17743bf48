/// A topic: a name, an identity and a number of partitions. A value: what was true when it was asked for.
public struct Topic: Sendable, Hashable {
    public let name: String
    /// Another topic of the same name, made after this one was deleted, has another id.
    public let id: TopicID
    public package(set) var partitionCount: Int
    /// Made by the log or by a job for itself; not for users to write to.
    public let isInternal: Bool
    public package(set) var settings: TopicSettings

    package init(
        name: String, id: TopicID, partitionCount: Int, isInternal: Bool,
        settings: TopicSettings = TopicSettings()
    ) {
        self.name = name
        self.id = id
        self.partitionCount = partitionCount
        self.isInternal = isInternal
        self.settings = settings
    }

    public var partitions: [TopicPartition] {
        (0..<partitionCount).map { TopicPartition(name, PartitionID($0)) }
    }

    /// Names of the log's own topics and of jobs'.
    package static func isReserved(_ name: String) -> Bool { name.hasPrefix("__") }

    /// Throws `invalidTopicName` where Kafka would: the name becomes the name of a directory.
    package static func validate(_ name: String) throws {
        let isLegal = name.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard name.utf8.count <= Limits.topicNameCharactersMax else {
            throw LogError(
                .invalidTopicName,
                "a topic's name has 1 to \(Limits.topicNameCharactersMax) characters, not "
                    + "\(name.utf8.count)")
        }
        guard isLegal, !name.isEmpty, name != ".", name != ".." else {
            throw LogError(
                .invalidTopicName,
                "'\(name)' is no topic name: use 1 to \(Limits.topicNameCharactersMax) of the "
                    + "characters a-z A-Z 0-9 . _ -")
        }
    }
}
