// The list of topics of a data directory, in one text file that is replaced as a whole: a topic exists
// if and only if it has a line here.
//
//   streamjobs-topics 1
//   next-producer-id N
//   topic NAME ID PARTITIONS public|internal
//   crc-32c HEXADECIMAL    of all before this line: a topic that is missing here is a topic lost

import StreamJobsChecksum

struct TopicCatalog {
    private(set) var topics: [String: Topic] = [:]
    /// Producer ids below were given to somebody.
    private(set) var nextProducerID: Int64 = 0

    private static let format = "streamjobs-topics"
    private static let version = 1

    static let fileName = "/topics"

    private static func path(_ directory: String) -> String { directory + fileName }

    /// Empty if there is no file. Throws `newerFormat` or `corrupted`.
    init(directory: String) throws {
        let path = Self.path(directory)
        guard let text = try Directory.textFile(path) else { return }
        var lines = text.split(separator: "\n")[...]
        let first = (lines.popFirst() ?? "").split(separator: " ")
        guard first.count == 2, first[0] == Self.format, let version = Int(first[1]) else {
            throw Self.damaged(path, "it does not begin with '\(Self.format)'")
        }
        guard version == Self.version else {
            throw LogError(
                .newerFormat,
                "\(path) is of version \(version), this program knows version \(Self.version) only; "
                    + "use the program that wrote it, or a later one")
        }
        guard let sum = lines.popLast(),
            sum == Self.checksumLine(of: text[..<sum.startIndex])
        else { throw Self.damaged(path, "its checksum is wrong") }
        for line in lines {
            guard read(line.split(separator: " ")) else {
                throw Self.damaged(path, "it has a line that says nothing: '\(line)'")
            }
        }
    }

    private mutating func read(_ words: [Substring]) -> Bool {
        switch words.first {
        case "next-producer-id":
            guard words.count == 2, let next = Int64(words[1]), next >= 0 else { return false }
            nextProducerID = next
        case "topic":
            guard words.count == 5, let id = TopicID(hexadecimal: words[2]),
                let count = Int(words[3]), (1...Limits.partitionsMax).contains(count)
            else { return false }
            let name = String(words[1])
            topics[name] = Topic(
                name: name, id: id, partitionCount: count, isInternal: words[4] == "internal")
        default: return false
        }
        return true
    }

    private static func damaged(_ path: String, _ damage: String) -> LogError {
        LogError(.corrupted, "\(path) is damaged: \(damage); put the file back from a copy")
    }

    private static func checksumLine(of text: some StringProtocol) -> String {
        let checksum = Array(text.utf8).withUnsafeBytes { CRC32C.checksum($0) }
        return "crc-32c " + String(checksum, radix: 16)
    }

    mutating func add(_ topic: Topic) { topics[topic.name] = topic }

    /// The first of `count` new producer ids.
    mutating func takeProducerIDs(_ count: Int) -> Int64 {
        defer { nextProducerID += Int64(count) }
        return nextProducerID
    }

    /// When it returns the catalogue survives a power loss.
    func write(to directory: String) throws {
        var text = "\(Self.format) \(Self.version)\nnext-producer-id \(nextProducerID)\n"
        for topic in topics.values.sorted(by: { $0.name < $1.name }) {
            let visibility = topic.isInternal ? "internal" : "public"
            text += "topic \(topic.name) \(topic.id) \(topic.partitionCount) \(visibility)\n"
        }
        text += Self.checksumLine(of: text) + "\n"
        try Directory.replaceFile(Self.path(directory), with: text)
    }
}
