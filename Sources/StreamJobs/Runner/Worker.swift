// A worker: some tasks and the loop that runs them. One thread; the test kit drives it step by step.

import StreamJobsLog
import Synchronization

final class Worker {
    let tasks: [TaskCore]
    private let taskCommit: TaskCommit
    private var schedule: CommitSchedule
    /// Notified with each append to a partition that a task of this worker reads.
    let appends = AppendSignal()

    init(_ tasks: [TaskCore], of job: OpenJob) {
        self.tasks = tasks
        taskCommit = TaskCommit(job)
        schedule = CommitSchedule(
            interval: job.settings.commitInterval, spacing: job.settings.commitSpacing)
    }

    var hasFinished: Bool { tasks.allSatisfy { $0.hasFinished && !$0.needsCommit } }

    /// From now on appends to what the tasks read are told by `appends`.
    func watchInputs() {
        for partition in tasks.flatMap(\.inputPartitions) { partition.addSignal(appends) }
    }

    func unwatchInputs() {
        for partition in tasks.flatMap(\.inputPartitions) { partition.removeSignal(appends) }
    }

    /// A task has asked for the end of the run.
    var wantsShutdown: Bool { tasks.contains { $0.requests.contains(.shutdown) } }

    /// How long to wait for an append, where `step` had nothing to do: until a commit may be due.
    var waitTimeout: Duration {
        tasks.contains(where: \.needsCommit)
            ? min(Limits.waitTimeout, schedule.timeLeft()) : Limits.waitTimeout
    }

    /// Gives every task its turn, and commits when that is due. Gives how much was done; zero: wait for an
    /// append.
    func step() throws -> Int {
        var done = 0
        for task in tasks { done += try task.run(limit: Limits.turnRecords) }
        let isUrgent = tasks.contains(where: \.mustCommit)
        if schedule.isDue(isDry: done == 0, isUrgent: isUrgent) { done += try commit() }
        return done
    }

    @discardableResult
    func commit() throws -> Int {
        let count = try taskCommit.commit(tasks)
        schedule.committed()
        return count
    }
}
