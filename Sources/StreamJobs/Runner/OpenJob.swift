// A job on a log with its state opened: recovered, checked against the log, ready to run. Made on one
// thread; its tasks then go to their workers' threads.

import LocalState
import StreamJobsLog

/// Where the states of a job's tasks are.
package enum StateLocation {
    /// `<directory>/<job>/<task>/`
    case directory(String)
    /// The same without waiting for the disk, whatever the job's durability: for the test kit.
    case scratch(String)

    /// Where those of `job` are.
    fileprivate func directory(of job: Job) -> String {
        switch self {
        case .directory(let directory), .scratch(let directory): "\(directory)/\(job.name)"
        }
    }

    fileprivate func durability(_ durability: Durability) -> StateDurability {
        switch self {
        case .directory: durability == .powerLoss ? .powerLoss : .none
        case .scratch: .none
        }
    }

    /// The note that says whether the states may not be on the disk; nil where nobody wants to know.
    fileprivate func unsyncedMark(of job: Job) throws -> UnsyncedMark? {
        guard case .directory = self else { return nil }
        return try UnsyncedMark(directory: directory(of: job))
    }
}

final class OpenJob {
    let plan: JobPlan
    let log: any JobLog
    let commits: any JobLogPartition
    let settings: RunSettings
    private let maker: TaskMaker
    private var inputs: TaskInputs { maker.inputs }
    private(set) var tasks: [TaskCore] = []
    private var kindOfTask: [Int] = []
    /// Says whether the states may not be on the disk; nil for the test kit.
    private let unsynced: UnsyncedMark?

    /// Plans, makes missing topics, opens every task's state, ends what its last stop left open, and
    /// refuses a state that does not fit the log.
    init(
        _ job: Job, on log: any JobLog, state: StateLocation,
        settings: RunSettings = RunSettings()
    ) throws {
        self.log = log
        self.settings = settings
        unsynced = try state.unsyncedMark(of: job)
        let mayBeUnsynced = try unsynced?.isSet() ?? false
        plan = try JobPlan(job, on: log)
        maker = TaskMaker(plan, on: log, memoryBytes: settings.memory)
        try plan.createTopics(on: log)
        commits = try CommitsTopic.open(log, for: job)
        if settings.durability == .processCrash { try unsynced?.set() }
        let lastCommits = try CommitsTopic.lastCommits(in: commits)
        for (index, kind) in plan.kinds.enumerated() {
            for partition in 0..<kind.taskCount {
                try open(kind, partition, state, lastCommits)
                kindOfTask.append(index)
            }
        }
        try CommitsTopic.requireNoneOpen(in: commits)
        try AbandonedTransactions(plan: plan, log: log, commits: commits).abortUnrecorded()
        if tasks.contains(where: { $0.commit.number != $0.commit.logged?.number ?? 0 }) {
            // Commits that were decided and are marked only now.
            let lastCommits = try CommitsTopic.lastCommits(in: commits)
            for task in tasks { task.commit.logged = lastCommits[task.name] }
        }
        if settings.durability == .powerLoss, mayBeUnsynced { try makeDurable() }
    }

    /// When it returns, all that was committed survives a power loss, whatever the durability. Of use
    /// only while no task runs.
    func makeDurable() throws {
        // The log first: state that is on the disk must not speak of records that are not.
        try log.flush(allPartitions())
        for task in tasks { try task.environment.sync() }
        try unsynced?.clear()
    }

    /// Every partition that the job reads or writes, once each.
    private func allPartitions() throws -> [any JobLogPartition] {
        var partitions = [commits.name: commits]
        for kind in plan.kinds {
            let topics =
                kind.inputs.map { ($0.topic, $0.partitionCount) }
                + kind.outputs.map { ($0.topic, $0.partitionCount) }
            for (topic, count) in topics {
                for partition in try inputs.partitions(of: topic, count) {
                    partitions[partition.name] = partition
                }
            }
        }
        return Array(partitions.values)
    }

    deinit { close() }

    func close() {
        for task in tasks { task.environment.close() }
    }

