// The only files of the log that call the operating system's file functions are this one and `File`.
// Every operation that changes something passes by an observer, so that tests can record what a disk
// would hold, let any call fail and stop at any point. Outside of tests there is none.

import Glibc

/// What the log is about to do to its files. Paths are as the log names them.
package enum FileOperation {
    case makeDirectory(String)
    case create(String)
    case write(String, at: Int, UnsafeRawBufferPointer)
    case truncate(String, to: Int)
    case flush(String)
    case rename(String, to: String)
    case remove(String)
    case flushDirectory(String)
    case read(String, at: Int)
}

/// Asked before each operation, from any thread.
package protocol FileSystemObserver: Sendable {
    /// Throwing makes the operation fail with that error and do nothing; a write that fails with a
    /// `ShortWrite` has written so much before.
    func willPerform(_ operation: FileOperation) throws
}

/// A write that fails in its midst.
package struct ShortWrite: Error {
    let byteCount: Int
    let cause: LogError

    package init(byteCount: Int, cause: LogError) {
        self.byteCount = byteCount
        self.cause = cause
    }
}

/// The files of a log. Any thread may call.
package final class FileSystem: Sendable {
    package static let live = FileSystem(observer: nil)

    private let observer: (any FileSystemObserver)?
    let room = RoomAhead()
    let openSegments = OpenSegments()

    package init(observer: (any FileSystemObserver)?) { self.observer = observer }

    /// The same for one log, whose partitions share what room they have asked for and how many files are open.
    func forOneLog() -> FileSystem { FileSystem(observer: observer) }

    func willPerform(_ operation: @autoclosure () -> FileOperation) throws {
        if let observer { try observer.willPerform(operation()) }
    }

    // MARK: Directories

    /// Makes `path` and what is missing above it; the entries are flushed, also that of a directory that is
    /// there: a process may have ended between making and flushing it.
    func createDirectory(_ path: String) throws {
        let parent = Self.parent(of: path)
        if try exists(path) {
            do {
                try flushDirectory(parent)
            } catch let failure as LogError where failure.code == .permissionDenied {
                // Whoever may not read it has not made the directory: that ends with the same flush.
            }
            return
        }
        if parent != path { try createDirectory(parent) }
        try willPerform(.makeDirectory(path))
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
            throw systemError("create directory", path)
        }
        try flushDirectory(parent)
    }

    /// After it returns, the files made, renamed or removed in `path` before survive a power loss.
    func flushDirectory(_ path: String) throws {
        try willPerform(.flushDirectory(path))
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemError("open directory", path) }
        defer { _ = Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw systemError("flush directory", path) }
    }

    func exists(_ path: String) throws -> Bool { try status(of: path) != nil }

    /// Nil if there is no such file.
    func status(of path: String) throws -> FileStatus? {
        var status = stat()
        if stat(path, &status) == 0 { return FileStatus(status) }
        guard errno == ENOENT || errno == ENOTDIR else { throw systemError("look at", path) }
        return nil
    }

    /// The names in `path`, sorted.
    func names(in path: String) throws -> [String] {
        guard let stream = opendir(path) else { throw systemError("read directory", path) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            // It says nil at the end and for a failure: a name that is not told of is a segment lost.
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw systemError("read directory", path) }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    // MARK: Names

    /// Survives a power loss once the directory is flushed.
    func rename(_ path: String, to newPath: String) throws {
        try willPerform(.rename(path, to: newPath))
        guard Glibc.rename(path, newPath) == 0 else { throw systemError("rename", path) }
    }

    /// Does nothing if there is no such file; survives a power loss once the directory is flushed.
    func remove(_ path: String) throws {
        guard try exists(path) else { return }
        try willPerform(.remove(path))
        guard unlink(path) == 0 || errno == ENOENT else { throw systemError("remove", path) }
    }

    /// Removes a directory with the files in it, which has no directories.
    func removeDirectory(_ path: String) throws {
        guard try exists(path) else { return }
        // Background work that has not seen yet that it is to end may still make a file in it.
        for attempt in 1...Limits.removalAttemptsMax {
            for name in try names(in: path) { try remove(path + "/" + name) }
            try willPerform(.remove(path))
            if rmdir(path) == 0 || errno == ENOENT { return }
            guard errno == ENOTEMPTY, attempt < Limits.removalAttemptsMax else {
                throw systemError("remove", path)
            }
        }
    }

    // MARK: Whole files

    static let temporarySuffix = ".tmp"

    /// Puts `text` in place of the file's content: a reader sees the old or the new, also after a
    /// power loss (written beside, flushed, renamed, directory flushed).
    func replaceFile(_ path: String, with text: String) throws {
        var text = text
        try text.withUTF8 { try replaceFile(path, with: UnsafeRawBufferPointer($0)) }
    }

    func replaceFile(_ path: String, with bytes: UnsafeRawBufferPointer) throws {
        let temporary = path + Self.temporarySuffix
        do {
            try writeFile(temporary, bytes)
            try rename(temporary, to: path)
        } catch {
            // What went wrong is told; if this fails too, the next open removes the file.
            _ = unlink(temporary)
            throw error
        }
        try flushDirectory(Self.parent(of: path))
    }

    /// Makes the file, or empties it, and writes `bytes`, flushed; its name is not.
    func writeFile(_ path: String, _ bytes: UnsafeRawBufferPointer) throws {
        let file = try File(path, .readWrite, create: true, in: self)
        if try file.byteCount() > 0 { try file.truncate(to: 0) }
        try file.write(bytes, at: 0)
        try file.flush()
    }

    /// Removes what a crash within `replaceFile` has left in `path`.
    func removeTemporaryFiles(in path: String) throws {
        for name in try names(in: path) where name.hasSuffix(Self.temporarySuffix) {
            try remove(path + "/" + name)
        }
    }

    /// The file's content, or nil if there is none.
    func bytes(of path: String) throws -> [UInt8]? {
        guard try exists(path) else { return nil }
        let file = try File(path, .readOnly, in: self)
        let count = try file.byteCount()
        let bytes = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        return bytes
    }

    func text(of path: String) throws -> String? {
        try bytes(of: path).map { String(decoding: $0, as: UTF8.self) }
    }
}

