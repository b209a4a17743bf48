// What an observer knows of the topics and of where partitions begin. The owner replaces both files as a
// whole, so that a look at what file there is now tells whether it has to be read again.

import Synchronization

/// Any thread may call.
final class CatalogFollower: Sendable {
    private let files: FileSystem
    private let topics: Mutex<FollowedFile<TopicCatalog>>
    private let starts: Mutex<FollowedFile<[TopicPartition: Offset]>>

    /// Throws as `TopicCatalog`, and `corrupted` for starts that cannot be read.
    init(_ directory: String, in files: FileSystem) throws {
        self.files = files
        topics = Mutex(
            try FollowedFile(directory + TopicCatalog.fileName, files) {
                try TopicCatalog(directory: directory, in: files)
            })
        starts = Mutex(
            try FollowedFile(directory + StartOffsets.fileName, files) {
                try StartOffsets.read(directory, in: files)
            })
    }

    /// As it is now. Throws what reading it throws.
    func catalog() throws -> TopicCatalog {
        try topics.withLock { topics in
            try topics.refresh(files)
            return topics.content
        }
    }

    /// As it was when it could last be read.
    var lastCatalog: TopicCatalog { topics.withLock { $0.content } }

    /// Zero where the file says nothing: the partition begins at its first segment.
    func start(of name: TopicPartition) throws -> Offset {
        try starts.withLock { starts in
            try starts.refresh(files)
            return starts.content[name] ?? .zero
        }
    }

    /// The topic as it is now. Throws `noSuchTopic` where it was deleted, also if there is another one of
    /// its name: what was read of the one means nothing in the other, neither offsets nor records.
    func topic(of partition: TopicPartition, _ id: TopicID) throws -> Topic {
        let topic = try catalog().topics[partition.topic]
        if let topic, topic.id == id { return topic }
        throw LogError(
            .noSuchTopic,
            topic == nil
                ? "the topic '\(partition.topic)' was deleted while \(partition) was read"
                : "the topic '\(partition.topic)' was deleted while \(partition) was read, and made "
                    + "again: begin anew to read the new one")
    }
}

/// The content of a file that somebody else replaces.
private struct FollowedFile<Content: Sendable> {
    private let path: String
    private let read: @Sendable () throws -> Content
    private(set) var content: Content
    /// Of the file that was read; nil where there was none.
    private var identity: FileIdentity?
    /// Another file would have another identity.
    private var isSettled: Bool

    init(_ path: String, _ files: FileSystem, read: @escaping @Sendable () throws -> Content) throws
    {
        self.path = path
        self.read = read
        // Looked at before it is read: what comes between is read again with the next look.
        let status = try files.status(of: path)
        content = try read()
        identity = status?.identity
        isSettled = Self.isSettled(status)
    }

    mutating func refresh(_ files: FileSystem) throws {
        let status = try files.status(of: path)
        if isSettled, status?.identity == identity { return }
        content = try read()
        identity = status?.identity
        isSettled = Self.isSettled(status)
    }

    /// A file's number is given again at once, and its time counts ticks of the kernel: two files within a
    /// tick may be taken for one.
    private static func isSettled(_ status: FileStatus?) -> Bool {
        status.map { $0.modified.advanced(by: Limits.fileTimeTicks) < .now() } ?? true
    }
}
