// A job being run: its tasks spread over threads, until the end, a stop or a failure.

import Glibc
import LocalState
package import StreamJobsLog
import Synchronization

/// One run of a job.
public final class JobRun {
    private var job: OpenJob
    private let reopen: () throws -> OpenJob
    private var reopenings = Reopenings()
    private let settings: RunSettings
    private let shared = Shared()
    /// By which tools ask for a barrier; nil for the test kit.
    private var barrierFiles: BarrierFiles?
    /// Tells tools that the job runs.
    private var lock: JobLock?

    /// What the worker threads and the caller share.
    fileprivate final class Shared: Sendable {
        let isStopping = Atomic<Bool>(false)
        let hasFailed = Atomic<Bool>(false)
        let wasStoppedByTask = Atomic<Bool>(false)
        let runningThreads = Atomic<Int>(0)
        let sourceRecords = Atomic<Int>(0)
        let failure = Mutex<(any Error)?>(nil)
        /// Those of the workers, which wait for records.
        let appends = Mutex<[AppendSignal]>([])
        let barrier = CommitBarrier()
        /// Notified when a worker has ended.
        let ended = AppendSignal()

        var isEnding: Bool {
            isStopping.load(ordering: .acquiring) || hasFailed.load(ordering: .acquiring)
        }

        func fail(_ error: any Error) {
            failure.withLock { $0 = $0 ?? error }
            hasFailed.store(true, ordering: .releasing)
            wake()
        }

        /// While no worker runs.
        func beginAgain() {
            failure.withLock { $0 = nil }
            hasFailed.store(false, ordering: .releasing)
            appends.withLock { $0 = [] }
        }

        private func wake() { appends.withLock { for signal in $0 { signal.notify() } } }

        func stop(byTask: Bool = false) {
            if byTask { wasStoppedByTask.store(true, ordering: .relaxed) }
            isStopping.store(true, ordering: .releasing)
            wake()
        }
    }

    /// How often the states were opened again lately.
    private struct Reopenings {
        private var count = 0
        private var first = ContinuousClock.now

        /// Whether it may be done once more; counts it then.
        mutating func take() -> Bool {
            if .now - first > Limits.reopeningsSpan { count = 0 }
            if count == 0 { first = .now }
            count += 1
            return count <= Limits.reopeningsMax
        }
    }

    /// Stops a run from any thread; gives nothing else away.
    public struct Stopper: Sendable {
        fileprivate let shared: Shared
        /// The tasks commit what they have done and the run ends.
        public func stop() { shared.stop() }
    }

    /// Opens the job on the embedded log: recovers every task's state and checks it against the log.
    /// Throws `JobError`, `StateError` or `LogError`, each with what to do.
    public convenience init(_ job: Job, on log: CommitLog, settings: RunSettings = RunSettings())
        throws
    {
        try self.init(
            job, on: log, state: .directory(log.directory + "/state"), settings: settings)
    }

    package init(
        _ job: Job, on log: any JobLog, state: StateLocation, settings: RunSettings
    ) throws {
        reopen = { try OpenJob(job, on: log, state: state, settings: settings) }
        self.job = try reopen()
        self.settings = settings
        guard case .directory(let root) = state else { return }
        let directory = "\(root)/\(job.name)"
        lock = try JobLock.take(directory, job: job.name)
        barrierFiles = BarrierFiles(directory)
    }

