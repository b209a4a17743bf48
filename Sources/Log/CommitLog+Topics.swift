// The topics of a data directory. A change is in the catalogue, on the disk, before it is seen.

import Synchronization

extension CommitLog {
    /// Sorted by name. An observer's are those there are now; where the list cannot be read any more, those
    /// there were (`topic` says why).
    public var topics: [Topic] {
        let catalog = (try? catalog) ?? environment.observed?.lastCatalog
        return (catalog?.topics.values).map { $0.sorted { $0.name < $1.name } } ?? []
    }

    /// Throws `noSuchTopic`, and for an observer what reading the list throws.
    public func topic(_ name: String) throws -> Topic {
        guard let topic = try catalog.topics[name] else { throw noSuchTopic(name) }
        return topic
    }

    private var catalog: TopicCatalog {
        get throws { try environment.observed?.catalog() ?? contents.withLock { $0.catalog } }
    }

    /// Makes a topic; when it returns the topic survives a power loss. Throws `topicExists`,
    /// `invalidTopicName`, `invalidArgument` or `readOnly`.
    @discardableResult
    public func createTopic(
        _ name: String, partitions count: Int, settings: TopicSettings = TopicSettings()
    ) throws -> Topic {
        try createTopic(name, partitions: count, isInternal: false, settings: settings)
    }

    @discardableResult
    package func createTopic(
        _ name: String, partitions count: Int, isInternal: Bool,
        settings: TopicSettings = TopicSettings()
    ) throws -> Topic {
        try requireOwner("make the topic '\(name)'")
        try Topic.validate(name)
        try requirePartitionCount(count)
        let settings = try settings.asWritten()
        return try topicChanges.withLock { _ in
            // Of a topic of this name, whose files and positions would be taken for the new one's.
            try finishDeletions()
            return try contents.withLock { contents in
                try requireOpen(contents)
                try requireNewName(name, contents.catalog)
                let topic = Topic(
                    name: name, id: .random(), partitionCount: count, isInternal: isInternal,
                    settings: settings)
                var catalog = contents.catalog
                catalog.put(topic)
                try files.room.retrying {
                    try make(topic.partitions, of: topic, catalog, &contents)
                }
                return topic
            }
        }
    }

    /// Gives a topic more partitions. Keys may belong to other partitions than before: jobs that keep state
    /// by key are refused afterwards. Throws `noSuchTopic`, `invalidArgument` or `readOnly`.
    @discardableResult
    public func setPartitions(of name: String, to count: Int) throws -> Topic {
        try requireOwner("change the topic '\(name)'")
        try requirePartitionCount(count)
        return try topicChanges.withLock { _ in
            try contents.withLock { contents in
                try requireOpen(contents)
                var topic = try known(name, contents)
                guard count > topic.partitionCount else {
                    throw LogError(
                        .invalidArgument,
                        "the topic '\(name)' has \(counted(topic.partitionCount, "partition")); it can "
                            + "be given more, not \(count)")
                }
                let added = (topic.partitionCount..<count).map {
                    TopicPartition(name, PartitionID($0))
                }
                topic.partitionCount = count
                var catalog = contents.catalog
                catalog.put(topic)
                try files.room.retrying { try make(added, of: topic, catalog, &contents) }
                return topic
            }
        }
    }

    /// Changes settings by Kafka's names; a nil value sets one back to its default. In force when it
    /// returns. Throws `noSuchTopic`, `invalidArgument` (then nothing is changed) or `readOnly`.
    @discardableResult
    public func alterTopic(_ name: String, _ changes: [(name: String, value: String?)]) throws
        -> Topic
    {
        try requireOwner("change the topic '\(name)'")
        return try contents.withLock { contents in
            try requireOpen(contents)
            var topic = try known(name, contents)
            for (setting, value) in changes {
                if let value {
                    try topic.settings.set(setting, to: value)
                } else {
                    try topic.settings.reset(setting)
                }
            }
            var catalog = contents.catalog
            catalog.put(topic)
            try catalog.write(to: directory, in: files)
            contents.catalog = catalog
            for name in topic.partitions { contents.partitions[name]?.apply(topic.settings) }
            // What is due by the new settings is done at once.
            environment.background.notify()
            return topic
        }
    }

