// The list of topics of a data directory, in one text file that is replaced as a whole: a topic exists
// if and only if it has a line here.
//
//   streamjobs-topics 2
//   next-producer-id N
//   topic NAME ID PARTITIONS public|internal
//   setting NAME KEY VALUE        of the topic above, where it is not the default
//   deleting NAME ID PARTITIONS   a topic that is no more, whose files may still be there
//   crc-32c HEXADECIMAL           of all before this line: a topic that is missing here is a topic lost
//
// Version 1 had neither settings nor deletions; it is read as well.

struct TopicCatalog {
    private(set) var topics: [String: Topic] = [:]
    /// Topics whose files are still to be removed.
    private(set) var deleting: [Topic] = []
    /// Producer ids below were given to somebody.
    private(set) var nextProducerID: Int64 = 0

    private static let format = ChecksummedText(name: "streamjobs-topics", version: 2)

    static let fileName = "/topics"

    /// Empty if there is no file. Throws `newerFormat` or `corrupted`.
    init(directory: String, in files: FileSystem) throws {
        let path = directory + Self.fileName
        switch try Self.format.read(path, in: files) {
        case .missing: break
        case .damaged(let damage): throw Self.damaged(path, damage)
        case .lines(let lines):
            for line in lines {
                guard read(line.split(separator: " ")) else {
                    throw Self.damaged(path, "it has a line that says nothing: '\(line)'")
                }
            }
        }
    }

    private mutating func read(_ words: [Substring]) -> Bool {
        switch words.first {
        case "next-producer-id":
            guard words.count == 2, let next = Int64(words[1]), next >= 0 else { return false }
            nextProducerID = next
        case "topic":
            guard words.count == 5,
                let topic = Self.topic(words, isInternal: words[4] == "internal")
            else { return false }
            topics[topic.name] = topic
        case "setting":
            guard words.count == 4, var topic = topics[String(words[1])] else { return false }
            do {
                try topic.settings.set(String(words[2]), to: String(words[3]))
            } catch { return false }
            topics[topic.name] = topic
        case "deleting":
            guard words.count == 4, let topic = Self.topic(words, isInternal: false) else {
                return false
            }
            deleting.append(topic)
        default: return false
        }
        return true
    }

    private static func topic(_ words: [Substring], isInternal: Bool) -> Topic? {
        // It becomes the name of a directory, which deletion removes.
        do { try Topic.validate(String(words[1])) } catch { return nil }
        guard let id = TopicID(hexadecimal: words[2]), let count = Int(words[3]),
            (1...Limits.partitionsMax).contains(count)
        else { return nil }
        return Topic(
            name: String(words[1]), id: id, partitionCount: count, isInternal: isInternal)
    }

    private static func damaged(_ path: String, _ damage: String) -> LogError {
        LogError(.corrupted, "\(path) is damaged: \(damage); put the file back from a copy")
    }

    // MARK: Changes

    mutating func put(_ topic: Topic) { topics[topic.name] = topic }

    /// The topic is no more; its files are still to be removed.
    mutating func delete(_ topic: Topic) {
        topics[topic.name] = nil
        deleting.append(topic)
    }

    /// The files of deleted topics are gone.
    mutating func deletionsFinished() { deleting.removeAll() }

    /// The first of `count` new producer ids.
    mutating func takeProducerIDs(_ count: Int) -> Int64 {
        defer { nextProducerID += Int64(count) }
        return nextProducerID
    }

    /// A producer has this id; it is not given again.
    mutating func producerIDSeen(_ id: Int64?) {
        if let id, id < Int64.max { nextProducerID = max(nextProducerID, id + 1) }
    }

    /// When it returns the catalogue survives a power loss.
    func write(to directory: String, in files: FileSystem) throws {
        var lines = ["next-producer-id \(nextProducerID)"]
        for topic in topics.values.sorted(by: { $0.name < $1.name }) {
            let visibility = topic.isInternal ? "internal" : "public"
            lines.append("topic \(topic.name) \(topic.id) \(topic.partitionCount) \(visibility)")
            for entry in topic.settings.entries where !entry.isDefault {
                lines.append("setting \(topic.name) \(entry.name) \(entry.value)")
            }
        }
        for topic in deleting {
            lines.append("deleting \(topic.name) \(topic.id) \(topic.partitionCount)")
        }
        try Self.format.write(lines, to: directory + Self.fileName, in: files)
    }
}
