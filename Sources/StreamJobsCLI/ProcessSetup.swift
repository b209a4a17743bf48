// What a process needs before it opens its first file.

import Glibc

enum ProcessSetup {
    static func prepare() {
        openStandardDescriptors()
        raiseDescriptorLimit()
        // A reader that has gone (`consume | head`) is an error of write(2), not the end of the process.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Where standard input, output or error is closed, the next file opened would get its number, and
    /// messages would be written into the log.
    private static func openStandardDescriptors() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
        where fcntl(descriptor, F_GETFD) == -1 {
            // The lowest free number is this one, since all below are open.
            let opened = open("/dev/null", O_RDWR)
            precondition(opened == descriptor, "descriptor \(descriptor) could not be opened")
        }
    }

    /// Every partition keeps a file open.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
