// A value behind a mutex of the operating system. `Mutex` spins before it sleeps: with more threads than
// processors, which wait for each other's flushes, that took a third of all processor time (64 producers on
// 2 cores; decision 0010).

import Glibc

/// Any thread may call.
final class Locked<Value>: @unchecked Sendable {
    // Sendable: `value` is reached under the mutex alone.
    private var value: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    init(_ value: consuming sending Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Calls `body` with the value, one thread at a time. Not to be called within `body`.
    func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
