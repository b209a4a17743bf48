// What a process needs before it opens its first file, and how it waits for several.

import Glibc

enum StandardDescriptors {
    /// To be called first. A reader that goes away (`consume | head`) and a file that may not grow
    /// (`ulimit -f`) are from then on errors of write(2) and not the end of the process; and where a
    /// descriptor was closed by the caller, no file of the log takes its number and is written over by
    /// what is meant for the screen. Ctrl-\ ends the process: Swift's own handler prints a backtrace and
    /// goes on.
    static func makeSafe() {
        let atQuit = signal(SIGQUIT, SIG_DFL)
        // A shell has the commands that it starts in the background ignore it.
        if unsafeBitCast(atQuit, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
            signal(SIGQUIT, SIG_IGN)
        }
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        // Opened for reading, so that writing to it fails rather than vanishes.
        var descriptor = open("/dev/null", O_RDONLY)
        while descriptor >= 0, descriptor <= STDERR_FILENO {
            descriptor = open("/dev/null", O_RDONLY)
        }
        if descriptor > STDERR_FILENO { _ = close(descriptor) }
        raiseLimit()
    }

    /// Every partition keeps a file open.
    private static func raiseLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Waits until one of `descriptors` can be read without waiting, has ended or has failed; for as long
    /// as it takes unless `timeout` is given. Nothing is ever read from the descriptors in `failing`: only
    /// their failure ends the wait (a pipe that nobody reads any more).
    /// - Returns: Those of `descriptors` and `failing` that ended the wait.
    static func wait(for descriptors: [Int32], failing: [Int32] = [], timeout: Duration? = nil)
        -> [Int32]
    {
        var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        polled += failing.map { pollfd(fd: $0, events: 0, revents: 0) }
        let milliseconds = timeout.map { duration in
            let parts = duration.components
            return Int32(clamping: parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000)
        }
        while poll(&polled, nfds_t(polled.count), milliseconds ?? -1) < 0 {
            precondition(errno == EINTR, "poll(2) failed: \(String(cString: strerror(errno)))")
        }
        return polled.filter { $0.revents != 0 }.map(\.fd)
    }
}
