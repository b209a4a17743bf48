// A copy of all states of a job as of a barrier over its tasks. The job stands still for the moment in which
// its states are pinned; copying them goes on beside it.

import FoundationEssentials
import Glibc
import LocalState

extension JobStates {
    /// Copies the states into a directory that is not there yet, or is empty. It gets its name when all is
    /// written and flushed: what a crash leaves has `.partial` behind its name, and is removed by the next try.
    /// Throws `refused`, ``StateError``, and what `check` throws.
    /// - Parameter check: called every megabyte, and while the job is waited for.
    package func backUp(
        to directory: String, check: (_ byteCount: Int) throws -> Void = { _ in }
    ) throws -> BackupManifest {
        let target = Self.trimmed(directory)
        let partial = target + ".partial"
        try Self.requireAbsentOrEmpty(target)
        try Self.remove(partial)
        do {
            let pinned = try atBarrier(check: { try check(0) }) { try pinAll() }
            defer { for task in pinned { task.snapshot.close() } }
            var copied: [BackupManifest.Task] = []
            for task in pinned {
                let positions = try task.positions().map { BackupManifest.Position($0, $1) }
                let copy = try task.snapshot.copy(to: "\(partial)/\(task.name)", check: check)
                copied.append(
                    BackupManifest.Task(
                        name: task.name, commit: task.commit, bytes: copy.byteCount,
                        checksum: copy.checksum, positions: positions))
            }
            let manifest = BackupManifest(job: job, tasks: copied)
            try manifest.write(to: partial)
            // An empty directory is replaced.
            guard rename(partial, target) == 0 else {
                throw StateError.system("rename of \(partial)", errno)
            }
            try StateCopy.syncDirectory(Self.parent(of: target))
            return manifest
        } catch {
            // A full disk gets its room back.
            try? Self.remove(partial)
            throw error
        }
    }

    private func pinAll() throws -> [InspectedTask] {
        // Listed again: a job that has just begun makes them one after the other.
        let tasks = try JobStates(job: job, directory: directory).tasks
        var pinned: [InspectedTask] = []
        do {
            for task in tasks { if let task = try open(task) { pinned.append(task) } }
        } catch {
            for task in pinned { task.snapshot.close() }
            throw error
        }
        return pinned
    }

    private static func requireAbsentOrEmpty(_ directory: String) throws {
        var isDirectory = false
        guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory) else {
            return
        }
        let isEmpty =
            try isDirectory && FileManager.default.contentsOfDirectory(atPath: directory).isEmpty
        guard !isEmpty else { return }
        throw JobError(
            .refused, "\(directory) is there already; give the backup a directory of its own")
    }

    static func remove(_ path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw JobError(.refused, "\(path), which is left of an earlier try, cannot be removed")
        }
    }

    static func trimmed(_ path: String) -> String {
        var path = path
        while path.count > 1, path.last == "/" { path.removeLast() }
        return path
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
