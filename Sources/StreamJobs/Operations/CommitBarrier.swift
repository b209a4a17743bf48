// A barrier over all tasks of a running job: each has committed and stands still for a moment, in which a tool
// begins to read their states as of these commits.
//
//     tool  writes and locks .barrier ──────────────► waits ──► pins all states ──► removes .barrier
//     job              sees it, raises the barrier ─► writes .barrier-reached          goes on
//
// The tool's lock on `.barrier` tells the job that it still lives.

import Glibc
import LocalState
import StreamJobsLog
import Synchronization

/// Where the workers of a job wait for each other.
final class CommitBarrier: Sendable {
    private let raised = Atomic<Bool>(false)
    private let parked = Atomic<Int>(0)
    private let lowered = AppendSignal()

    var isRaised: Bool { raised.load(ordering: .acquiring) }
    var parkedCount: Int { parked.load(ordering: .acquiring) }

    func raise() { raised.store(true, ordering: .releasing) }

    func lower() {
        raised.store(false, ordering: .releasing)
        lowered.notify()
    }

    /// Called by a worker that has committed; returns when the barrier is lowered.
    func park() {
        parked.add(1, ordering: .acquiringAndReleasing)
        while isRaised {
            let seen = lowered.count
            if isRaised { lowered.wait(after: seen, timeout: Limits.waitTimeout) }
        }
        parked.subtract(1, ordering: .acquiringAndReleasing)
    }
}

/// The files by which a tool asks a running job for a barrier.
struct BarrierFiles {
    let request: String
    let answer: String

    init(_ directory: String) {
        request = directory + "/.barrier"
        answer = directory + "/.barrier-reached"
    }

    /// What a living tool asks for. The job's side.
    func pending() -> LockFile? {
        guard let file = LockFile(existing: request) else { return nil }
        guard file.isHeldByAnother else {
            // Left by a tool that was killed.
            unlink(request)
            return nil
        }
        return file.text.isEmpty ? nil : file
    }

    func writeAnswer(_ text: String) throws {
        unlink(answer)
        let file = try LockFile(answer)
        try file.write(text)
    }

    var answered: String? { LockFile(existing: answer)?.text }
}

extension JobStates {
    /// Runs `body` while no task of the job commits: at a barrier if it runs, or with its lock if not. It
    /// must be short. Throws `refused` if the job does not get there in time.
    func atBarrier<R>(check: () throws -> Void, _ body: () throws -> R) throws -> R {
        let files = BarrierFiles(directory)
        if let lock = try JobLock.take(directory) {
            return try withExtendedLifetime(lock, body)
        }
        let request = try LockFile(files.request)
        guard request.lock() else {
            throw JobError(
                .refused, "another tool reads the state of the job '\(job)' right now; try again")
        }
        defer { unlink(files.request) }
        let id = "\(getpid()) \(UInt64.random(in: 0 ... .max))"
        try request.write(id)
        let start = ContinuousClock.now
        while files.answered != id {
            try check()
            if let lock = try JobLock.take(directory) {
                return try withExtendedLifetime(lock, body)
            }
            guard ContinuousClock.now - start < Limits.barrierTimeout else {
                throw JobError(
                    .refused,
                    "the job '\(job)' has not come to rest within \(Limits.barrierTimeout): a task's code "
                        + "takes longer; try again")
            }
            pause(Limits.barrierPollInterval)
        }
        let result = try body()
        guard files.answered == id else {
            throw JobError(
                .refused,
                "the job '\(job)' has gone on before its state was read; try again")
        }
        return result
    }
}