struct FileStatus: Sendable {
    let byteCount: Int
    /// Another one where the file was replaced as a whole.
    let identity: FileIdentity
    let isDirectory: Bool
    /// When its content was last changed, by the wall clock.
    let modified: Timestamp

    init(_ status: stat) {
        byteCount = Int(status.st_size)
        identity = FileIdentity(
            inode: UInt64(status.st_ino), seconds: Int(status.st_mtim.tv_sec),
            nanoseconds: Int(status.st_mtim.tv_nsec))
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
        // Anybody can set it to any number of seconds.
        modified = Timestamp(milliseconds: 0).advanced(
            by: .seconds(status.st_mtim.tv_sec) + .nanoseconds(status.st_mtim.tv_nsec))
    }
}

/// Of a file's content: numbers of files are given again, so that the time goes with it.
struct FileIdentity: Equatable, Sendable {
    let inode: UInt64
    let seconds: Int
    let nanoseconds: Int
}

func wallClockMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}

/// The error for `errno` after doing `action` to `path`.
package func systemError(_ action: String, _ path: String, _ number: Int32 = errno) -> LogError {
    let reason = String(cString: strerror(number))
    switch number {
    case EACCES, EPERM, EROFS:
        return LogError(.permissionDenied, "no permission to \(action) \(path): \(reason)")
    case ENOSPC, EDQUOT:
        return LogError(
            .noSpace, "the disk is full: could not \(action) \(path); free some space and try again"
        )
    default:
        return LogError(.io, "could not \(action) \(path): \(reason) (errno \(number))")
    }
}
