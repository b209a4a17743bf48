// What an owner does in the background: flushes what has gathered and notes it, and removes what the topics
// no longer keep. One thread for the whole log; it holds no lock for longer than a look.

import Glibc
import Synchronization

extension CommitLog {
    /// One round of the background work. What fails is told to `notify`, and tried again in the next
    /// round; the partition concerned refuses writes by itself where it must.
    /// - Parameter now: The wall clock, for retention and compaction.
    package func maintain(now: Timestamp = .now()) {
        guard access == .owner else { return }
        let partitions = contents.withLock { contents in
            contents.isClosed ? [] : Array(contents.partitions.values)
        }
        flushInBackground(partitions)
        transactionCoordinators.withLock { $0 }?.expire()
        for partition in partitions where !isStopping {
            attempt("remove old records of", partition) {
                try partition.retain(now: now) { try noteStart(of: partition, $0) }
            }
        }
        compact(partitions, now: now)
    }

    func flushInBackground(_ partitions: [Partition]) {
        for partition in partitions where !isStopping {
            attempt("flush", partition) { try partition.flushInBackground() }
        }
    }

    /// Does nothing where an earlier failure refuses all writes: whoever has met that one was told. What
    /// fails again and again is told once, until it has succeeded or fails for another reason.
    private func attempt(_ what: String, _ partition: Partition, _ body: () throws -> Void) {
        guard !partition.hasFailed else { return }
        do {
            try body()
            partition.backgroundSucceeded(in: what)
        } catch {
            // Its topic may have been deleted meanwhile, or the log closed.
            guard !partition.isClosed, partition.isNews("\(error)", of: what) else { return }
            environment.options.notify("could not \(what) \(partition.name): \(error)")
        }
    }

    /// Whether background work is to end now.
    var isStopping: Bool {
        maintainer.withLock { $0?.deadline.map { $0 <= .now } ?? false }
    }

    private var isLastRound: Bool { maintainer.withLock { $0?.deadline != nil } }

    // MARK: The thread

    /// The thread and what stops it.
    struct Maintainer {
        let thread: pthread_t
        /// Notified to wake the thread.
        let signal: AppendSignal
        /// Once it is to stop: until when it may do what is due.
        var deadline: ContinuousClock.Instant?
    }

    func startMaintainer() {
        let signal = environment.background
        // The log is not kept by its thread: it ends with the log.
        let body = Unmanaged.passRetained(MaintainerBody(log: self, signal: signal))
        maintainer.withLock { maintainer in
            var thread = pthread_t()
            let error = pthread_create(
                &thread, nil,
                { argument in
                    guard let argument else { return nil }
                    Unmanaged<MaintainerBody>.fromOpaque(argument).takeRetainedValue().run()
                    return nil
                }, body.toOpaque())
            guard error == 0 else {
                body.release()
                environment.options.notify(
                    "there is no background work: no thread could be started")
                return
            }
            maintainer = Maintainer(thread: thread, signal: signal)
        }
    }

    /// Returns when the thread has ended: after one more round, so that owners who live too short for the
    /// background (a `produce` now and then) clean up all the same, but not later than after `grace`, and a
    /// step of the work.
    func stopMaintainer(grace: Duration) {
        let stopped = maintainer.withLock { maintainer -> Maintainer? in
            maintainer?.deadline = .now + grace
            return maintainer
        }
        guard let stopped else { return }
        stopped.signal.notify()
        // The last reference may go on the thread itself, which ends by itself then.
        if pthread_equal(stopped.thread, pthread_self()) == 0 {
            pthread_join(stopped.thread, nil)
        } else {
            pthread_detach(stopped.thread)
        }
        maintainer.withLock { $0 = nil }
    }

    private final class MaintainerBody: Sendable {
        private let log: WeakLog
        private let signal: AppendSignal
        private let interval: Duration
        /// Before the thread began: nothing that was told it since is missed.
        private let seenAtFirst: UInt64

        init(log: CommitLog, signal: AppendSignal) {
            self.log = WeakLog(log)
            self.signal = signal
            interval = log.environment.options.maintenanceInterval
            seenAtFirst = signal.count
        }

        func run() {
            var seen = seenAtFirst
            while true {
                // Nothing of the log is held while waiting.
                signal.wait(after: seen, timeout: interval)
                seen = signal.count
                guard let log = log.value else { return }
                let isLast = log.isLastRound
                if !log.isStopping { log.maintain() }
                if isLast || log.isStopping { return }
            }
        }
    }

    private final class WeakLog: Sendable {
        // Set once; the runtime's weak references may be read from any thread.
        nonisolated(unsafe) weak var value: CommitLog?
        init(_ log: CommitLog) { value = log }
    }
}

extension Partition {
    /// Whether the background has not told this failure yet; it counts as told then.
    fileprivate func isNews(_ failure: String, of action: String) -> Bool {
        maintenance.withLock { $0.told.updateValue(failure, forKey: action) != failure }
    }

    fileprivate func backgroundSucceeded(in action: String) {
        maintenance.withLock { _ = $0.told.removeValue(forKey: action) }
    }
}
