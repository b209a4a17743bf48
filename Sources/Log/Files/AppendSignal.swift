// Wakes threads that wait for something to be appended. A waiter owns a signal and adds it to the
// partitions that it cares about: an append anywhere else wakes nobody. It notes the count, looks for
// work, and waits only if the count is still the same: no append between looking and waiting is missed.

import Glibc
import Synchronization

package final class AppendSignal: Sendable {
    private let appends = Atomic<UInt64>(0)
    private let waiters = Atomic<Int>(0)
    // Both are made in init, destroyed in deinit and only ever passed to the pthread calls.
    nonisolated(unsafe) private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    // As above.
    nonisolated(unsafe) private let condition: UnsafeMutablePointer<pthread_cond_t>

    package init() {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // The monotonic clock: a wall clock that jumps must not stretch a wait.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// How often `notify` was called; to be given to `wait`.
    package var count: UInt64 { appends.load(ordering: .sequentiallyConsistent) }

    package func notify() {
        appends.add(1, ordering: .sequentiallyConsistent)
        guard waiters.load(ordering: .sequentiallyConsistent) > 0 else { return }
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Returns when `notify` was called after `seen` was taken, or after `timeout`.
    package func wait(after seen: UInt64, timeout: Duration) {
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        let parts = max(.zero, min(timeout, Limits.waitMax)).components
        let nanoseconds = Int(parts.attoseconds / 1_000_000_000) + deadline.tv_nsec
        deadline.tv_sec += Int(parts.seconds) + nanoseconds / 1_000_000_000
        deadline.tv_nsec = nanoseconds % 1_000_000_000

        waiters.add(1, ordering: .sequentiallyConsistent)
        pthread_mutex_lock(mutex)
        while count == seen {
            if pthread_cond_timedwait(condition, mutex, &deadline) != 0 { break }
        }
        pthread_mutex_unlock(mutex)
        waiters.subtract(1, ordering: .sequentiallyConsistent)
    }
}

/// The signals of those who wait for one partition. Any thread may call.
package final class AppendSignals: Sendable {
    /// How many there are: an append that nobody waits for takes no lock.
    private let count = Atomic<Int>(0)
    private let signals = Mutex<[AppendSignal]>([])

    package init() {}

    /// From now on each `notify` notifies `signal`. Whoever adds it looks for work afterwards: what
    /// happened before is not told.
    package func add(_ signal: AppendSignal) {
        signals.withLock {
            $0.append(signal)
            count.store($0.count, ordering: .sequentiallyConsistent)
        }
    }

    /// Undoes one `add`.
    package func remove(_ signal: AppendSignal) {
        signals.withLock { signals in
            if let index = signals.firstIndex(where: { $0 === signal }) {
                signals.remove(at: index)
            }
            count.store(signals.count, ordering: .sequentiallyConsistent)
        }
    }

    package func notify() {
        // Orders what was appended before the look at the count, as `add` orders the count before its
        // caller's look for work: one of them sees the other.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        guard count.load(ordering: .sequentiallyConsistent) > 0 else { return }
        signals.withLock { for signal in $0 { signal.notify() } }
    }
}
