// The directory of an environment: made durably, since LMDB syncs its files but not their names.

import Glibc

/// Makes directories whose names survive a power loss.
package enum StateDirectory {
    /// Creates a directory and those above it as far as they are missing; each new name is synced.
    package static func create(_ path: String) throws {
        var status = stat()
        if stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw StateError(
                    .io(errno: ENOTDIR), "\(path) is a file, but a directory is needed there.")
            }
            return
        }
        guard errno == ENOENT else { throw error(of: errno, "stat of \(path)") }
        let parent = parent(of: path)
        if parent != path { try create(parent) }
        // Somebody else may have made it meanwhile: that is as good.
        guard mkdir(path, 0o777) == 0 || errno == EEXIST else {
            throw error(of: errno, "mkdir of \(path)")
        }
        try sync(parent)
    }

    /// Gives a directory another name; when it returns that survives a power loss.
    package static func move(_ path: String, to target: String) throws {
        guard rename(path, target) == 0 else {
            throw error(of: errno, "rename of \(path) to \(target)")
        }
        try sync(parent(of: target))
        try sync(parent(of: path))
    }

    /// Makes the names in a directory durable.
    package static func sync(_ path: String) throws {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw error(of: errno, "open of \(path)") }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw error(of: errno, "fsync of \(path)") }
    }

    private static func parent(of path: String) -> String {
        var end = path.endIndex
        func skip(while condition: (Character) -> Bool) {
            while end > path.startIndex, condition(path[path.index(before: end)]) {
                end = path.index(before: end)
            }
        }
        skip { $0 == "/" }
        skip { $0 != "/" }
        if end == path.startIndex { return path.hasPrefix("/") ? "/" : "." }
        skip { $0 == "/" }
        return end == path.startIndex ? "/" : String(path[..<end])
    }
}
