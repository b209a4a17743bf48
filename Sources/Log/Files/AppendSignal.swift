// Wakes threads that wait for something to be appended. A waiter notes the count, looks for work, and
// waits only if the count is still the same: no append between looking and waiting is missed.

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
        let parts = timeout.components
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
