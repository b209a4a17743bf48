// One process owns a data directory. The lock is the kernel's (flock), so it goes with the process
// however it ends, and a stopped process keeps it; the pid in the file is for the sentence only.

import Glibc

final class DirectoryLock: Sendable {
    private let file: File

    init(_ directory: String, in files: FileSystem) throws {
        let path = directory + "/.lock"
        file = try File(path, .readWrite, create: true, in: files)
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw systemError("lock", path) }
            let holder = (try files.text(of: path))?.split(separator: "\n").first ?? "unknown"
            throw LogError(
                .directoryInUse,
                "the data directory \(directory) is in use by process \(holder); stop it first")
        }
        // In the place of the last one, so that a full disk has room for it.
        var text = "\(getpid())\n"
        do {
            try text.withUTF8 { try file.write(UnsafeRawBufferPointer($0), at: 0) }
            try file.truncate(to: text.utf8.count)
        } catch let failure as LogError where failure.code == .noSpace {
            // The lock holds without the sentence.
        }
    }

    /// Whether the process that the lock names is there. For sentences only: taking the lock to find out
    /// would be in the way of an owner that begins just now, and another process may have the pid.
    static func hasLivingHolder(_ directory: String, in files: FileSystem) throws -> Bool {
        guard let text = try files.text(of: directory + "/.lock"),
            let pid = text.split(separator: "\n").first.flatMap({ pid_t($0) }), pid > 0
        else { return false }
        return (kill(pid, 0) == 0 || errno == EPERM) && !isDefunct(pid, in: files)
    }

    /// Whether the process has ended and its parent has not asked how: in a container whose first process
    /// never asks that lasts, but its lock is gone. False where /proc does not tell.
    private static func isDefunct(_ pid: pid_t, in files: FileSystem) -> Bool {
        // "pid (name) state …", and the name may hold parentheses itself.
        let path = "/proc/\(pid)/stat"
        // The process may go at any moment, and what is asked for only makes a sentence better.
        guard let file = try? File(path, .readOnly, in: files) else { return false }
        // Such a file has no size; the state is in its first line.
        let text = [UInt8](unsafeUninitializedCapacity: 512) { buffer, initialized in
            initialized = (try? file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)) ?? 0
        }
        guard let end = text.lastIndex(of: UInt8(ascii: ")")) else { return false }
        return text[end...].dropFirst(2).first == UInt8(ascii: "Z")
    }

    // Closing would leave the lock to a child that this process has forked and that has not yet got to
    // its exec: the lock belongs to the open file, which both have.
    deinit { _ = flock(file.descriptor, LOCK_UN) }
}
