// The states of a job made again from its inputs, to exactly the commits that the log knows, without sending
// anything. Each task by itself: what it has read of other tasks lies in the repartition topics.
//
//   1  end the transactions that the lost states have left open
//   2  into state.rebuild/<job>/: each task takes its inputs again, run by run, up to its last commit
//   3  flush; state/<job> → state.replaced/<job>; state.rebuild/<job> → state/<job>
//
// A crash before 3 has changed nothing, and a rebuild begins anew. Within 3 the state may be missing, which is
// refused at the next start like any other state that is missing.

import LocalState
import StreamJobsLog

/// What a rebuild has done.
public struct RebuildSummary: Sendable {
    public let taskCount: Int
    /// Records that were taken again.
    public let recordCount: Int
    /// Where the states that were there before are; nil if there were none.
    public let replaced: String?
}

package struct StateRebuild {
    private let job: Job
    private let log: any JobLog
    private let plan: JobPlan
    private let commits: any JobLogPartition
    private let settings: RunSettings
    private let directories: RebuildDirectories

    /// Throws `refused` where the log knows of no commit.
    package init(
        _ job: Job, on log: any JobLog, stateDirectory: String, settings: RunSettings
    ) throws {
        self.job = job
        self.log = log
        self.settings = settings
        plan = try JobPlan(job, on: log)
        directories = RebuildDirectories(states: stateDirectory, job: job.name)
        guard try log.existingTopic(CommitsTopic.name(of: job)) != nil else {
            throw JobError(
                .refused,
                "there is nothing to rebuild: the job '\(job.name)' has never committed on this log"
            )
        }
        commits = try CommitsTopic.open(log, for: job)
    }

    /// - Parameter progress: Told how many records of how many were taken, now and then.
    package func run(progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }) throws
        -> RebuildSummary
    {
        try AbandonedTransactions(plan: plan, log: log, commits: commits).end()
        let histories = try CommitsTopic.histories(in: commits)
        let total = histories.values.reduce(0) { $0 + Int($1.last?.progress.recordCount ?? 0) }
        try directories.begin()
        let maker = TaskMaker(plan, on: log, memoryBytes: settings.memory)
        var done = 0
        var taskCount = 0
        for kind in plan.kinds {
            for partition in 0..<kind.taskCount {
                guard let history = histories[kind.taskName(partition)] else { continue }
                let task = try TaskReplay(
                    kind, partition, by: maker,
                    directory: directories.rebuilt(kind.taskName(partition)))
                defer { task.close() }
                try task.run(history) { progress(done + $0, total) }
                done += Int(history.last?.progress.recordCount ?? 0)
                taskCount += 1
            }
        }
        let replaced = try directories.replace()
        return RebuildSummary(taskCount: taskCount, recordCount: done, replaced: replaced)
    }
}

/// One task that does again what it has done.
private final class TaskReplay {
    private let kind: PlannedKind
    private let inputs: TaskInputs
    private let task: TaskCore
    private var environment: StateEnvironment { task.environment }

    init(_ kind: PlannedKind, _ partition: Int, by maker: TaskMaker, directory: String) throws {
        self.kind = kind
        inputs = maker.inputs
        // A crash begins anew: only the end is flushed.
        task = try maker.make(kind, partition, directory: directory, durability: .none).task
    }

    func close() { environment.close() }

    /// Does the runs of `history` again and commits as the last one has.
    func run(_ history: [LoggedCommit], progress: (Int) -> Void) throws {
        guard let last = history.last else { return }
        guard history.allSatisfy(\.isWhole) else {
            throw JobError(
                .refused,
                "the last commit of the task \(task.name) was made by an older version, which did not note "
                    + "what a rebuild needs; \(Remedy.copyOrAnew)")
        }
        for commit in history {
            try begin(commit)
            try takeRecords(commit, progress)
            try requireSamePositions(commit)
            try task.fireTimers(upTo: commit.watermark, count: commit.progress.timerCount)
            task.outputs.discard()
            task.stand(at: commit)
        }
        try finish(last)
    }

    private func begin(_ commit: LoggedCommit) throws {
        let mode = commit.run.isLive ? RunMode.live : .bounded(run: commit.run.id)
        let ends =
            commit.run.isLive
            ? Dictionary(
                uniqueKeysWithValues: commit.positions.map { ($0.key, $0.position.offset) })
            : commit.run.ends
        let made = try inputs.make(
            of: kind, for: task, ends: ends, mode: mode,
            replaying: commit.run.isLive ? commit : nil)
        for (key, _) in commit.positions
        where !made.contains(where: { $0.partition.topicID == key.topicID }) {
            throw JobError(
                .refused,
                "a topic that the task \(task.name) has read is gone (deleted and made again, or no longer "
                    + "an input of it); \(Remedy.copyOrAnew)")
        }
        for input in made { try requireAllThere(input, commit) }
        task.begin(made, mode: mode, hasFinished: false)
    }

