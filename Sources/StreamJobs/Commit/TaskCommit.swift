// The commit of a task: one LMDB transaction with the changes of its stores, its positions, its timers and
// the record that decides whether what it has sent will be seen. DESIGN, "The commit":
//
//   0  flush the inputs up to the positions about to be committed
//   1  append what was sent, and a record to the commits topic; flush the partitions touched
//   2  ONE transaction of the state   ← the decision
//   3  append the markers: readers see the records
//
// That is exactly once. At least once appends what others read in 1 as well, but outside of the transaction;
// at most once appends it in 3.
//
// A worker commits its tasks together, a step at a time, so that each partition is flushed once for all.

import LocalState
import StreamJobsLog

struct TaskCommit {
    let log: any JobLog
    let commits: any JobLogPartition
    let durability: Durability
    let guarantee: Guarantee

    init(_ job: OpenJob) {
        log = job.log
        commits = job.commits
        durability = job.settings.durability
        guarantee = job.settings.guarantee ?? job.plan.job.guarantee
    }

    /// Commits the tasks that have something to commit; gives how many those were. Where this throws, the
    /// job must stop: what is decided is found out when its state is opened again.
    func commit(_ tasks: [TaskCore]) throws -> Int {
        let tasks = tasks.filter(\.needsCommit)
        guard !tasks.isEmpty else { return 0 }
        try flush(tasks.flatMap(\.inputPartitions))
        for task in tasks { try task.appendOutput(commits, guarantee) }
        try flush(tasks.flatMap(\.commit.touchedPartitions))
        // Each in a file of its own: where commits wait for the disk, they wait together. Nobody else uses the
        // tasks meanwhile, and each is used by one thread.
        nonisolated(unsafe) let deciding = tasks
        try SideBySide.forEach(
            tasks.count, threads: durability == .powerLoss ? Limits.commitThreads : 1
        ) { [durability] in try deciding[$0].decide(durability) }
        for task in tasks { try task.publish(guarantee) }
        if guarantee == .atMostOnce { try flush(tasks.flatMap(\.commit.touchedPartitions)) }
        return tasks.count
    }

    private func flush(_ partitions: [any JobLogPartition]) throws {
        if durability == .powerLoss { try log.flush(partitions) }
    }
}

extension TaskCore {
    /// Step 1 without the flush.
    fileprivate func appendOutput(_ commits: any JobLogPartition, _ guarantee: Guarantee) throws {
        precondition(commit.appended.isEmpty, "the commit before has not ended")
        if outputs.hasInternal {
            let isEnd = hasFinished && !commit.sentEnd
            let watermark = outputWatermark
            if isEnd || commit.sentWatermark != watermark || commit.sentIdle != isIdle {
                try outputs.appendMarks(
                    InternalRecord.headers(
                        task: number, watermark: watermark, endOf: isEnd ? commit.run?.id : nil,
                        isIdle: isIdle),
                    timestamp: watermark)
                commit.sentWatermark = watermark
                commit.sentEnd = isEnd
                commit.sentIdle = isIdle
            }
        }
        // What other tasks of the job read is always of the transaction: the state of all is exact.
        commit.appended = try outputs.write(
            guarantee == .exactlyOnce ? .all : .repartitions, as: commit.producer)
        commit.plain =
            guarantee == .atLeastOnce ? try outputs.write(.outputs, as: nil) : []
        let logged = loggedCommit(guarantee)
        // Where live runs follow on each other, nothing depends on where one has ended.
        let ended = commit.logged.flatMap { last in
            let isSame = last.run.id == logged.run.id || last.run.isLive && logged.run.isLive
            return isSame || !last.isWhole ? nil : last
        }
        let range = try CommitsTopic.append(
            logged, ofTask: name, keeping: ended, to: commits, as: commit.producer)
        commit.logged = logged
        commit.appended.append(
            AppendedRange(partition: commits, first: range.first, last: range.last))
    }

