// Where the tasks of a job are: what `checkpoints show` prints. Read beside the running job, without its code.

import LocalState
package import StreamJobsLog

/// How far a task is, as its last commit has it.
package struct TaskCheckpoint: Sendable {
    /// A position in an input.
    package struct Position: Sendable {
        package let topic: String
        package let partition: PartitionID
        /// Of a repartition topic, the task that has written the records; nil for a source.
        package let upstream: String?
        /// The next offset to be read.
        package let offset: Offset
        /// Of the record before it; -1 at the start.
        package let leaderEpoch: Int32
        /// The end of the partition now; nil where the topic is gone, or made again since.
        package let logEnd: Offset?
        package var lag: Int64? { logEnd.map { max(0, $0.rawValue - offset.rawValue) } }
    }

    package let task: String
    package let commit: Int64
    /// nil before the first record with a time.
    package let watermark: Timestamp?
    /// Decided transactions whose markers are not known to be flushed.
    package let pendingMarkers: Int
    package let lateRecords: Int64
    /// The last bounded run has been finished.
    package let hasFinished: Bool
    package let positions: [Position]
}

extension JobStates {
    /// Whether a process runs the job now.
    package var isRunning: Bool { JobLock.isTaken(directory) }

    /// nil where nothing was ever committed.
    package func checkpoint(of task: String, in log: CommitLog) throws -> TaskCheckpoint? {
        guard let inspected = try open(task) else { return nil }
        defer { inspected.snapshot.close() }
        let upstreams = Dictionary(
            tasks.map { (InternalRecord.taskNumber($0), $0) }, uniquingKeysWith: { one, _ in one })
        let positions = try inspected.positions().map { key, stored in
            let topic = try log.existingTopic(stored.topic)
            let isSame = topic?.id == key.topicID
            let partition =
                try isSame
                ? log.partition(TopicPartition(stored.topic, key.partition)) : nil
            return TaskCheckpoint.Position(
                topic: stored.topic, partition: key.partition,
                upstream: key.upstream == 0 ? nil : upstreams[key.upstream] ?? "unknown",
                offset: stored.position.offset, leaderEpoch: stored.leaderEpoch,
                logEnd: partition?.logEndOffset)
        }
        let run = try inspected.snapshot.get(.commit, key: RunRecord.key).map {
            try RunRecord($0, of: task)
        }
        let watermark = inspected.record?.watermark
        return TaskCheckpoint(
            task: task, commit: inspected.commit,
            watermark: watermark == .distantPast ? nil : watermark,
            pendingMarkers: inspected.record?.decided.count ?? 0,
            lateRecords: inspected.record?.lateCount ?? 0, hasFinished: run?.hasFinished ?? false,
            positions: positions.sorted {
                ($0.topic, $0.partition.rawValue, $0.upstream ?? "")
                    < ($1.topic, $1.partition.rawValue, $1.upstream ?? "")
            })
    }
}

extension InspectedTask {
    /// The positions as they are stored.
    func positions() throws -> [(key: PositionKey, stored: StoredPosition)] {
        try snapshot.entries(.offsets).map { entry in
            (
                key: try PositionKey(entry.key, of: name),
                stored: try StoredPosition(entry.payload ?? [], of: name)
            )
        }
    }
}