    /// Deletes a topic with all its records, for good. On a full disk its records go first, so that there is
    /// room to note that it is gone. Throws `noSuchTopic` or `readOnly`.
    public func deleteTopic(_ name: String) throws {
        try requireOwner("delete the topic '\(name)'")
        let (id, partitions) = try present(name)
        do {
            try markDeleted(name)
        } catch let failure as LogError where failure.code == .noSpace {
            // If it is gone, what failed behind that is done at the next opening.
            guard contents.withLock({ $0.catalog.topics[name]?.id == id }) else { throw failure }
            for partition in partitions {
                // What stays for another reason leaves less room, and that is told below.
                _ = Result { try partition.discardRecords { try noteStart(of: partition, $0) } }
            }
            try markDeleted(name)
        }
    }

    private func present(_ name: String) throws -> (TopicID, [Partition]) {
        try contents.withLock { contents in
            try requireOpen(contents)
            let topic = try known(name, contents)
            return (topic.id, topic.partitions.compactMap { contents.partitions[$0] })
        }
    }

    private func markDeleted(_ name: String) throws {
        try topicChanges.withLock { _ in
            // Nobody adds any meanwhile. Outside of the lock: whoever rewrites files there may wait for
            // it. From here on nobody writes in directories that another topic of the name may be given.
            let (_, partitions) = try present(name)
            for partition in partitions { partition.retire(true) }
            do {
                try contents.withLock { contents in
                    try requireOpen(contents)
                    let topic = try known(name, contents)
                    var catalog = contents.catalog
                    catalog.delete(topic)
                    try catalog.write(to: directory, in: files)
                    contents.catalog = catalog
                    for name in topic.partitions { contents.partitions[name] = nil }
                }
            } catch let failure as LogError where failure.code == .noSpace {
                // The catalogue is as it was. (After any other failure nobody knows which one is there.)
                for partition in partitions { partition.retire(false) }
                throw failure
            }
            for partition in partitions { partition.closeFiles() }
            // Gone from here on; what fails now is done before a topic is made, or at the next opening.
            try finishDeletions()
        }
    }

    private func known(_ name: String, _ contents: borrowing Contents) throws -> Topic {
        if let topic = contents.catalog.topics[name] { return topic }
        throw noSuchTopic(name)
    }

    func noSuchTopic(_ name: String) -> LogError {
        LogError(
            .noSuchTopic,
            "there is no topic '\(name)' in \(directory); make it with "
                + "'topics create \(name) --partitions N'")
    }

    /// Deletes the records below `offset`. They are gone for good when it returns. Throws
    /// `offsetOutOfRange` beyond what is decided, `noSuchTopic` or `readOnly`.
    public func deleteRecords(of name: TopicPartition, before offset: Offset) throws {
        try requireOwner("delete records of \(name)")
        let partition = try partition(name)
        try partition.deleteRecords(before: offset) { try noteStart(of: partition, $0) }
    }

    /// When it returns, opening knows that `partition` begins at `offset`. Needs no room on the disk.
    func noteStart(of partition: Partition, _ offset: Offset) throws {
        try environment.recoveryPoints?.set([.init(key: partition.recoveryKey, start: offset)])
        contents.withLock { contents in
            var starts = contents.startOffsets
            starts[partition.name] = offset
            writeStarts(starts, &contents)
        }
    }

    /// For observers, and for those who read Kafka's files. What fails is made good by the next opening.
    func writeStarts(_ starts: [TopicPartition: Offset], _ contents: inout Contents) {
        contents.startOffsets = starts
        do {
            try StartOffsets.write(starts, to: directory, in: files)
        } catch {
            environment.options.notify("could not note where partitions begin: \(error)")
        }
    }

    // MARK: Files of topics