    private func open(
        _ kind: PlannedKind, _ partition: Int, _ location: StateLocation,
        _ lastCommits: [String: LoggedCommit]
    ) throws {
        let name = kind.taskName(partition)
        let made = try maker.make(
            kind, partition, directory: "\(location.directory(of: plan.job))/\(name)",
            durability: location.durability(settings.durability))
        let (task, restored) = (made.task, made.restored)
        try CommitRecovery.requireSameCommit(
            restored.commit, task: name, inLog: lastCommits[name]?.number ?? 0, commits)
        try AbandonedTransactions(plan: plan, log: log, commits: commits)
            .requireNone(decidedBehind: restored.commit, of: name)
        if restored.isNew {
            // The producer's id is known before its first record: recovery finds what is its own.
            try task.environment.commit([
                SystemChange(.commit, key: CommitRecord.key, value: restored.commit.encoded())
            ])
        }
        let written = made.outputs + [commits]
        if CommitRecovery.isUnmarked(restored.commit, in: written) {
            // A commit that failed may be in the system's memory only: before anybody sees what it has
            // decided, it is on the disk.
            try task.environment.commit([
                SystemChange(.commit, key: CommitRecord.key, value: restored.commit.encoded())
            ])
        }
        let unconfirmed = try CommitRecovery.resolve(restored, task: name, outputs: written)
        task.commit.unconfirmed = unconfirmed
        task.commit.run = restored.run
        task.commit.logged = lastCommits[name]
        func nextProducer(after producer: ProducerStamp) throws -> ProducerStamp {
            try CommitRecovery.nextProducer(
                after: producer, outputs: written, newProducerID: task.newProducerID)
        }
        task.commit.producer = try nextProducer(after: restored.commit.producer)
        if restored.isNew || task.commit.producer.id != restored.commit.producer.id {
            // As for a new task: an id that only the log has seen would never be aborted.
            var record = restored.commit
            record.producer = task.commit.producer
            try task.environment.commit([
                SystemChange(.commit, key: CommitRecord.key, value: record.encoded())
            ])
            try CommitsTopic.introduce(task.commit.producer, ofTask: name, to: commits)
            task.commit.producer = try nextProducer(after: task.commit.producer)
        }
        tasks.append(task)
    }

    // MARK: Runs

    /// Begins a run, or goes on with the bounded run that a stop has cut short. False if there is
    /// nothing to do: the last bounded run has finished and the sources hold nothing new.
    func begin(untilEnd: Bool) throws -> Bool {
        let runs = tasks.compactMap(\.commit.run)
        let lastID = runs.map(\.id).max() ?? 0
        let unfinished = runs.first { $0.id == lastID && !$0.isLive && !$0.hasFinished }
        let isResumed = untilEnd && unfinished != nil
        let ends = try isResumed ? unfinished?.ends ?? [:] : sourceEnds()
        if untilEnd, !isResumed, !hasNews(ends, runs) { return false }

        let id = isResumed ? lastID : lastID + 1
        for task in tasks where task.commit.run?.id != id {
            let run = RunRecord(
                id: id, isLive: !untilEnd, lateBefore: task.lateCount, ends: ends)
            try task.environment.commit([
                SystemChange(.commit, key: RunRecord.key, value: run.encoded())
            ])
            task.commit.run = run
            task.commit.sentEnd = false
        }
        let mode = untilEnd ? RunMode.bounded(run: id) : .live
        for index in tasks.indices {
            let task = tasks[index]
            let kind = plan.kinds[kindOfTask[index]]
            let made = try inputs.make(of: kind, for: task, ends: ends, mode: mode)
            task.begin(made, mode: mode, hasFinished: task.commit.run?.hasFinished ?? false)
        }
        return true
    }

    /// The ends of all source partitions now.
    private func sourceEnds() throws -> [PositionKey: Offset] {
        var ends: [PositionKey: Offset] = [:]
        for input in plan.kinds.flatMap(\.inputs) where !input.description.isInternal {
            for partition in try inputs.partitions(of: input.topic, input.partitionCount) {
                let key = PositionKey(
                    topicID: partition.topicID, partition: partition.name.partition, upstream: 0)
                ends[key] = partition.lastStableOffset
            }
        }
        return ends
    }

    private func hasNews(_ ends: [PositionKey: Offset], _ runs: [RunRecord]) -> Bool {
        guard runs.count == tasks.count, runs.allSatisfy(\.hasFinished) else { return true }
        return ends.contains { key, end in
            tasks.contains { task in
                guard let position = task.commit.positions[key] else { return false }
                return position.offset < end
            }
        }
    }
}