    /// What the log is to know of the commit that is being made.
    private func loggedCommit(_ guarantee: Guarantee) -> LoggedCommit {
        var logged = LoggedCommit(number: commit.number + 1, positions: positions)
        logged.guarantee = guarantee
        logged.watermark = eventTime.watermark
        logged.promise = promise
        logged.lateCount = lateCount
        logged.progress = progress
        if let run = commit.run { logged.run = run }
        logged.run.hasFinished = hasFinished
        logged.ranges = commit.appended.map { range in
            LoggedCommit.Range(
                topicID: range.partition.topicID, partition: range.partition.name.partition,
                first: range.first, last: range.last)
        }
        return logged
    }

    /// Step 2.
    fileprivate func decide(_ durability: Durability) throws {
        let producer = commit.producer
        let decided = commit.appended.map { range in
            CommitState.UnconfirmedMarker(
                transaction: DecidedTransaction(
                    topicID: range.partition.topicID, partition: range.partition.name.partition,
                    producer: producer, first: range.first, last: range.last),
                partition: range.partition)
        }
        // A marker that was flushed with later appends needs no remembering, nor one that is written
        // where nothing has to survive more than the process.
        let kept = commit.unconfirmed.filter { marker in
            guard let end = marker.end else { return true }
            return durability == .powerLoss && marker.partition.flushedOffset < end
        }
        var record = CommitRecord(producer: try nextProducer(after: producer))
        record.number = commit.number + 1
        record.watermark = eventTime.watermark
        record.promise = promise
        record.lateCount = lateCount
        record.progress = progress
        record.decided = (kept + decided).map(\.transaction)

        let positions = changedPositions
        if hasFinished { commit.run?.hasFinished = true }
        try environment.commit(changes(record, positions))

        commit.number = record.number
        commit.producer = record.producer
        commit.unconfirmed = kept + decided
        for (key, position, _) in positions { commit.positions[key] = position }
        timers.committed()
        committed()
    }

    /// Step 3.
    fileprivate func publish(_ guarantee: Guarantee) throws {
        for index in commit.unconfirmed.indices where commit.unconfirmed[index].end == nil {
            let marker = commit.unconfirmed[index]
            try marker.partition.end(marker.transaction.producer, with: .commit)
            commit.unconfirmed[index].end = marker.partition.logEndOffset
        }
        commit.appended = []
        commit.plain = guarantee == .atMostOnce ? try outputs.write(.outputs, as: nil) : []
    }

    /// The same producer's next epoch (KIP-890 bumps it with each transaction), or another producer
    /// before the 16 bits run out.
    private func nextProducer(after producer: ProducerStamp) throws -> ProducerStamp {
        guard producer.epoch + 1 < Limits.epochMax else {
            return ProducerStamp(id: try newProducerID(), epoch: 0)
        }
        return ProducerStamp(id: producer.id, epoch: producer.epoch + 1)
    }

    private func changes(
        _ record: CommitRecord, _ positions: [(PositionKey, InputPosition, topic: String)]
    ) -> [SystemChange] {
        var changes = [SystemChange(.commit, key: CommitRecord.key, value: record.encoded())]
        if let run = commit.run {
            changes.append(SystemChange(.commit, key: RunRecord.key, value: run.encoded()))
        }
        for (key, position, topic) in positions {
            let stored = StoredPosition(
                position, leaderEpoch: leaderEpoch(before: position.offset, of: key), topic: topic)
            changes.append(SystemChange(.offsets, key: key.encoded(), value: stored.encoded()))
        }
        for (timer, isSet) in timers.changes {
            changes.append(SystemChange(.timers, key: timer.encoded(), value: isSet ? [] : nil))
        }
        return changes
    }

    private func leaderEpoch(before offset: Offset, of key: PositionKey) -> Int32 {
        let partition = inputPartitions.first {
            $0.topicID == key.topicID && $0.name.partition == key.partition
        }
        guard let partition else { preconditionFailure("a position belongs to an input") }
        return CommitRecovery.leaderEpoch(before: offset, in: partition)
    }
}