    /// Makes partitions, then the line in the catalogue: what a crash leaves without it is removed when the
    /// name is used again.
    private func make(
        _ names: [TopicPartition], of topic: Topic, _ catalog: TopicCatalog,
        _ contents: inout Contents
    ) throws {
        var made: [TopicPartition: Partition] = [:]
        for name in names {
            let path = directory + "/" + name.description
            try files.createDirectory(path)
            try removeLeftovers(path)
            try PartitionRecovery.create(path, in: files)
            contents.startOffsets[name] = nil
            made[name] = try recover(name, of: topic, contents, wasClean: true)
        }
        do {
            try environment.recoveryPoints?.set(
                made.values.map { .init(key: $0.recoveryKey, flushed: .zero) })
            try catalog.write(to: directory, in: files)
        } catch {
            environment.recoveryPoints?.remove(made.values.map(\.recoveryKey))
            throw error
        }
        contents.catalog = catalog
        contents.partitions.merge(made) { $1 }
    }

    /// Files of a topic whose making a crash cut short: no line of the catalogue ever named it, so it has
    /// no records. Throws `corrupted` where there are some: then the catalogue was lost.
    private func removeLeftovers(_ path: String) throws {
        let paths = try files.names(in: path).map { path + "/" + $0 }
        for path in paths where path.hasSuffix(Segment.logSuffix) { try refuseData(path) }
        for path in paths { try files.remove(path) }
    }

    /// Removes what there is of deleted topics: their directories, and where groups are in them (a topic of
    /// the same name is another topic: nobody has read it). Only then the catalogue forgets them. To be
    /// called with `topicChanges` alone held. Throws `readOnly` where the log was closed.
    func finishDeletions() throws {
        let deleted = try contents.withLock { contents in
            // Behind a close the directory, and what is in it under these names, is another owner's.
            try requireOpen(contents)
            try removeDeleted(&contents)
            return contents.catalog.deleting
        }
        guard !deleted.isEmpty else { return }
        if try topicIfAny(OffsetsTopic.name) != nil {
            for topic in deleted { try groupCoordinator().topicDeleted(topic.name) }
        }
        try contents.withLock { contents in
            try requireOpen(contents)
            var catalog = contents.catalog
            catalog.deletionsFinished()
            try catalog.write(to: directory, in: files)
            contents.catalog = catalog
        }
    }

    /// Removes the directories of deleted topics, and what is known of their partitions.
    func removeDeleted(_ contents: inout Contents) throws {
        let deleted = contents.catalog.deleting
        guard !deleted.isEmpty else { return }
        for topic in deleted {
            for name in topic.partitions {
                try files.removeDirectory(directory + "/" + name.description)
                contents.startOffsets[name] = nil
                contents.cleanerOffsets[name] = nil
            }
            environment.recoveryPoints?.remove(
                topic.partitions.map { .init(topicID: topic.id, partition: $0.partition) })
        }
        try files.flushDirectory(directory)
        try StartOffsets.write(contents.startOffsets, to: directory, in: files)
        if try files.exists(directory + CleanerOffsets.fileName) {
            try CleanerOffsets.write(contents.cleanerOffsets, to: directory, in: files)
        }
    }

    // MARK: Refusals

    private func requirePartitionCount(_ count: Int) throws {
        guard (1...Limits.partitionsMax).contains(count) else {
            throw LogError(
                .invalidArgument,
                "a topic has 1 to \(Limits.partitionsMax) partitions, not \(count)")
        }
    }

    private func requireNewName(_ name: String, _ catalog: TopicCatalog) throws {
        let lowercase = name.lowercased()
        let existing =
            catalog.topics[name]
            ?? catalog.topics.values.first { $0.name.lowercased() == lowercase }
        guard let existing else { return }
        guard existing.name != name else {
            throw LogError(
                .topicExists,
                "the topic '\(name)' exists already, with "
                    + counted(existing.partitionCount, "partition"))
        }
        throw LogError(
            .invalidTopicName,
            "'\(name)' differs from the topic '\(existing.name)' in case only: where file names know "
                + "no case both would share their files; choose another name")
    }
}
