// Ctrl-C and SIGTERM. They are blocked in all threads and taken by a thread of its own instead of a
// handler, so that what answers them may lock and call anything.

import Glibc
import Synchronization

/// Thrown by a command that ended because it was asked to; nothing is wrong.
struct Stopped: Error {
    let exitCode: Int32
}

/// Whether the user wants the command to end, and how. Any thread may ask.
final class StopRequest: Sendable {
    /// Readable from the moment that a stop is asked for: for poll(2), beside what is waited for.
    let descriptor: Int32
    private let writeDescriptor: Int32
    private let number = Atomic<Int32>(0)
    private let onStop = Mutex<(@Sendable () -> Void)?>(nil)
    private let endsOfItself: Bool
    private let timeout: Duration?

    private init(endsOfItself: Bool, timeout: Duration?) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw CommandError.system("make a pipe", errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        descriptor = ends[0]
        writeDescriptor = ends[1]
        self.endsOfItself = endsOfItself
        self.timeout = timeout
    }

    /// Blocks the signals in this thread and in all that it starts, and waits for them in one of its own.
    /// To be called before any other thread is started. The second Ctrl-C ends the process at once.
    /// - Parameters:
    ///   - endsOfItself: The work has an end, before which SIGTERM is no ordinary one: a script is told
    ///     that it is not done.
    ///   - timeout: Ends the process so long after the stop was asked for; never unless given.
    static func watch(endsOfItself: Bool, timeout: Duration? = nil) throws -> StopRequest {
        let request = try StopRequest(endsOfItself: endsOfItself, timeout: timeout)
        var signals = watchedSignals()
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let box = Unmanaged.passRetained(request)
        var thread = pthread_t()
        let error = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<StopRequest>.fromOpaque(argument).takeRetainedValue().waitForSignals()
            }, box.toOpaque())
        guard error == 0 else {
            box.release()
            throw CommandError.system("start a thread", error)
        }
        pthread_detach(thread)
        return request
    }

    var isStopping: Bool { number.load(ordering: .acquiring) != 0 }

    /// Throws `Stopped` when a stop is asked for.
    func check() throws {
        let number = number.load(ordering: .acquiring)
        if number != 0 { throw Stopped(exitCode: exitCode(after: number)) }
    }

    /// Calls `body` when the stop is asked for, on a thread of its own; at once if it was. It may be
    /// called twice.
    func whenStopping(_ body: @escaping @Sendable () -> Void) {
        onStop.withLock { $0 = body }
        if isStopping { body() }
    }

    private static func watchedSignals() -> sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        return signals
    }

    private func exitCode(after signal: Int32) -> Int32 {
        if signal == SIGINT { return ExitCodes.interrupted }
        return endsOfItself ? ExitCodes.terminated : 0
    }

    private func waitForSignals() -> Never {
        var signals = Self.watchedSignals()
        var first: Int32 = 0
        while sigwait(&signals, &first) != 0 {}
        number.store(first, ordering: .releasing)
        // Closed at one end, the pipe is readable at the other for good.
        _ = close(writeDescriptor)
        onStop.withLock { $0?() }

        guard let timeout else {
            var second: Int32 = 0
            while sigwait(&signals, &second) != 0 || second != SIGINT {}
            _exit(ExitCodes.interrupted)
        }
        var limit = timespec(tv_sec: Int(timeout.components.seconds), tv_nsec: 0)
        _ = sigtimedwait(&signals, nil, &limit)
        _exit(exitCode(after: first))
    }
}
