// The log's own record of a job's commits: (task, k, positions), written in the same transaction as the
// outputs. With it, state that is missing or older than the log is noticed, where reading on would send
// everything again (FAULTS D12). Each job has a topic of its own, so that what another job has left open
// hides nothing. Of each task only the last record counts: the topic is compacted, in segments so small that
// it is a few megabytes however long the job has run, and is read whole when the job is opened.
//
// key: the task's name; value: version 1, k, count of positions, and each: topic id (16), partition,
// upstream task (0 for a source), offset.

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

    /// Appends what task `name` commits, as a part of `producer`'s transaction; gives its offset.
    package static func append(
        _ number: Int64, ofTask name: String, at positions: [(PositionKey, InputPosition)],
        to commits: any JobLogPartition, as producer: ProducerStamp
    ) throws -> Offset {
        let batch = BatchBuilder(capacity: 512)
        let value = encode(number, positions)
        try Array(name.utf8).withUnsafeBytes { key in
            try value.withUnsafeBytes { value in
                try batch.append(key: key, value: value, timestamp: .now())
            }
        }
        // The bytes belong to the builder, which may go after its last use.
        return try withExtendedLifetime(batch) {
            try commits.append(batch.seal(producer: producer, isTransactional: true))
        }
    }

    private static func encode(
        _ number: Int64, _ positions: [(PositionKey, InputPosition)]
    ) -> [UInt8] {
        var fields = FieldWriter(version: 1)
        fields.put(number)
        fields.put(Int32(positions.count))
        for (key, position) in positions {
            fields.put(key)
            fields.put(position.offset.rawValue)
        }
        return fields.bytes
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
                + "(\(commits.name) offset \(open.first)); \(Remedy.copyOrAnew)")
    }

    /// The number of the last commit of each task, by its name.
    package static func lastCommits(in commits: any JobLogPartition) throws -> [String: Int64] {
        var last: [String: Int64] = [:]
        // What another task has left open must not hide the commits behind it.
        let cursor = commits.makeCursor(from: commits.startOffset, .readDecided)
        while try cursor.hasRecord() {
            try cursor.withRecord { record in
                let task = record.withKey { String(decoding: $0 ?? .empty, as: UTF8.self) }
                let value = record.withValue { Array($0 ?? .empty) }
                var fields = FieldReader(value, "\(commits.name) offset \(record.offset)")
                try fields.requireVersion(upTo: 1)
                last[task] = try fields.take(Int64.self)
            }
            cursor.take()
        }
        return last
    }
}

extension UnsafeRawBufferPointer {
    fileprivate static var empty: UnsafeRawBufferPointer { .init(start: nil, count: 0) }
}
