// Moves the position of a job in a source: as a commit of each task that reads it, so that the state and the commits
// topic agree. Nothing else of the state changes: what is read again counts again, what is passed over never
// counts, and the watermark stays. Needs no code of the job.

import LocalState
package import StreamJobsLog

/// A position that is moved.
package struct CheckpointMove: Sendable, Hashable {
    package let task: String
    package let from: Offset
    package let to: Offset
}

extension JobStates {
    /// Moves the positions in a partition, of all tasks or one, each in a commit of its own. A crash in its midst
    /// leaves some moved: doing it again moves the others. Throws `refused`, naming what is there, and what recovery throws.
    /// - Parameter log: owned, so that the job does not run.
    package func move(
        _ partition: TopicPartition, to target: OffsetTarget, tasks chosen: [String],
        dryRun: Bool, in log: CommitLog
    ) throws -> [CheckpointMove] {
        let lock = try dryRun ? nil : JobLock.take(directory, job: job)
        defer { withExtendedLifetime(lock) {} }
        var moves: [CheckpointMove] = []
        var others: Set<String> = []
        for task in chosen {
            guard let inspected = try open(task) else { continue }
            let positions = try inspected.positions().filter { $0.key.upstream == 0 }
            inspected.snapshot.close()
            others.formUnion(positions.map { "\($0.stored.topic):\($0.key.partition)" })
            let found = positions.first {
                $0.stored.topic == partition.topic && $0.key.partition == partition.partition
            }
            guard let found else { continue }
            let target = try target.offset(
                in: log.partition(partition), committed: found.stored.position.offset)
            moves.append(
                CheckpointMove(task: task, from: found.stored.position.offset, to: target))
        }
        guard !moves.isEmpty else {
            throw JobError(
                .refused,
                "no task of the job '\(job)' has a position in \(partition.topic):\(partition.partition); "
                    + "sources that it reads are \(others.sorted().joined(separator: ", "))")
        }
        guard !dryRun else { return moves }
        for move in moves where move.from != move.to {
            try MovingTask(self, move.task, log).move(to: move.to, in: partition)
        }
        return moves
    }
}

/// A task that is opened without its stores.
private struct MovingTask {
    private let name: String
    private let log: CommitLog
    private let commits: any JobLogPartition
    private let environment: StateEnvironment
    private var restored: RestoredTask
    private let producer: ProducerStamp

    init(_ states: JobStates, _ task: String, _ log: CommitLog) throws {
        name = task
        self.log = log
        let topic = CommitsTopic.name(ofJob: states.job)
        guard try log.existingTopic(topic) != nil else {
            throw JobError(
                .refused,
                "the log has no commits of the job '\(states.job)'; \(Remedy.copyOrAnew)")
        }
        commits = try log.logPartition(TopicPartition(topic, PartitionID(0)))
        environment = StateEnvironment(directory: states.directory(of: task))
        try environment.open()
        let newProducerID: () throws -> Int64 = { try log.takeProducerIDs(1) }
        restored = try RestoredTask(environment, of: task, newProducerID: newProducerID)
        try CommitRecovery.requireSameCommit(
            restored.commit, task: task,
            inLog: try CommitsTopic.lastCommits(in: commits)[task]?.number ?? 0, commits)
        // Whatever the task has written, it is in one of these.
        let all = try log.topics.flatMap(\.partitions).map { try log.logPartition($0) }
        _ = try CommitRecovery.resolve(restored, task: task, outputs: all)
        producer = try CommitRecovery.nextProducer(
            after: restored.commit.producer, outputs: all, newProducerID: newProducerID)
        guard producer.id != restored.commit.producer.id else { return }
        // As when the job opens it: an id that only the log has seen would never be aborted.
        restored.commit.producer = producer
        try environment.commit([
            SystemChange(.commit, key: CommitRecord.key, value: restored.commit.encoded())
        ])
    }

    /// As `TaskCommit` does it, with a position as all there is.
    func move(to offset: Offset, in name: TopicPartition) throws {
        defer { environment.close() }
        let input = try log.logPartition(name)
        let key = PositionKey(topicID: input.topicID, partition: name.partition, upstream: 0)
        guard let old = restored.positions[key] else {
            throw JobError(
                .refused,
                "the topic '\(name.topic)' was deleted and made again since the task \(self.name) has "
                    + "read it; \(Remedy.copyOrAnew)")
        }
        var position = old.position
        position.offset = offset
        var record = restored.commit
        record.number += 1
        var positions = restored.positions.map { ($0.key, $0.value.position) }
        positions.removeAll { $0.0 == key }
        let logged = LoggedCommit(
            record, in: restored.run, positions: positions + [(key, position)])
        let appended = try CommitsTopic.append(
            logged, ofTask: self.name, to: commits, as: producer)
        try log.flush([commits])
        record.decided.append(
            DecidedTransaction(
                topicID: commits.topicID, partition: commits.name.partition, producer: producer,
                first: appended.first, last: appended.last))
        record.producer = ProducerStamp(id: producer.id, epoch: producer.epoch + 1)
        let stored = StoredPosition(
            position, leaderEpoch: CommitRecovery.leaderEpoch(before: offset, in: input),
            topic: name.topic)
        try environment.commit([
            SystemChange(.commit, key: CommitRecord.key, value: record.encoded()),
            SystemChange(.offsets, key: key.encoded(), value: stored.encoded()),
        ])
        try commits.end(producer, with: .commit)
        try log.flush([commits])
    }
}
