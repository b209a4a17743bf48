// A value behind a mutex of the operating system. `Mutex` always spins before it sleeps: with more threads
// than processors, which wait for each other's flushes, that took a third of all processor time (64
// producers on 2 cores; decision 0010). Here a thread spins only while it is the only one that waits: then
// the holder is soon done, and to sleep and be woken would cost more.

import Glibc
import Synchronization

/// Any thread may call.
final class Locked<Value>: @unchecked Sendable {
    // Sendable: `value` is reached under the mutex alone.
    private var value: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let waiting = Atomic<Int>(0)

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
        if pthread_mutex_trylock(mutex) != 0 { lockSlowly() }
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    private func lockSlowly() {
        let others = waiting.add(1, ordering: .relaxed).oldValue
        defer { waiting.subtract(1, ordering: .relaxed) }
        for _ in 0..<(others == 0 ? Limits.lockSpins : 0) {
            guard waiting.load(ordering: .relaxed) == 1 else { break }
            if pthread_mutex_trylock(mutex) == 0 { return }
        }
        pthread_mutex_lock(mutex)
    }
}
