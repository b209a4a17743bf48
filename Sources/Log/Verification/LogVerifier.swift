// `log verify`: every checksum and every invariant of a data directory, read only. Works offline and beside
// a running owner: what an owner changes meanwhile is looked at again.

/// Verifies a data directory. Belongs to one thread; changes nothing and takes no lock.
package struct LogVerifier {
    private let directory: String
    private let files: FileSystem
    private var summary = VerificationSummary()

    /// How far it is, in bytes of segments.
    package struct Progress: Sendable {
        package var done = 0
        /// As it was at the beginning.
        package var total = 0
    }

    package init(_ directory: String, files: FileSystem = .live) {
        self.directory = directory
        self.files = files
    }

    /// Looks at everything and calls `found` for each finding, partition by partition. Throws
    /// `noSuchDirectory`, and what reading throws where a file cannot be read at all.
    /// - Parameter progress: Called now and then; may throw to end it.
    package mutating func verify(
        progress: (Progress) throws -> Void = { _ in }, _ found: (LogFinding) throws -> Void
    ) throws -> VerificationSummary {
        guard try files.exists(directory + TopicCatalog.fileName) else {
            throw LogError(
                .noSuchDirectory, "\(directory) is no data directory; give one with --data")
        }
        var notes: [LogFinding] = []
        let known = try readDirectory(&notes)
        for finding in notes {
            summary.add(finding)
            try found(finding)
        }
        let names = known.partitions.sorted {
            ($0.topic, $0.partition) < ($1.topic, $1.partition)
        }
        var state = Progress(total: try names.reduce(0) { try $0 + byteCount(of: $1) })
        for name in names {
            let done = state.done
            let partition = try verify(name, known) { byteCount in
                state.done += byteCount
                try progress(state)
            }
            guard let partition else { continue }
            state.done = done + partition.counts.byteCount
            summary.add(partition.counts)
            for finding in partition.findings {
                summary.add(finding)
                try found(finding)
            }
        }
        try progress(state)
        // Where batches are damaged already, the records that they held need not be missed again.
        for finding in summary.damageCount == 0 ? try verifyInternalTopics() : [] {
            summary.add(finding)
            try found(finding)
        }
        return summary
    }

    /// The log's own topics hold records of fixed forms. Throws `newerFormat`, and what reading throws.
    private func verifyInternalTopics() throws -> [LogFinding] {
        let readers: [(topic: String, read: (CommitLog) throws -> Void)] = [
            (TransactionTopic.name, { _ = try $0.transactions.list() }),
            (OffsetsTopic.name, { _ = try $0.groups.list() }),
        ]
        var options = LogOptions()
        options.files = files
        return try readers.compactMap { topic, read in
            var attempt = 1
            while true {
                do {
                    try read(try CommitLog.open(directory, as: .observer, options))
                    return nil
                } catch {
                    // The owner may be replacing something: that is right when it is looked at again.
                    attempt += 1
                    guard attempt > Limits.observerAttemptsMax else { continue }
                    guard let error = error as? LogError, error.code == .corrupted else {
                        throw error
                    }
                    return LogFinding(
                        kind: .damage, path: "\(directory)/\(topic)", position: nil, offset: nil,
                        message: error.message)
                }
            }
        }
    }

    private func byteCount(of name: TopicPartition) throws -> Int {
        let path = "\(directory)/\(name)"
        guard try files.exists(path) else { return 0 }
        return try files.names(in: path).filter { $0.hasSuffix(Segment.logSuffix) }
            .reduce(0) { try $0 + (files.status(of: path + "/" + $1)?.byteCount ?? 0) }
    }

    // MARK: The directory

    private struct Known {
        var topics: [String: Topic] = [:]
        var partitions: Set<TopicPartition> = []
        var startOffsets: [TopicPartition: Offset] = [:]
        var points: [RecoveryPoints.Key: RecoveryPoints.Point] = [:]
    }

    /// What the files of the whole directory say. Where one is damaged, the partitions are looked at
    /// without it.
    private func readDirectory(_ findings: inout [LogFinding]) throws -> Known {
        func damage(_ path: String, _ message: String) {
            findings.append(
                LogFinding(
                    kind: .damage, path: path, position: nil, offset: nil, message: message))
        }
        let cleanShutdown = directory + CommitLog.cleanShutdownFile
        let wasClean = try files.exists(cleanShutdown)
        if let text = try files.text(of: cleanShutdown), text != CommitLog.cleanShutdownText {
            damage(
                cleanShutdown,
                "it is not what a clean stop writes; remove it, and the next opening recovers the log as "
                    + "after a crash")
        }
        var known = Known()
        var deleting: Set<TopicPartition> = []
        var isCatalogRead = false
        do {
            let catalog = try TopicCatalog(directory: directory, in: files)
            known.topics = catalog.topics
            known.partitions = Set(catalog.topics.values.flatMap(\.partitions))
            deleting = Set(catalog.deleting.flatMap(\.partitions))
            isCatalogRead = true
        } catch let error as LogError where error.code == .corrupted {
            damage(directory + TopicCatalog.fileName, error.message)
        }
        for name in try partitionDirectories() where !known.partitions.contains(name) {
            guard !deleting.contains(name), try byteCount(of: name) > 0 else { continue }
            if isCatalogRead {
                damage(
                    "\(directory)/\(name)",
                    "it holds data, but \(directory)/topics knows no such topic; put that file back "
                        + "from a copy, or move the data away")
            }
            known.partitions.insert(name)
        }
        do {
            known.startOffsets = try StartOffsets.read(directory, in: files)
        } catch let error as LogError where error.code == .corrupted {
            damage(directory + StartOffsets.fileName, error.message)
        }
        do {
            known.points = try readPoints()
            findings += try RecoveryPointsVerification(
                path: directory + RecoveryPoints.fileName, files: files, wasClean: wasClean
            ).findings()
        } catch let error as LogError where error.code == .corrupted {
            damage(directory + RecoveryPoints.fileName, error.message)
        }
        return known
    }

    /// Directories of the form `topic-number` that have segments.
    private func partitionDirectories() throws -> [TopicPartition] {
        try files.names(in: directory).compactMap { entry in
            guard let dash = entry.lastIndex(of: "-"),
                let number = Int32(entry[entry.index(after: dash)...]), number >= 0,
                let status = try files.status(of: "\(directory)/\(entry)"), status.isDirectory,
                try files.names(in: "\(directory)/\(entry)").contains(where: {
                    Segment.baseOffset(ofFileNamed: $0) != nil
                })
            else { return nil }
            return TopicPartition(String(entry[..<dash]), PartitionID(Int(number)))
        }
    }

    private func readPoints() throws -> [RecoveryPoints.Key: RecoveryPoints.Point] {
        var points: [RecoveryPoints.Key: RecoveryPoints.Point] = [:]
        for slot in try RecoveryPoints.slots(
            inFile: directory + RecoveryPoints.fileName, files)
        {
            if let key = slot.key { points[key] = slot.point }
        }
        return points
    }

    // MARK: Partitions

    /// Nil where the topic was deleted meanwhile.
    private func verify(
        _ name: TopicPartition, _ known: Known, _ progress: (Int) throws -> Void
    ) throws -> PartitionVerification? {
        let path = "\(directory)/\(name)"
        var attempt = 1
        while true {
            let before = try state(of: path)
            // An owner may begin at any time: then there may be what it has not flushed yet.
            let wasClean = try files.exists(directory + CommitLog.cleanShutdownFile)
            // Read again each time: it is what the owner moves.
            let points = attempt == 1 ? known.points : try readAgain(known.points, readPoints)
            let starts =
                attempt == 1
                ? known.startOffsets
                : try readAgain(known.startOffsets) { try StartOffsets.read(directory, in: files) }
            let topic = known.topics[name.topic]
            let point = topic.flatMap {
                points[RecoveryPoints.Key(topicID: $0.id, partition: name.partition)]
            }
            var partition = PartitionVerification(
                name: name, directory: path, files: files,
                settings: topic?.settings ?? TopicSettings(),
                startOffset: point?.start ?? starts[name], recoveryPoint: point?.flushed,
                leaderEpoch: point?.leaderEpoch ?? 0, wasClean: wasClean)
            try partition.verify(progress: progress)
            if try partition.isWhole || before == state(of: path) { return partition }
            if try topic != nil && !isThere(name) { return nil }
            guard attempt < Limits.observerAttemptsMax else { return partition }
            attempt += 1
        }
    }

    /// A file of the whole directory as it is by now; as it was, where it is damaged: that is told of the
    /// directory, and does not end the look at its partitions.
    private func readAgain<Content>(
        _ known: Content, _ read: () throws -> Content
    ) throws -> Content {
        do {
            return try read()
        } catch let error as LogError where error.code == .corrupted { return known }
    }

    private func isThere(_ name: TopicPartition) throws -> Bool {
        let topic = try TopicCatalog(directory: directory, in: files).topics[name.topic]
        return topic.map { name.partition.rawValue < $0.partitionCount } ?? false
    }

    /// What changes when the owner replaces something.
    private func state(of path: String) throws -> [String] {
        guard try files.exists(path) else { return [] }
        let names = try files.names(in: path)
        let manifest = try files.text(of: path + "/" + SegmentManifest.fileName) ?? ""
        let epochs = try files.text(of: path + "/" + LeaderEpochs.fileName) ?? ""
        let wasClean = try files.exists(directory + CommitLog.cleanShutdownFile)
        return names + [manifest, epochs, wasClean ? "clean" : "in use"]
    }
}

extension PartitionVerification {
    fileprivate var isWhole: Bool { !findings.contains { $0.kind == .damage } }
}
