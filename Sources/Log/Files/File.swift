// The only file of the log that calls the operating system's file functions. A descriptor belongs to
// one `File` and is closed with it; every failure names the path and, by its code, the remedy.

import CStreamJobsLinux
import Glibc

func wallClockMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}

/// The error for `errno` after doing `action` to `path`.
func systemError(_ action: String, _ path: String, _ number: Int32 = errno) -> LogError {
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

/// An open file, closed when the last reference goes. Positioned reads and writes may come from any
/// thread.
final class File: Sendable {
    let path: String
    let descriptor: Int32

    enum Access { case readOnly, readWrite }

    init(_ path: String, _ access: Access, create: Bool = false) throws {
        let flags = (access == .readOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC | (create ? O_CREAT : 0)
        descriptor = Glibc.open(path, flags, 0o644)
        self.path = path
        guard descriptor >= 0 else { throw systemError(create ? "create" : "open", path) }
    }

    deinit { _ = Glibc.close(descriptor) }

    func byteCount() throws -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw systemError("look at", path) }
        return Int(status.st_size)
    }

    /// Reads up to `buffer.count` bytes; fewer only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int) throws -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, base + done, buffer.count - done, off_t(position + done))
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw systemError("read", path)
            }
            done += count
        }
        return done
    }

    /// Writes all of `bytes`, or throws having written some of them: the caller cuts the file back.
    func write(_ bytes: UnsafeRawBufferPointer, at position: Int) throws {
        guard let base = bytes.baseAddress else { return }
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, base + done, bytes.count - done, off_t(position + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw systemError("write to", path)
            }
            done += count
        }
    }

    /// Asks for room on the disk behind the end of the file, whose length stays: then writes there need not
    /// allocate it bit by bit. Only a hint: where it is refused, the write says what is wrong.
    func preallocate(_ byteCount: Int, at position: Int) {
        _ = fallocate(
            descriptor, Int32(streamjobs_keep_size), off_t(position), off_t(byteCount))
    }

    func truncate(to byteCount: Int) throws {
        guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
            throw systemError("cut back", path)
        }
    }

    /// After it returns, what was written before the call survives a power loss.
    func flush() throws {
        guard fdatasync(descriptor) == 0 else { throw systemError("flush", path) }
    }
}

enum Directory {
    /// Makes `path` and what is missing above it; the entries are flushed.
    static func create(_ path: String) throws {
        if mkdir(path, 0o755) == 0 { return try flush(parent(of: path)) }
        if errno == EEXIST { return }
        guard errno == ENOENT, parent(of: path) != path else {
            throw systemError("create directory", path)
        }
        try create(parent(of: path))
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
            throw systemError("create directory", path)
        }
        try flush(parent(of: path))
    }

    /// After it returns, the files made, renamed or removed in `path` before survive a power loss.
    static func flush(_ path: String) throws {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemError("open directory", path) }
        defer { _ = Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw systemError("flush directory", path) }
    }

    static func exists(_ path: String) throws -> Bool {
        var status = stat()
        if stat(path, &status) == 0 { return true }
        guard errno == ENOENT || errno == ENOTDIR else { throw systemError("look at", path) }
        return false
    }

    /// The names in `path`, sorted.
    static func names(in path: String) throws -> [String] {
        guard let stream = opendir(path) else { throw systemError("read directory", path) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
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

    /// Puts `text` in place of the file's content: a reader sees the old or the new, also after a
    /// power loss (written beside, flushed, renamed, directory flushed).
    static func replaceFile(_ path: String, with text: String) throws {
        let temporary = path + temporarySuffix
        do {
            let file = try File(temporary, .readWrite, create: true)
            try file.truncate(to: 0)
            var text = text
            try text.withUTF8 { try file.write(UnsafeRawBufferPointer($0), at: 0) }
            try file.flush()
            guard rename(temporary, path) == 0 else { throw systemError("rename", temporary) }
        } catch {
            // What went wrong is told; if this fails too, the next open removes the file.
            _ = unlink(temporary)
            throw error
        }
        try flush(parent(of: path))
    }

    private static let temporarySuffix = ".tmp"

    /// Removes what a crash within `replaceFile` has left in `path`.
    static func removeTemporaryFiles(in path: String) throws {
        for name in try names(in: path) where name.hasSuffix(temporarySuffix) {
            try removeFile(path + "/" + name)
        }
    }

    /// The file's content, or nil if there is none.
    static func textFile(_ path: String) throws -> String? {
        guard try exists(path) else { return nil }
        let file = try File(path, .readOnly)
        let count = try file.byteCount()
        var bytes = [UInt8](repeating: 0, count: count)
        let read = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        return String(decoding: bytes.prefix(read), as: UTF8.self)
    }

    static func removeFile(_ path: String) throws {
        guard unlink(path) == 0 || errno == ENOENT else { throw systemError("remove", path) }
        try flush(parent(of: path))
    }
}
