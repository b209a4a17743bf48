// Copies of states: of a pinned commit while the task goes on, and of files that nobody writes.
// Page by page and not with `mdb_env_copy2`: that begins a transaction of its own when it comes to it, so that
// the tasks of a job would have to stand still until the last one is copied; and in the task's process
// it would be in the way of a map that grows.

import Glibc
import StreamJobsChecksum

/// A file that was copied, flushed.
package struct StateCopy: Sendable, Hashable {
    package let byteCount: Int
    /// CRC-32C of all bytes, zeros of holes included.
    package let checksum: UInt32
}

extension StateSnapshot {
    /// Writes this commit to `data.mdb` in a directory that is made for it. Free pages are left out: they
    /// become holes. When it returns, the copy survives a power loss. Throws `.noSpace`, `.corrupted`, …
    /// - Parameter check: called every megabyte.
    package func copy(
        to directory: String, check: (_ byteCount: Int) throws -> Void = { _ in }
    ) throws -> StateCopy {
        let file = file
        let pageBytes = file.data.pageBytes
        // Pages at the end of the file that were never written are free.
        let pageCount = min(Int(file.meta.lastPage) + 1, file.data.byteCount / pageBytes)
        var free = PageSet(count: pageCount)
        for page in try file.data.freePages(file.meta.free) { _ = free.insert(page) }
        return try StateCopy.write(
            directory: directory, byteCount: pageCount * pageBytes, check: check
        ) { position, count in
            var bytes = try file.data.read(at: position, byteCount: count)
            guard bytes.count == count else { throw file.data.damaged("it has become shorter") }
            let first = position / pageBytes
            for page in first..<first + count / pageBytes {
                let start = (page - first) * pageBytes
                if page < 2 {
                    // Both say that this commit is the last one; the page's number stands first.
                    let meta =
                        file.meta.bytes
                        + [UInt8](repeating: 0, count: pageBytes - DataFile.metaBytes)
                    bytes.replaceSubrange(start..<start + pageBytes, with: meta)
                    bytes[start] = UInt8(page)
                } else if free.contains(UInt64(page)) {
                    bytes.replaceSubrange(
                        start..<start + pageBytes, with: repeatElement(0, count: pageBytes))
                }
            }
            try file.checkUnchanged()
            return bytes
        }
    }
}

extension StateCopy {
    /// Copies the `data.mdb` of a directory into another one that is made for it.
    package static func copy(
        from source: String, to directory: String,
        check: (_ byteCount: Int) throws -> Void = { _ in }
    ) throws -> StateCopy {
        let path = source + "/data.mdb"
        guard let file = try DataFile.openCommitted(path: path) else {
            throw StateError(.corrupted, "\(path) is missing or empty; use another copy.")
        }
        return try write(directory: directory, byteCount: file.byteCount, check: check) {
            let bytes = try file.read(at: $0, byteCount: $1)
            guard bytes.count == $1 else { throw file.damaged("it has become shorter") }
            return bytes
        }
    }

    /// Makes names in a directory survive a power loss.
    package static func syncDirectory(_ path: String) throws { try StateDirectory.sync(path) }

    /// Makes a directory and those above it, whose names survive a power loss.
    package static func createDirectory(_ path: String) throws { try StateDirectory.create(path) }

    /// - Parameter read: the bytes at a position.
    fileprivate static func write(
        directory: String, byteCount: Int, check: (Int) throws -> Void,
        _ read: (_ position: Int, _ count: Int) throws -> [UInt8]
    ) throws -> StateCopy {
        try StateDirectory.create(directory)
        let path = directory + "/data.mdb"
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw error(of: errno, "open of \(path)") }
        defer { Glibc.close(descriptor) }
        guard ftruncate(descriptor, byteCount) == 0 else {
            throw error(of: errno, "ftruncate of \(path)")
        }
        var checksum = CRC32C()
        for position in stride(from: 0, to: byteCount, by: Limits.copyBytes) {
            let bytes = try read(position, min(Limits.copyBytes, byteCount - position))
            bytes.withUnsafeBytes { checksum.add($0) }
            try write(bytes, at: position, to: descriptor, path)
            try check(bytes.count)
        }
        guard fsync(descriptor) == 0 else { throw error(of: errno, "fsync of \(path)") }
        try StateDirectory.sync(directory)
        return StateCopy(byteCount: byteCount, checksum: checksum.value)
    }

    /// Leaves holes where there are zeros.
    private static func write(
        _ bytes: [UInt8], at position: Int, to descriptor: Int32, _ path: String
    ) throws {
        try bytes.withUnsafeBytes { bytes in
            var start = 0
            while start < bytes.count {
                let end = min(start + Limits.copyHoleBytes, bytes.count)
                defer { start = end }
                guard bytes[start..<end].contains(where: { $0 != 0 }) else { continue }
                var written = start
                while written < end {
                    let piece = UnsafeRawBufferPointer(rebasing: bytes[written..<end])
                    let count = pwrite(
                        descriptor, piece.baseAddress, piece.count, position + written)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { throw error(of: errno, "write of \(path)") }
                    written += count
                }
            }
        }
    }
}

extension StateError {
    /// After a call of the operating system.
    /// - Parameter doing: the call and its object.
    package static func system(_ doing: String, _ number: Int32) -> StateError {
        error(of: number, doing)
    }
}