    private func takeRecords(_ commit: LoggedCommit, _ progress: (Int) -> Void) throws {
        while task.progress.recordCount < commit.progress.recordCount {
            let left = commit.progress.recordCount - task.progress.recordCount
            let done = try task.run(limit: min(Limits.turnRecords, Int(left)))
            task.outputs.discard()
            if task.mustCommit {
                try environment.commit([])
                task.forgetRequests()
            } else if done == 0 {
                throw JobError(
                    .refused,
                    "the task \(task.name) has taken \(commit.progress.recordCount) records up to its "
                        + "commit \(commit.number), but finds \(task.progress.recordCount) now: its "
                        + "inputs have changed (compacted, or read in another way by changed code); "
                        + Remedy.copyOrAnew)
            }
            progress(Int(task.progress.recordCount))
        }
    }

    /// Throws `refused` where something of what was read is no longer in the log.
    private func requireAllThere(_ input: any TaskInput, _ commit: LoggedCommit) throws {
        let partition = input.partition
        let read = commit.positions.filter {
            $0.key.topicID == partition.topicID && $0.key.partition == partition.name.partition
        }
        guard let end = read.map(\.position.offset).max() else { return }
        let begin =
            read.compactMap { task.commit.positions[$0.key]?.offset }.min() ?? Offset(0)
        guard begin >= partition.startOffset || end <= begin else {
            throw JobError(
                .refused,
                "\(partition.name) begins at offset \(partition.startOffset), but the task "
                    + "\(task.name) has read it from \(begin) to \(end): records that its state was "
                    + "made from are deleted; \(Remedy.copyOrAnew)")
        }
        guard end <= partition.logEndOffset else {
            throw JobError(
                .refused,
                "\(partition.name) ends at offset \(partition.logEndOffset), but the task "
                    + "\(task.name) has read it up to \(end); \(Remedy.copyOrAnew)")
        }
    }

    /// The same number of records must have led to the same place in every source.
    private func requireSamePositions(_ commit: LoggedCommit) throws {
        let committed = Dictionary(
            uniqueKeysWithValues: commit.positions.map { ($0.key, $0.position.offset) })
        for (key, position) in task.positions where key.upstream == 0 {
            guard let expected = committed[key], position.offset != expected else { continue }
            let range = min(expected, position.offset)..<max(expected, position.offset)
            let source = task.inputPartitions.first {
                $0.topicID == key.topicID && $0.name.partition == key.partition
            }
            // Offsets without records may lie in between.
            guard let source, try source.hasRecord(in: range) else { continue }
            throw JobError(
                .refused,
                "the task \(task.name) comes to offset \(position.offset) of \(source.name) where its "
                    + "commit \(commit.number) was at \(expected): its inputs have changed, or its position was set by hand; "
                    + Remedy.copyOrAnew)
        }
    }

    /// Commits what the lost state's last commit has held.
    private func finish(_ last: LoggedCommit) throws {
        var record = CommitRecord(producer: task.commit.producer)
        record.number = last.number
        record.watermark = last.watermark
        record.promise = last.promise
        record.lateCount = last.lateCount
        record.progress = last.progress
        var changes = [
            SystemChange(.commit, key: CommitRecord.key, value: record.encoded()),
            SystemChange(.commit, key: RunRecord.key, value: last.run.encoded()),
        ]
        for (key, position) in last.positions {
            let partition = task.inputPartitions.first {
                $0.topicID == key.topicID && $0.name.partition == key.partition
            }
            // Of an input that the task no longer reads nobody asks for the position.
            guard let partition else { continue }
            let stored = StoredPosition(
                position,
                leaderEpoch: CommitRecovery.leaderEpoch(before: position.offset, in: partition),
                topic: partition.name.topic)
            changes.append(SystemChange(.offsets, key: key.encoded(), value: stored.encoded()))
        }
        for (timer, isSet) in task.timers.changes where isSet {
            changes.append(SystemChange(.timers, key: timer.encoded(), value: []))
        }
        try environment.commit(changes)
        try environment.sync()
    }
}

extension JobLogPartition {
    fileprivate func hasRecord(in range: Range<Offset>) throws -> Bool {
        let cursor = makeCursor(from: range.lowerBound, .readDecided)
        guard try cursor.hasRecord(), let offset = cursor.recordOffset else { return false }
        return range.contains(offset)
    }
}
