// A data directory: its topics and their partitions. One process owns it and writes; others may follow
// the files beside it.

import Synchronization

/// The log in a data directory. Any thread may call.
///
/// ```
/// data/  .lock  topics  clean-shutdown
///        flights-0/  00000000000000000000.log  leader-epoch-checkpoint
///        flights-1/  …
/// ```
public final class CommitLog: Sendable {
    public enum Access: Sendable {
        /// May write; the directory is locked, so that there is only one.
        case owner
        /// Reads beside a running owner, without the lock; sees what the owner has written.
        case observer
    }

    public let directory: String
    public let access: Access
    private let segmentBytes: Int
    private let contents: Mutex<Contents>

    private struct Contents {
        var catalog: TopicCatalog
        /// An owner's, until it has closed the log.
        var lock: DirectoryLock?
        var partitions: [TopicPartition: Partition] = [:]
        var isClosed = false
    }

    /// Says that the owner has closed the log in order: then there is no torn tail.
    private static let cleanShutdownFile = "/clean-shutdown"

    private init(
        _ directory: String, _ access: Access, _ lock: DirectoryLock?, segmentBytes: Int
    ) throws {
        self.directory = directory
        self.access = access
        self.segmentBytes = segmentBytes
        contents = Mutex(Contents(catalog: try TopicCatalog(directory: directory), lock: lock))
    }

    /// Opens the log. An owner makes the directory where it is missing and recovers every partition: when
    /// this returns, what was cut short by a crash is cut off and all that is there has been checked.
    /// Throws `directoryInUse`, `noSuchDirectory` (observer), `permissionDenied` or `corrupted`.
    public static func open(_ directory: String, as access: Access) throws -> CommitLog {
        try open(directory, as: access, segmentBytes: Limits.segmentBytes)
    }

    /// With segments of another size, for tests.
    package static func open(_ directory: String, as access: Access, segmentBytes: Int) throws
        -> CommitLog
    {
        switch access {
        case .owner:
            try Directory.create(directory)
            let lock = try DirectoryLock(directory)
            let log = try CommitLog(directory, access, lock, segmentBytes: segmentBytes)
            try log.recover()
            return log
        case .observer:
            guard try Directory.exists(directory + TopicCatalog.fileName) else {
                throw LogError(
                    .noSuchDirectory,
                    "\(directory) is no data directory; give one with --data, or make it with "
                        + "'topics create'")
            }
            return try CommitLog(directory, access, nil, segmentBytes: segmentBytes)
        }
    }

    /// Flushes everything, notes that the stop was clean and gives the directory free. Writing is refused
    /// afterwards. Throws what flushing throws: then the next open takes the stop for a crash.
    public func close() throws {
        guard access == .owner else { return }
        let partitions = contents.withLock { contents in
            defer { contents.isClosed = true }
            return contents.isClosed ? nil : Array(contents.partitions.values)
        }
        guard let partitions else { return }
        for partition in partitions { try partition.close() }
        try Directory.replaceFile(directory + Self.cleanShutdownFile, with: "1\n")
        contents.withLock { $0.lock = nil }
    }

    private func recover() throws {
        let cleanShutdown = directory + Self.cleanShutdownFile
        let wasClean = try Directory.exists(cleanShutdown)
        try Directory.removeTemporaryFiles(in: directory)
        try contents.withLock { contents in
            for topic in contents.catalog.topics.values {
                for partition in topic.partitions {
                    contents.partitions[partition] = try open(
                        partition, of: topic, wasClean: wasClean)
                }
            }
        }
        // Only now: a crash in the midst of this must find the directory as unclean as it was.
        try Directory.removeFile(cleanShutdown)
    }

    private func open(_ name: TopicPartition, of topic: Topic, wasClean: Bool) throws -> Partition {
        let path = directory + "/" + name.description
        guard try Directory.exists(path) else {
            throw LogError(
                .corrupted, "the directory \(path) is missing; put it back from a copy")
        }
        let state: Partition.State
        switch access {
        case .owner:
            state = try PartitionRecovery.recover(path, name: name, wasClean: wasClean)
        case .observer:
            var observed = Partition.State(segments: [], ends: EndOffsets(start: .zero))
            observed.leaderEpochs = try LeaderEpochs(directory: path, mayBeStale: true)
            try PartitionRecovery.follow(path, name: name, &observed)
            state = observed
        }
        return Partition(
            name, topicID: topic.id, directory: path, access: access, segmentBytes: segmentBytes,
            recovered: state)
    }

    // MARK: Topics

