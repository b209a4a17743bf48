// The log's own record of a job's commits: (task, k, positions), written in the same transaction as the
// outputs. With it, state that is missing or older than the log is noticed, where reading on would send
// everything again (FAULTS D12). Each job has a topic of its own, so that what another job has left open
// hides nothing. Of each task only the last record counts: the topic is compacted, in segments so small that
// it is a few megabytes however long the job has run, and is read whole when the job is opened.
//
// What a record holds: LoggedCommit.swift.

package import StreamJobsLog

package enum CommitsTopic {
    package static func name(of job: Job) -> String { name(ofJob: job.name) }
    package static func name(ofJob job: String) -> String { "__commits-\(job)" }

    package static func open(_ log: any JobLog, for job: Job) throws -> any JobLogPartition {
        let name = name(of: job)
        if try log.existingTopic(name) == nil {
            var settings = TopicSettings()
            settings.cleanupPolicy = .compact
            settings.segmentBytes = Limits.commitsSegmentBytes
            // Nobody follows the topic who would have to see a marker before it goes.
            settings.deleteRetention = .zero
            _ = try log.createTopic(name, partitions: 1, isInternal: true, settings: settings)
        }
        return try log.logPartition(TopicPartition(name, PartitionID(0)))
    }

    /// Appends what task `name` commits, as a part of `producer`'s transaction; gives its offsets.
    /// - Parameter ended: The last commit of the run before, where this is the first of another: it is kept.
    package static func append(
        _ commit: LoggedCommit, ofTask name: String, keeping ended: LoggedCommit? = nil,
        to commits: any JobLogPartition, as producer: ProducerStamp
    ) throws -> (first: Offset, last: Offset) {
        let batch = BatchBuilder(capacity: 1024)
        try batch.append(key: name, commit.encoded())
        if let ended { try batch.append(key: "\(name)\n\(ended.run.id)", ended.encoded()) }
        // The bytes belong to the builder, which may go after its last use.
        let first = try withExtendedLifetime(batch) {
            try commits.append(batch.seal(producer: producer, isTransactional: true))
        }
        return (first, first + (ended == nil ? 0 : 1))
    }

    /// Makes a producer known to the topic before its first use: by that the job's transactions are told from
    /// others' when the state that took its id is no more. Leaves no record.
    static func introduce(
        _ producer: ProducerStamp, ofTask name: String, to commits: any JobLogPartition
    ) throws {
        let batch = BatchBuilder(capacity: 256)
        try batch.append(key: "\(name)\nproducer", [])
        try withExtendedLifetime(batch) {
            _ = try commits.append(batch.seal(producer: producer, isTransactional: true))
        }
        try commits.end(producer, with: .abort)
    }

    /// Throws `refused` if a transaction is still open although all tasks have ended theirs: it was begun,
    /// and perhaps decided, by a state that is no more.
    static func requireNoneOpen(in commits: any JobLogPartition) throws {
        guard let open = commits.openTransactions.first else { return }
        var task = ""
        let cursor = commits.makeCursor(from: open.first, .readUncommitted)
        if try cursor.hasRecord() {
            try cursor.withRecord { record in
                task = record.withKey { String(decoding: $0 ?? .empty, as: UTF8.self) }
            }
        }
        throw JobError(
            .refused,
            "the state of the task \(task) is missing: the log holds a commit that it has begun "
                + "(\(commits.name) offset \(open.first)); \(Remedy.rebuild)")
    }

    /// The last commit of each task, by its name.
    package static func lastCommits(in commits: any JobLogPartition) throws -> [String:
        LoggedCommit]
    {
        var last: [String: LoggedCommit] = [:]
        try forEach(in: commits) { task, isKept, commit in
            if !isKept { last[task] = commit }
        }
        return last
    }

    /// Of each task the last commit of every run that counts, and of all: what a rebuild follows.
    static func histories(in commits: any JobLogPartition) throws -> [String: [LoggedCommit]] {
        var kept: [String: [Int64: LoggedCommit]] = [:]
        try forEach(in: commits) { task, isKept, commit in
            if isKept { kept[task, default: [:]][commit.run.id] = commit }
        }
        return try lastCommits(in: commits).reduce(into: [:]) { histories, last in
            let earlier = kept[last.key]?.values.filter { $0.number < last.value.number } ?? []
            histories[last.key] = earlier.sorted { $0.number < $1.number } + [last.value]
        }
    }

    private static func forEach(
        in commits: any JobLogPartition,
        _ body: (_ task: String, _ isKept: Bool, LoggedCommit) -> Void
    ) throws {
        // What another task has left open must not hide the commits behind it.
        let cursor = commits.makeCursor(from: commits.startOffset, .readDecided)
        while try cursor.hasRecord() {
            try cursor.withRecord { record in
                let key = record.withKey { String(decoding: $0 ?? .empty, as: UTF8.self) }
                let value = record.withValue { Array($0 ?? .empty) }
                let parts = key.split(separator: "\n", maxSplits: 1)
                body(
                    parts.first.map(String.init) ?? "", parts.count > 1,
                    try LoggedCommit(value, at: "\(commits.name) offset \(record.offset)"))
            }
            cursor.take()
        }
    }
}

extension BatchBuilder {
    fileprivate func append(key: String, _ value: [UInt8]) throws {
        try Array(key.utf8).withUnsafeBytes { key in
            try value.withUnsafeBytes { value in
                try append(key: key, value: value, timestamp: .now())
            }
        }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate static var empty: UnsafeRawBufferPointer { .init(start: nil, count: 0) }
}
