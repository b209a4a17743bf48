// A thread of the operating system: a worker blocks in system calls and must not hold up a cooperative pool.

import Glibc

enum WorkerThread {
    /// Starts a thread that runs `body` once. `body` is given over: nothing else may use what it holds
    /// until `join` has returned.
    static func start(_ body: @escaping @Sendable () -> Void) throws -> pthread_t {
        let box = Unmanaged.passRetained(Body(body))
        var thread = pthread_t()
        let error = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        guard error == 0 else {
            box.release()
            throw JobError(
                .refused, "no thread could be started: \(String(cString: strerror(error)))")
        }
        return thread
    }

    /// Returns when the thread has ended.
    static func join(_ thread: pthread_t) { pthread_join(thread, nil) }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}
