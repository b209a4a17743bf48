// A data directory: its topics and their partitions. One process owns it and writes; others may follow
// the files beside it.
//
//  CommitLog+Open         opening and closing
//  CommitLog+Topics       topics: make, change, delete
//  CommitLog+Maintenance  what is done in the background

import Synchronization

/// The log in a data directory. Any thread may call.
///
/// ```
/// data/  .lock  topics  recovery-points  log-start-offset-checkpoint  clean-shutdown
///        cleaner-offset-checkpoint
///        flights-0/  00000000000000000000.log .index .timeindex  …  segments  leader-epoch-checkpoint
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
    /// Notified with each append in this process.
    package let signal = AppendSignal()
    let environment: LogEnvironment
    let contents: Mutex<Contents>
    let maintainer = Mutex<Maintainer?>(nil)

    struct Contents {
        var catalog: TopicCatalog
        /// An owner's, until it has closed the log.
        var lock: DirectoryLock?
        var partitions: [TopicPartition: Partition] = [:]
        /// Where partitions begin, if not at their first segment.
        var startOffsets: [TopicPartition: Offset] = [:]
        /// Up to where partitions were compacted: an owner's.
        var cleanerOffsets: [TopicPartition: Offset] = [:]
        var isClosed = false
    }

    init(
        _ directory: String, _ access: Access, _ environment: LogEnvironment,
        _ contents: sending Contents
    ) {
        self.directory = directory
        self.access = access
        self.environment = environment
        self.contents = Mutex(contents)
    }

    deinit { stopMaintainer() }

    var files: FileSystem { environment.files }

    /// Throws `noSuchTopic` for a topic or partition that is not there.
    package func partition(_ name: TopicPartition) throws -> Partition {
        if let known = contents.withLock({ $0.partitions[name] }) { return known }
        let topic = try topic(name.topic)
        guard name.partition.rawValue < topic.partitionCount else {
            throw LogError(
                .noSuchTopic,
                "the topic '\(topic.name)' has no partition \(name.partition), only "
                    + "\(topic.partitionCount)")
        }
        return try contents.withLock { contents in
            if let partition = contents.partitions[name] { return partition }
            let partition = try observe(name, of: topic, contents)
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
            try catalog.write(to: directory, in: files)
            contents.catalog = catalog
            return first
        }
    }

    func requireOwner(_ action: String) throws {
        guard access == .owner else {
            throw LogError(.readOnly, "could not \(action): the log was opened for reading only")
        }
    }

    func requireOpen(_ contents: borrowing Contents) throws {
        guard !contents.isClosed else {
            throw LogError(.readOnly, "the log in \(directory) was closed")
        }
    }
}
