// Opening and closing a data directory.

import Synchronization

extension CommitLog {
    /// Says that the owner has closed the log in order: then there is no torn tail.
    static let cleanShutdownFile = "/clean-shutdown"
    static let cleanShutdownText = "1\n"

    /// Opens the log. An owner makes the directory where it is missing and recovers every partition: when
    /// this returns, what was cut short by a crash is cut off, and what was flushed is known to be there.
    /// Throws `directoryInUse`, `noSuchDirectory` (observer), `permissionDenied`, `newerFormat` or
    /// `corrupted`.
    /// - Parameter notify: Told in a sentence of what users should know: a tail that was cut, background
    ///   work that failed. From any thread, which may hold the log's locks: it must not call the log.
    public static func open(
        _ directory: String, as access: Access,
        notify: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> CommitLog {
        var options = LogOptions()
        options.notify = notify
        return try open(directory, as: access, options)
    }

    package static func open(_ directory: String, as access: Access, _ options: LogOptions) throws
        -> CommitLog
    {
        switch access {
        case .owner: try openAsOwner(directory, options)
        case .observer: try openAsObserver(directory, options)
        }
    }

    private static func openAsObserver(_ directory: String, _ options: LogOptions) throws
        -> CommitLog
    {
        guard try options.files.exists(directory + TopicCatalog.fileName) else {
            throw LogError(
                .noSuchDirectory,
                "\(directory) is no data directory; give one with --data, or make it with "
                    + "'topics create'")
        }
        let files = options.files.forOneLog()
        let observed = try CatalogFollower(directory, in: files)
        return CommitLog(
            directory, .observer,
            LogEnvironment(
                files: files, options: options, recoveryPoints: nil, observed: observed),
            Contents(catalog: observed.lastCatalog))
    }

    private static func openAsOwner(_ directory: String, _ options: LogOptions) throws -> CommitLog
    {
        let files = options.files.forOneLog()
        try files.createDirectory(directory)
        let lock = try DirectoryLock(directory, in: files)
        // What is of a newer version is refused before anything is touched.
        let catalog = try TopicCatalog(directory: directory, in: files)
        let startOffsets = try StartOffsets.read(directory, in: files)
        try refuseNewerPartitions(directory, catalog, in: files)
        let recoveryPoints = try RecoveryPoints(directory, in: files)
        try files.removeTemporaryFiles(in: directory)
        let log = CommitLog(
            directory, .owner,
            LogEnvironment(
                files: files, options: options, recoveryPoints: recoveryPoints, observed: nil),
            Contents(
                catalog: catalog, lock: lock, startOffsets: startOffsets,
                cleanerOffsets: try CleanerOffsets.read(
                    directory, in: files, notify: options.notify)))
        try log.recover()
        // What was decided before a crash is finished before anybody reads or writes.
        if try TransactionTopic.existing(in: log) != nil {
            try log.transactionCoordinator().expire()
        }
        do {
            try log.topicChanges.withLock { _ in try log.finishDeletions() }
        } catch {
            // On a full disk the log opens all the same: it is tried again before the next topic is made.
            options.notify("could not finish the deletion of topics: \(error)")
        }
        if options.isMaintained { log.startMaintainer() }
        return log
    }

    /// Throws `newerFormat` before any partition is recovered.
    private static func refuseNewerPartitions(
        _ directory: String, _ catalog: TopicCatalog, in files: FileSystem
    ) throws {
        for topic in catalog.topics.values {
            for name in topic.partitions {
                let path = directory + "/" + name.description
                try SegmentManifest.refuseNewer(path, in: files)
                try LeaderEpochs.refuseNewer(path, in: files)
            }
        }
    }

    private func recover() throws {
        let cleanShutdown = directory + Self.cleanShutdownFile
        let wasClean = try files.exists(cleanShutdown)
        try contents.withLock { contents in
            do {
                try removeDeleted(&contents)
            } catch let failure as LogError where failure.code == .noSpace {
                // Their files are gone; what is noted of them is noted with the next deletion.
                environment.options.notify("could not note that topics are gone: \(failure)")
            }
            for topic in contents.catalog.topics.values.sorted(by: { $0.name < $1.name }) {
                for name in topic.partitions {
                    contents.partitions[name] = try recover(
                        name, of: topic, contents, wasClean: wasClean)
                }
            }
            try refuseStrangers(contents)
            // Slots of topics that are gone: a crash, or a flush beside the deletion, may leave one.
            environment.recoveryPoints?.remove(
                allBut: Set(contents.partitions.values.map(\.recoveryKey)))
            // From here on what was found counts as flushed, for all partitions at once.
            let changes = contents.partitions.values.compactMap(\.changeOfRecoveryPoint)
            if !changes.isEmpty { try environment.recoveryPoints?.set(changes) }
            // An older catalogue must not give out an id again: its batches would pass for retries.
            for partition in contents.partitions.values {
                contents.catalog.producerIDSeen(partition.highestProducerID)
            }
            noteStarts(&contents)
        }
        // Only now: a crash in the midst of this must find the directory as unclean as it was.
        if wasClean {
            try files.remove(cleanShutdown)
            try files.flushDirectory(directory)
        }
    }

    /// Brings Kafka's file up to what the slots know, where a crash came between the two: if the slots are
    /// lost later, it is all that knows.
    private func noteStarts(_ contents: inout Contents) {
        var isStale = false
        for (name, partition) in contents.partitions {
            guard let noted = environment.recoveryPoints?.point(of: partition.recoveryKey)?.start
            else { continue }
            // Beyond the end, where a slot may be after a damage, the partition begins at its end.
            let start = min(noted, partition.logEndOffset)
            guard start > contents.startOffsets[name] ?? .zero else { continue }
            contents.startOffsets[name] = start
            isStale = true
        }
        if isStale { writeStarts(contents.startOffsets, &contents) }
    }

    /// Throws `corrupted` where what is noted of the beginning proves the slot to be of an older state: the
    /// slot is always written first.
    private func refuseOlder(
        _ point: RecoveryPoints.Point, of name: TopicPartition, _ contents: borrowing Contents
    ) throws {
        guard let noted = contents.startOffsets[name], noted > point.start else { return }
        throw LogError(
            .corrupted,
            "\(directory)\(RecoveryPoints.fileName) says that \(name) begins at offset "
                + "\(point.start), but \(directory)\(StartOffsets.fileName) has \(noted): the first is "
                + "of an older state, or the second is damaged; put the right one back from a copy, or "
                + "remove the wrong one")
    }

    /// Opens a partition of the owner's.
    func recover(
        _ name: TopicPartition, of topic: Topic, _ contents: borrowing Contents, wasClean: Bool
    ) throws -> Partition {
        let path = directory + "/" + name.description
        guard try files.exists(path) else {
            throw LogError(
                .corrupted, "the directory \(path) is missing; put it back from a copy")
        }
        let recoveryPoints = environment.recoveryPoints
        let point = recoveryPoints?.point(
            of: RecoveryPoints.Key(topicID: topic.id, partition: name.partition))
        if let point { try refuseOlder(point, of: name, contents) }
        var recovered = try PartitionRecovery(
            name: name, directory: path, files: files, settings: topic.settings,
            startOffset: point?.start ?? contents.startOffsets[name] ?? .zero,
            recoveryPoint: point?.flushed, leaderEpoch: point?.leaderEpoch, wasClean: wasClean,
            notify: environment.options.notify
        ).recover()
        recovered.state.ends.advance(flushed: recovered.state.ends.logEnd)
        return Partition(
            name, topicID: topic.id, directory: path, access: .owner, environment: environment,
            recovered: recovered.state, maintenance: recovered.maintenance)
    }

    /// Directories of partitions that the catalogue does not know: what a crash has left of a topic that
    /// was being made is removed. Throws `corrupted` where there are records: then the catalogue is lost,
    /// or an old one was put back.
    private func refuseStrangers(_ contents: borrowing Contents) throws {
        let known = Set(contents.partitions.keys.map(\.description))
        var rubbish: [String] = []
        for name in try files.names(in: directory) where !known.contains(name) {
            let path = directory + "/" + name
            guard let dash = name.lastIndex(of: "-"),
                Int32(name[name.index(after: dash)...]) != nil,
                try files.status(of: path)?.isDirectory == true
            else { continue }
            let logs = try files.names(in: path).filter {
                Segment.baseOffset(ofFileNamed: $0) != nil
            }
            for log in logs { try refuseData(path + "/" + log) }
            if !logs.isEmpty { rubbish.append(path) }
        }
        for path in rubbish { try files.removeDirectory(path) }
        if !rubbish.isEmpty { try files.flushDirectory(directory) }
    }

    /// Throws `corrupted` for a segment with records of which the catalogue does not know.
    func refuseData(_ path: String) throws {
        guard let status = try files.status(of: path), status.byteCount > 0 else { return }
        throw LogError(
            .corrupted,
            "\(path) holds data, but \(directory)/topics knows no such topic; put that file back "
                + "from a copy, or move the data away")
    }

    /// Opens a partition of an observer's.
    func observe(_ name: TopicPartition, of topic: Topic) throws -> Partition {
        precondition(access == .observer, "an owner has opened every partition")
        let path = directory + "/" + name.description
        guard try files.exists(path) else {
            throw LogError(
                .corrupted, "the directory \(path) is missing; put it back from a copy")
        }
        let start = try environment.observed?.start(of: name) ?? .zero
        let partition = Partition(
            name, topicID: topic.id, directory: path, access: .observer, environment: environment,
            recovered: Partition.State(
                settings: topic.settings, segments: [], ends: EndOffsets(start: start)),
            maintenance: Partition.Maintenance())
        try partition.refresh()
        return partition
    }

    /// Does what is due of retention and compaction, for a second at most; flushes everything, notes that the
    /// stop was clean and gives the directory free. Writing is refused afterwards. Any thread may call; the
    /// second call does nothing. Throws what flushing throws: then the next open takes the stop for a crash.
    public func close() throws {
        guard access == .owner else { return }
        try closing.withLock { _ in try closeOnce() }
    }

    private func closeOnce() throws {
        stopMaintainer(grace: environment.options.closingWork)
        let partitions = contents.withLock { contents in
            defer { contents.isClosed = true }
            return contents.isClosed ? nil : Array(contents.partitions.values)
        }
        guard let partitions else { return }
        // The directory is free in any case: each partition refuses writes from here on.
        defer { contents.withLock { $0.lock = nil } }
        let failures = partitions.compactMap { partition in
            do {
                try partition.close()
                return nil as (any Error)?
            } catch { return error }
        }
        if let failure = failures.first { throw failure }
        try files.replaceFile(
            directory + Self.cleanShutdownFile, with: Self.cleanShutdownText)
    }
}

/// Where partitions begin, in Kafka's file: it holds those that do not begin at their first segment. An
/// owner believes it only where `recovery-points` knows nothing: it has no checksum.
enum StartOffsets {
    static let fileName = "/log-start-offset-checkpoint"

    static func read(_ directory: String, in files: FileSystem) throws -> [TopicPartition: Offset] {
        try CheckpointFile.readOffsets(directory + fileName, in: files)
    }

    /// When it returns the offsets survive a power loss.
    static func write(
        _ offsets: [TopicPartition: Offset], to directory: String, in files: FileSystem
    ) throws {
        try CheckpointFile.writeOffsets(offsets, to: directory + fileName, in: files)
    }
}
