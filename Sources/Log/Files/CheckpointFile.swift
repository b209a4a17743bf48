// Kafka's small text files (Kafka: CheckpointFile): a version, the number of lines, the lines. They are
// replaced as a whole, so that a crash leaves the old or the new.
//
//   0
//   2
//   page-views 0 4711          topic, partition, offset   (log-start-offset-checkpoint …)
//   page-views 1 0

enum CheckpointFile {
    private static let version = 0

    /// The lines' fields; nil if there is no file. Throws `corrupted` or `newerFormat`.
    static func read(_ path: String, in files: FileSystem) throws -> [[Substring]]? {
        guard let text = try files.text(of: path) else { return nil }
        let lines = text.split(separator: "\n")
        guard let version = lines.first.flatMap({ Int($0) }) else {
            throw LogError(.corrupted, "\(path) does not begin with its version")
        }
        guard version == Self.version else {
            throw LogError(.newerFormat, "\(path) is of version \(version), not \(Self.version)")
        }
        guard lines.count >= 2, Int(lines[1]) == lines.count - 2 else {
            throw LogError(.corrupted, "\(path) is cut short")
        }
        return lines.dropFirst(2).map { $0.split(separator: " ") }
    }

    /// When it returns, the new content survives a power loss.
    static func write(_ lines: [String], to path: String, in files: FileSystem) throws {
        let text = lines.map { $0 + "\n" }.joined()
        try files.replaceFile(path, with: "\(version)\n\(lines.count)\n\(text)")
    }

    /// Offsets by partition, as Kafka keeps them for a whole data directory.
    static func readOffsets(_ path: String, in files: FileSystem) throws -> [TopicPartition: Offset]
    {
        var offsets: [TopicPartition: Offset] = [:]
        for fields in try read(path, in: files) ?? [] {
            guard fields.count == 3, let partition = Int32(fields[1]), partition >= 0,
                let offset = Int64(fields[2]), offset >= 0
            else {
                let line = fields.joined(separator: " ")
                throw LogError(.corrupted, "\(path) has a line that is no offset: '\(line)'")
            }
            offsets[TopicPartition(String(fields[0]), PartitionID(Int(partition)))] = Offset(offset)
        }
        return offsets
    }

    static func writeOffsets(
        _ offsets: [TopicPartition: Offset], to path: String, in files: FileSystem
    ) throws {
        let lines = offsets.map { "\($0.topic) \($0.partition) \($1)" }.sorted()
        try write(lines, to: path, in: files)
    }
}