    /// Sorted by name. An observer's are those of when it was opened or last asked for a new one.
    public var topics: [Topic] {
        contents.withLock { $0.catalog.topics.values.sorted { $0.name < $1.name } }
    }

    /// Throws `noSuchTopic`.
    public func topic(_ name: String) throws -> Topic {
        let topic = try contents.withLock { contents in
            if access == .observer, contents.catalog.topics[name] == nil {
                contents.catalog = try TopicCatalog(directory: directory)
            }
            return contents.catalog.topics[name]
        }
        guard let topic else {
            throw LogError(
                .noSuchTopic,
                "there is no topic '\(name)' in \(directory); make it with "
                    + "'topics create \(name) --partitions N'")
        }
        return topic
    }

    /// Makes a topic; when it returns the topic survives a power loss. Throws `topicExists`,
    /// `invalidTopicName`, `invalidArgument` or `readOnly`.
    @discardableResult
    public func createTopic(_ name: String, partitions count: Int, isInternal: Bool = false) throws
        -> Topic
    {
        try requireOwner("make the topic '\(name)'")
        try Topic.validate(name)
        guard (1...Limits.partitionsMax).contains(count) else {
            throw LogError(
                .invalidArgument,
                "a topic has 1 to \(Limits.partitionsMax) partitions, not \(count)")
        }
        return try contents.withLock { contents in
            try requireOpen(contents)
            try requireNewName(name, contents.catalog)
            let topic = Topic(
                name: name, id: .random(), partitionCount: count, isInternal: isInternal)
            for partition in topic.partitions {
                let path = directory + "/" + partition.description
                try Directory.create(path)
                try removeLeftovers(path)
                try PartitionRecovery.create(path)
                contents.partitions[partition] = try open(partition, of: topic, wasClean: true)
            }
            var catalog = contents.catalog
            catalog.add(topic)
            try catalog.write(to: directory)
            contents.catalog = catalog
            return topic
        }
    }

    private func requireNewName(_ name: String, _ catalog: TopicCatalog) throws {
        let lowercase = name.lowercased()
        let existing =
            catalog.topics[name]
            ?? catalog.topics.values.first {
                $0.name.lowercased() == lowercase
            }
        guard let existing else { return }
        guard existing.name != name else {
            throw LogError(
                .topicExists,
                "the topic '\(name)' exists already, with \(existing.partitionCount) partitions")
        }
        throw LogError(
            .invalidTopicName,
            "'\(name)' differs from the topic '\(existing.name)' in case only: where file names know "
                + "no case both would share their files; choose another name")
    }

    /// Files of a topic whose making a crash cut short: no line of the catalogue ever named it, so it has
    /// no records. Throws `corrupted` where there are some: then the catalogue was lost.
    private func removeLeftovers(_ path: String) throws {
        let paths = try Directory.names(in: path).map { path + "/" + $0 }
        for path in paths where try File(path, .readOnly).byteCount() > 0 {
            throw LogError(
                .corrupted,
                "\(path) holds data, but \(directory)/topics knows no such topic; put that file back "
                    + "from a copy, or move the data away")
        }
        for path in paths { try Directory.removeFile(path) }
    }

    /// Throws `noSuchTopic` for a topic or partition that is not there.
    package func partition(_ name: TopicPartition) throws -> Partition {
        let topic = try topic(name.topic)
        guard name.partition.rawValue < topic.partitionCount else {
            throw LogError(
                .noSuchTopic,
                "the topic '\(topic.name)' has no partition \(name.partition), only "
                    + "\(topic.partitionCount)")
        }
        return try contents.withLock { contents in
            if let partition = contents.partitions[name] { return partition }
            let partition = try open(name, of: topic, wasClean: true)
            contents.partitions[name] = partition
            return partition
        }
    }

    /// Gives producer ids that nobody had before, the first of `count` in a row; kept over a power loss.
    package func takeProducerIDs(_ count: Int) throws -> Int64 {
        try requireOwner("give a producer id")
        return try contents.withLock { contents in
            try requireOpen(contents)
            var catalog = contents.catalog
            let first = catalog.takeProducerIDs(count)
            try catalog.write(to: directory)
            contents.catalog = catalog
            return first
        }
    }

    private func requireOwner(_ action: String) throws {
        guard access == .owner else {
            throw LogError(.readOnly, "could not \(action): the log was opened for reading only")
        }
    }

    private func requireOpen(_ contents: borrowing Contents) throws {
        guard !contents.isClosed else {
            throw LogError(.readOnly, "the log in \(directory) was closed")
        }
    }
}
