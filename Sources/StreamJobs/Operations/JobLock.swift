// Who has a job: the process that runs it, or a tool that changes or copies its states. The lock is the
// kernel's (flock) on a file beside the states, so that it goes with the process however it ends.

import Glibc
import LocalState

/// A file that is locked by one process at a time.
final class LockFile {
    let path: String
    private let descriptor: Int32

    /// Opens the file, made if it is not there; not locked yet. Throws ``StateError``.
    init(_ path: String) throws {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw StateError.system("open of \(path)", errno) }
    }

    /// nil if there is no such file, or none that may be locked.
    init?(existing path: String) {
        self.path = path
        descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
    }

    /// Closing would leave the lock to a child that was forked and has not got to its exec.
    deinit {
        guard descriptor >= 0 else { return }
        unlock()
        close(descriptor)
    }

    /// False if another has it.
    func lock() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

    func unlock() { _ = flock(descriptor, LOCK_UN) }

    /// Whether another has the lock.
    var isHeldByAnother: Bool {
        guard lock() else { return true }
        unlock()
        return false
    }

    /// The first line.
    var text: String {
        let bytes = [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
            count = max(0, pread(descriptor, buffer.baseAddress, buffer.count, 0))
        }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    /// In the place of what is there, which is no longer.
    func write(_ text: String) throws { try write(Array((text + "\n").utf8)) }

    /// As `write`; survives a power loss when it returns.
    func writeAll(_ bytes: [UInt8]) throws {
        try write(bytes)
        guard fsync(descriptor) == 0 else { throw StateError.system("fsync of \(path)", errno) }
    }

    private func write(_ bytes: [UInt8]) throws {
        guard ftruncate(descriptor, 0) == 0 else {
            throw StateError.system("ftruncate of \(path)", errno)
        }
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress, $0.count, written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw StateError.system("write of \(path)", errno) }
            written += count
        }
    }
}

/// A job that this process has. It is let go with the value.
final class JobLock {
    private let file: LockFile

    private init(_ file: LockFile) { self.file = file }

    private static func path(_ directory: String) -> String { directory + "/.running" }

    /// nil if another process has the job.
    /// - Parameter directory: of the job's states; made if it is missing.
    static func take(_ directory: String) throws -> JobLock? {
        try StateCopy.createDirectory(directory)
        let file = try LockFile(path(directory))
        guard file.lock() else { return nil }
        try? file.write("\(getpid())")
        return JobLock(file)
    }

    /// Waits a little for a tool to let go of it. Throws `refused` naming who has it.
    static func take(_ directory: String, job: String) throws -> JobLock {
        let start = ContinuousClock.now
        while true {
            if let lock = try take(directory) { return lock }
            guard ContinuousClock.now - start < Limits.jobLockTimeout else {
                throw JobError(
                    .refused,
                    "the job '\(job)' is being run, or its state copied, by process "
                        + "\(LockFile(existing: path(directory))?.text ?? "unknown"); stop it first"
                )
            }
            pause(Limits.barrierPollInterval)
        }
    }

    /// Whether another process has the job now.
    static func isTaken(_ directory: String) -> Bool {
        LockFile(existing: path(directory))?.isHeldByAnother ?? false
    }
}

/// Lets the thread rest: for what only another process can tell, and does not announce.
func pause(_ duration: Duration) {
    usleep(UInt32(duration.components.attoseconds / 1_000_000_000_000))
}
