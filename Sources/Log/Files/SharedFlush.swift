// Group commit: threads that wait for the same flush share one. The first comer does it for all who have
// come; those who come while it runs wait for the next, which one of them does.

import Glibc

/// Any thread may call.
final class SharedFlush: Sendable {
    // The three below are guarded by the mutex; it and the condition are made in init, destroyed in
    // deinit and only ever passed to the pthread calls.
    nonisolated(unsafe) private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    // As above.
    nonisolated(unsafe) private let condition: UnsafeMutablePointer<pthread_cond_t>
    // Guarded by the mutex.
    nonisolated(unsafe) private var done: Int64
    // Guarded by the mutex.
    nonisolated(unsafe) private var isRunning = false

    init(done: Int64) {
        self.done = done
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Returns when everything up to `target` is flushed, and gives up to where it is.
    /// - Parameter flush: Flushes what there is and gives up to where that is, at least `target`. Run by
    ///   one thread at a time. Where it throws, the others that wait try it themselves.
    @discardableResult
    func reach(_ target: Int64, _ flush: () throws -> Int64) throws -> Int64 {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while done < target {
            guard !isRunning else {
                pthread_cond_wait(condition, mutex)
                continue
            }
            isRunning = true
            pthread_mutex_unlock(mutex)
            let result = Result { try flush() }
            pthread_mutex_lock(mutex)
            isRunning = false
            pthread_cond_broadcast(condition)
            switch result {
            case .success(let reached):
                precondition(reached >= target, "flushed to \(reached), not to \(target)")
                done = max(done, reached)
            case .failure(let error): throw error
            }
        }
        return done
    }
}
