// Work that waits for the disk, done by several threads at once: flushes of different files overlap, and a
// disk serves many in the time of a few. The threads live as long as the call.

import Glibc
import Synchronization

package enum SideBySide {
    /// Calls `body` once for each number below `count`, by the calling thread and others; returns when all have
    /// ended. Throws the first error, after which no more are begun.
    package static func forEach(
        _ count: Int, threads: Int = Limits.flushThreads,
        _ body: @Sendable (Int) throws -> Void
    ) throws {
        guard count > 1, threads > 1 else {
            for number in 0..<count { try body(number) }
            return
        }
        try withoutActuallyEscaping(body) { body in
            let work = Work(count, body)
            var others: [pthread_t] = []
            for _ in 1..<min(count, threads) {
                var thread = pthread_t()
                let argument = Unmanaged.passRetained(work)
                let error = pthread_create(
                    &thread, nil,
                    { argument in
                        guard let argument else { return nil }
                        Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run()
                        return nil
                    }, argument.toOpaque())
                guard error == 0 else {
                    // Those that there are do it all.
                    argument.release()
                    break
                }
                others.append(thread)
            }
            work.run()
            for thread in others { pthread_join(thread, nil) }
            if let failure = work.failure.withLock({ $0 }) { throw failure }
        }
    }

    private final class Work: Sendable {
        private let count: Int
        private let body: @Sendable (Int) throws -> Void
        private let next = Atomic<Int>(0)
        let failure = Mutex<(any Error)?>(nil)

        init(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) {
            self.count = count
            self.body = body
        }

        func run() {
            while true {
                let number = next.add(1, ordering: .relaxed).oldValue
                guard number < count else { return }
                do {
                    try body(number)
                } catch {
                    failure.withLock { $0 = $0 ?? error }
                    next.store(count, ordering: .relaxed)
                }
            }
        }
    }
}
