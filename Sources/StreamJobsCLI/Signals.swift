// Ctrl-C and SIGTERM, taken by a thread of their own instead of a handler: it may lock and call anything.

import Glibc
import StreamJobsLog
import Synchronization

/// Whether the user wants the command to end, and how.
final class StopRequest: Sendable {
    private let signalNumber = Atomic<Int32>(0)
    private let changed = AppendSignal()
    /// Becomes readable when the stop is asked for: for those who wait in poll(2).
    let descriptor: Int32
    private let writeEnd: Int32
    private let onStop = Mutex<(@Sendable () -> Void)?>(nil)

    private init() {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0, "a pipe could not be made")
        descriptor = ends[0]
        writeEnd = ends[1]
    }

    /// Blocks the signals in this thread and all that are started from now on, and waits for them. To be
    /// called before any other thread is started.
    static func watch() -> StopRequest {
        let request = StopRequest()
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        var thread = pthread_t()
        let error = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<StopRequest>.fromOpaque(argument).takeRetainedValue().waitForSignals()
            }, Unmanaged.passRetained(request).toOpaque())
        precondition(error == 0, "the thread for signals could not be started")
        return request
    }

    var isStopping: Bool { signalNumber.load(ordering: .acquiring) != 0 }

    /// 130 after Ctrl-C; SIGTERM is an ordinary end.
    var exitCode: Int32 {
        signalNumber.load(ordering: .acquiring) == SIGINT ? ExitCodes.interrupted : 0
    }

    /// Calls `body` when the stop is asked for; at once if it was.
    func whenStopping(_ body: @escaping @Sendable () -> Void) {
        onStop.withLock { $0 = body }
        if isStopping { body() }
    }

    /// Waits up to `duration`, or until the stop is asked for.
    func wait(_ duration: Duration) {
        let seen = changed.count
        if !isStopping { changed.wait(after: seen, timeout: duration) }
    }

    private func waitForSignals() -> Never {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        while true {
            var number: Int32 = 0
            guard sigwait(&signals, &number) == 0 else { continue }
            // Asked twice: at once. What is committed is safe.
            if isStopping, number == SIGINT { _exit(ExitCodes.interrupted) }
            signalNumber.store(number, ordering: .releasing)
            changed.notify()
            var byte: UInt8 = 1
            _ = write(writeEnd, &byte, 1)
            onStop.withLock { $0?() }
        }
    }
}