    /// Makes the states of all tasks again from the inputs, up to exactly the commits that the log knows,
    /// and sends nothing. What state was there before is kept aside. No run of the job may go on.
    ///
    /// Throws `refused` where the log no longer holds all that the tasks have read, or where the tasks do
    /// something else with it than they did; then nothing is changed.
    /// - Parameter progress: Told how many records of how many were taken, now and then, on this thread.
    public static func rebuild(
        _ job: Job, on log: CommitLog, settings: RunSettings = RunSettings(),
        progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws -> RebuildSummary {
        try StateRebuild(
            job, on: log, stateDirectory: log.directory + "/state", settings: settings
        ).run(progress: progress)
    }

    public var stopper: Stopper { Stopper(shared: shared) }

    /// Runs until the end (a bounded run), `stop()` or a failure, which is thrown when all threads have
    /// ended. What the tasks had committed until then is kept; the rest will be done again.
    /// - Parameter progress: Called about five times a second, on the calling thread.
    public func run(progress: (RunProgress) -> Void = { _ in }) throws -> RunSummary {
        let start = ContinuousClock.now
        defer {
            job.close()
            lock = nil
        }
        var isFirst = true
        while true {
            do {
                return try run(since: start, isFirst: isFirst, progress)
            } catch let error as StateError where error.code == .outcomeUnknown {
                // What was decided is read from the states, as after a crash.
                guard reopenings.take() else { throw error }
                settings.notify("\(error) It was opened again, and the job goes on.")
                job.close()
                job = try reopen()
                shared.beginAgain()
                isFirst = false
            }
        }
    }

    /// One attempt.
    private func run(
        since start: ContinuousClock.Instant, isFirst: Bool, _ progress: (RunProgress) -> Void
    ) throws -> RunSummary {
        guard try job.begin(untilEnd: settings.untilEnd) else {
            if settings.durability == .processCrash { try job.makeDurable() }
            return summary(since: start, hadNothingToDo: isFirst)
        }
        let total = remainingAtStart() + shared.sourceRecords.load(ordering: .relaxed)
        let threads = startWorkers()
        while shared.runningThreads.load(ordering: .acquiring) > 0 {
            let seen = shared.ended.count
            let done = shared.sourceRecords.load(ordering: .relaxed)
            progress(
                RunProgress(
                    recordsProcessed: done,
                    recordsRemaining: settings.untilEnd ? max(0, total - done) : nil,
                    elapsed: .now - start))
            if let request = barrierFiles?.pending() { try? hold(for: request) }
            shared.ended.wait(after: seen, timeout: .milliseconds(200))
        }
        for thread in threads { WorkerThread.join(thread) }
        if let failure = shared.failure.withLock({ $0 }) {
            // What fails here too leaves the note that the state is not on the disk.
            if settings.durability == .processCrash { try? job.makeDurable() }
            throw failure
        }
        if settings.durability == .processCrash { try job.makeDurable() }
        return summary(since: start, hadNothingToDo: false)
    }

    private func summary(since start: ContinuousClock.Instant, hadNothingToDo: Bool) -> RunSummary {
        RunSummary(
            recordsProcessed: shared.sourceRecords.load(ordering: .relaxed),
            lateRecords: hadNothingToDo ? 0 : job.tasks.reduce(0) { $0 + $1.lateInRun },
            elapsed: .now - start, hadNothingToDo: hadNothingToDo,
            wasStoppedByTask: shared.wasStoppedByTask.load(ordering: .relaxed))
    }

    /// Brings all workers to a barrier, and keeps them there until the tool that has asked for it has what it
    /// wants or is gone. Where the answer cannot be written the tool waits in vain, and the job goes on.
    private func hold(for request: LockFile) throws {
        guard let barrierFiles else { return }
        shared.barrier.raise()
        defer { shared.barrier.lower() }
        while shared.barrier.parkedCount < shared.runningThreads.load(ordering: .acquiring) {
            guard !shared.isEnding, request.isHeldByAnother else {
                return
            }
            pause(Limits.barrierPollInterval)
        }
        try barrierFiles.writeAnswer(request.text)
        // Taken back before anything goes on: who has not read all states by then has read none.
        defer { unlink(barrierFiles.answer) }
        let start = ContinuousClock.now
        while request.isHeldByAnother, ContinuousClock.now - start < Limits.barrierHoldTimeout {
            pause(Limits.barrierPollInterval)
        }
    }

    /// Offsets of the sources between the positions and the ends: records, and a few markers.
    private func remainingAtStart() -> Int {
        job.tasks.flatMap(\.sources).reduce(0) { $0 + $1.remaining }
    }

    /// Spreads the tasks: task k of every kind goes to thread k modulo their number.
    /// Where a thread cannot be started the run has failed, and those that were are to be joined.
    private func startWorkers() -> [pthread_t] {
        let count = min(threadCount, job.plan.kinds.map(\.taskCount).max() ?? 1)
        var threads: [pthread_t] = []
        for index in 0..<count where shared.failure.withLock({ $0 == nil }) {
            let worker = Worker(
                job.tasks.filter { $0.partition % count == index }, of: job)
            shared.appends.withLock { $0.append(worker.appends) }
            // From here to the join the worker and its tasks are used by that thread alone.
            nonisolated(unsafe) let handedOver = worker
            shared.runningThreads.add(1, ordering: .acquiringAndReleasing)
            do {
                threads.append(
                    try WorkerThread.start { [shared] in Self.work(handedOver, shared) })
            } catch {
                shared.runningThreads.subtract(1, ordering: .acquiringAndReleasing)
                shared.fail(error)
            }
        }
        return threads
    }

    private var threadCount: Int {
        max(1, settings.threads ?? sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    /// A worker's thread, from its first record to its last commit.
    private static func work(_ worker: Worker, _ shared: Shared) {
        do {
            worker.watchInputs()
            defer { worker.unwatchInputs() }
            var reported = 0
            while !worker.hasFinished, !shared.isEnding {
                let seen = worker.appends.count
                if shared.barrier.isRaised {
                    try worker.commit()
                    shared.barrier.park()
                }
                let done = try worker.step()
                let records = worker.tasks.reduce(0) { $0 + $1.sourceRecordCount }
                shared.sourceRecords.add(records - reported, ordering: .relaxed)
                reported = records
                if worker.wantsShutdown { shared.stop(byTask: true) }
                if done == 0 { worker.appends.wait(after: seen, timeout: worker.waitTimeout) }
            }
            // After a failure elsewhere too: what this worker has done is whole.
            try worker.commit()
        } catch {
            shared.fail(error)
        }
        shared.runningThreads.subtract(1, ordering: .acquiringAndReleasing)
        shared.ended.notify()
    }
}
