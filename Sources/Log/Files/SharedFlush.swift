// Group commit: threads that wait for the same flush share one. The first comer does it for all who have
// come; those who come while it runs wait for the next, which one of them does. They sleep on a futex: with
// a condition each would wake only to wait for its mutex, which halved what 64 producers reach on two cores.

import CStreamJobsLinux
import Glibc
import Synchronization

/// Any thread may call.
final class SharedFlush: Sendable {
    private let done: Atomic<Int64>
    private let isRunning = Atomic<Bool>(false)
    /// Threads that sleep, or are about to look whether they must.
    private let waiterCount = Atomic<Int>(0)
    /// Whether somebody waited when the last flush ended.
    private let wasShared = Atomic<Bool>(false)
    /// Counts the flushes that have ended; what waiters sleep on. Made in init, gone in deinit, and only
    /// ever used as an atomic and as the futex's address.
    nonisolated(unsafe) private let ended: UnsafeMutablePointer<Atomic<UInt32>>

    init(done: Int64) {
        self.done = Atomic(done)
        ended = .allocate(capacity: 1)
        ended.initialize(to: Atomic(0))
    }

    deinit {
        ended.deinitialize(count: 1)
        ended.deallocate()
    }

    /// Returns when everything up to `target` is flushed, and gives up to where it is.
    /// - Parameter flush: Flushes what there is and gives up to where that is, at least `target`. Run by
    ///   one thread at a time. Where it throws, the others that wait try it themselves.
    @discardableResult
    func reach(_ target: Int64, _ flush: () throws -> Int64) throws -> Int64 {
        while true {
            // Before the looks below: a flush that ends after them changes it, and nobody sleeps.
            let seen = ended.pointee.load(ordering: .sequentiallyConsistent)
            let reached = done.load(ordering: .sequentiallyConsistent)
            if reached >= target { return reached }
            let isFirst = isRunning.compareExchange(
                expected: false, desired: true, ordering: .sequentiallyConsistent
            ).exchanged
            guard isFirst else {
                // A flush that does not see this waiter has changed `ended` before, and nobody sleeps.
                waiterCount.add(1, ordering: .sequentiallyConsistent)
                streamjobs_futex_wait(ended, seen)
                waiterCount.subtract(1, ordering: .sequentiallyConsistent)
                continue
            }
            defer {
                let isShared = waiterCount.load(ordering: .sequentiallyConsistent) > 0
                wasShared.store(isShared, ordering: .relaxed)
                isRunning.store(false, ordering: .sequentiallyConsistent)
                ended.pointee.add(1, ordering: .sequentiallyConsistent)
                if waiterCount.load(ordering: .sequentiallyConsistent) > 0 {
                    streamjobs_futex_wake(ended, Int32.max)
                }
            }
            // Another may have ended between the looks.
            guard done.load(ordering: .sequentiallyConsistent) < target else { continue }
            // Those who were just woken by the flush before may append first, and share this one.
            if wasShared.load(ordering: .relaxed) { sched_yield() }
            let end = try flush()
            precondition(end >= target, "flushed to \(end), not to \(target)")
            done.store(end, ordering: .sequentiallyConsistent)
        }
    }
}
