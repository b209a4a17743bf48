// A worker: some tasks and the loop that runs them. One thread; the test kit drives it step by step.

import StreamJobsLog
import Synchronization

final class Worker {
    let tasks: [TaskCore]
    private let taskCommit: TaskCommit
    private let commitInterval: Duration
    private var lastCommit = ContinuousClock.now
    /// Notified with each append to a partition that a task of this worker reads.
    let appends = AppendSignal()

    init(
        _ tasks: [TaskCore], of job: OpenJob, commitInterval: Duration, guarantee: Guarantee
    ) {
        self.tasks = tasks
        taskCommit = TaskCommit(job, guarantee)
        self.commitInterval = commitInterval
    }

    var hasFinished: Bool { tasks.allSatisfy { $0.hasFinished && !$0.needsCommit } }

    /// From now on appends to what the tasks read are told by `appends`.
    func watchInputs() {
        for partition in tasks.flatMap(\.inputPartitions) { partition.addSignal(appends) }
    }

    func unwatchInputs() {
        for partition in tasks.flatMap(\.inputPartitions) { partition.removeSignal(appends) }
    }

    /// Gives every task its turn, and commits when the interval has passed, a task holds too much, or
    /// there is nothing more to do. Gives how much was done; zero: wait for an append.
    func step() throws -> Int {
        var done = 0
        for task in tasks { done += try task.run(limit: Limits.turnRecords) }
        let isDue = ContinuousClock.now - lastCommit >= commitInterval
        if done == 0 || isDue || tasks.contains(where: \.holdsTooMuch) { done += try commit() }
        return done
    }

    @discardableResult
    func commit() throws -> Int {
        let count = try taskCommit.commit(tasks)
        lastCommit = .now
        return count
    }
}
