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
    let environment: LogEnvironment
    let contents: Mutex<Contents>
    /// Held while a topic is made, given partitions or deleted, with all that belongs to it. Before the groups' lock: they
    /// make their topic under theirs, but only while there is none, and then nothing here asks them.
    let topicChanges = Mutex(())
    let maintainer = Mutex<Maintainer?>(nil)
    /// Held by `close`: whoever calls it beside another returns when the log is closed as well.
    let closing = Mutex(())
    /// Made with the owner's first use of a transaction, and of a consumer group.
    let transactionCoordinators = Mutex<TransactionCoordinator?>(nil)
    let groupCoordinators = Mutex<GroupCoordinator?>(nil)

    struct Contents {
        var catalog: TopicCatalog
        /// An owner's, until it has closed the log.
        var lock: DirectoryLock?
        var partitions: [TopicPartition: Partition] = [:]
        /// Producer ids that may be given without writing the catalogue.
        var producerIDs: Range<Int64> = 0..<0
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

    deinit { stopMaintainer(grace: .zero) }

    var files: FileSystem { environment.files }

    /// Throws `noSuchTopic` for a topic or partition that is not there.
    package func partition(_ name: TopicPartition) throws -> Partition {
        let known = contents.withLock { $0.partitions[name] }
        if access == .owner, let known { return known }
        let topic = try topic(name.topic)
        // An observer's may be of a topic that was deleted and made again.
        if let known, known.topicID == topic.id { return known }
        guard name.partition.rawValue < topic.partitionCount else {
            throw LogError(
                .noSuchTopic,
                "the topic '\(topic.name)' has no partition \(name.partition); "
                    + (topic.partitionCount == 1
                        ? "its only one is 0" : "it has 0 to \(topic.partitionCount - 1)"))
        }
        return try contents.withLock { contents in
            if let partition = contents.partitions[name], partition.topicID == topic.id {
                return partition
            }
            // An owner has opened all that there are: the topic was deleted since it was looked for.
            guard access == .observer else { throw noSuchTopic(name.topic) }
            let partition = try observe(name, of: topic)
            contents.partitions[name] = partition
            return partition
        }
    }

    /// Gives producer ids that nobody had before, the first of `count` in a row; kept over a power loss.
    package func takeProducerIDs(_ count: Int) throws -> Int64 {
        try requireOwner("give a producer id")
        return try contents.withLock { contents in
            try requireOpen(contents)
            if contents.producerIDs.count < count {
                // A block is taken at a time; what a stop leaves of it nobody gets.
                let block = max(count, Limits.producerIDBlock)
                var catalog = contents.catalog
                guard catalog.nextProducerID <= Int64.max - Int64(block) else {
                    throw LogError(
                        .corrupted,
                        "producer ids are used up: the log in \(directory) holds records of producer "
                            + "\(catalog.nextProducerID - 1), near the largest number there is")
                }
                let first = catalog.takeProducerIDs(block)
                try catalog.write(to: directory, in: files)
                contents.catalog = catalog
                contents.producerIDs = first..<first + Int64(block)
            }
            defer { contents.producerIDs = contents.producerIDs.dropFirst(count) }
            return contents.producerIDs.lowerBound
        }
    }

    /// Decides the transactions of plain producers; the same one each time. Throws `readOnly` for an
    /// observer.
    package func transactionCoordinator() throws -> TransactionCoordinator {
        try requireOwner("coordinate transactions")
        return try transactionCoordinators.withLock { coordinator in
            if let coordinator { return coordinator }
            let made = try TransactionCoordinator(self)
            coordinator = made
            return made
        }
    }

    /// The coordinator of the consumer groups. Throws `readOnly` where another process owns the log.
    /// - Parameter now: The monotonic clock, or a test's own; of the first call, which makes it.
    package func groupCoordinator(
        now: @escaping @Sendable () -> GroupInstant = { ContinuousClock.now }
    ) throws -> GroupCoordinator {
        try requireOwner("change a consumer group")
        return groupCoordinators.withLock { coordinator in
            let known = coordinator ?? GroupCoordinator(self, now: now)
            coordinator = known
            return known
        }
    }

    /// Whether a process owns the directory, this one or another, as far as an observer can tell.
    var hasOwner: Bool {
        get throws {
            guard access == .observer else { return true }
            return try !files.exists(directory + Self.cleanShutdownFile)
                && DirectoryLock.hasLivingHolder(directory, in: files)
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
