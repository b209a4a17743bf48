// One open file. Every failure names the path and, by its code, the remedy.

import CStreamJobsLinux
import Glibc

/// An open file, closed when the last reference goes. Positioned reads and writes may come from any
/// thread.
final class File: Sendable {
    let path: String
    let descriptor: Int32
    private let fileSystem: FileSystem

    enum Access { case readOnly, readWrite }

    /// Opens `path`; makes it where it is missing if told to (its name is flushed with its directory).
    init(_ path: String, _ access: Access, create: Bool = false, in fileSystem: FileSystem) throws {
        self.path = path
        self.fileSystem = fileSystem
        var flags = (access == .readOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC
        if create, try !fileSystem.exists(path) {
            try fileSystem.willPerform(.create(path))
            flags |= O_CREAT
        }
        descriptor = Glibc.open(path, flags, 0o644)
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
        try fileSystem.willPerform(.read(path, at: position))
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

    /// Writes all of `bytes`, or throws having written some of them. On a full disk what partitions hold
    /// ahead of their writes is given back first. Not for use within a partition's lock.
    func write(_ bytes: UnsafeRawBufferPointer, at position: Int) throws {
        try fileSystem.room.retrying { try append(bytes, at: position) }
    }

    /// As `write`, for a partition's appends: where it throws, the caller cuts the file back.
    func append(_ bytes: UnsafeRawBufferPointer, at position: Int) throws {
        do {
            try fileSystem.willPerform(.write(path, at: position, bytes))
        } catch let short as ShortWrite {
            try writeAll(
                UnsafeRawBufferPointer(rebasing: bytes.prefix(short.byteCount)), at: position)
            throw short.cause
        }
        try writeAll(bytes, at: position)
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer, at position: Int) throws {
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
        guard !fileSystem.room.isPaused else { return }
        _ = fallocate(
            descriptor, Int32(streamjobs_keep_size), off_t(position), off_t(byteCount))
    }

    /// Has the disk begin with what was written below `end` and not flushed: a flush that follows soon finds
    /// less to do then. Only a hint, and no flush: what fails, and what survives a power loss, `flush` says.
    func startFlush(below end: Int) {
        // The page that the next write goes on in would be written twice.
        let wholePages = end & ~(Limits.pageBytes - 1)
        guard wholePages > 0 else { return }
        _ = sync_file_range(descriptor, 0, off_t(wholePages), UInt32(streamjobs_start_writing))
    }

    /// Gives back room behind the end that a process has asked for and not used before it was killed.
    func releaseRoomBehindEnd() throws {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw systemError("look at", path) }
        let blockBytes = max(1, Int(status.st_blksize))
        let needed = (Int(status.st_size) + blockBytes - 1) / blockBytes * blockBytes
        // Counted in units of 512 bytes, whatever the file system's block.
        guard Int(status.st_blocks) * 512 > needed else { return }
        try truncate(to: Int(status.st_size))
    }

    func truncate(to byteCount: Int) throws {
        try fileSystem.willPerform(.truncate(path, to: byteCount))
        guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
            throw systemError("cut back", path)
        }
    }

    /// Says when the content was last read and changed, in the place of the writes before. No flush makes it survive
    /// a power loss for sure: then it may be the time of those.
    func setModified(_ time: Timestamp) throws {
        let milliseconds = max(0, time.milliseconds)
        let modified = timespec(
            tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
        let times = [modified, modified]
        guard futimens(descriptor, times) == 0 else { throw systemError("set the time of", path) }
    }

    /// After it returns, what was written before the call survives a power loss.
    func flush() throws {
        try fileSystem.willPerform(.flush(path))
        guard fdatasync(descriptor) == 0 else { throw systemError("flush", path) }
    }
}
