// Where a rebuilt state grows, and how it takes the place of the one before.

import FoundationEssentials
import LocalState

struct RebuildDirectories {
    private let current: String
    private let rebuilt: String
    private let replaced: String

    /// - Parameter states: The directory of all jobs' states.
    init(states: String, job: String) {
        current = "\(states)/\(job)"
        rebuilt = "\(states).rebuild/\(job)"
        replaced = "\(states).replaced/\(job)"
    }

    func rebuilt(_ task: String) -> String { "\(rebuilt)/\(task)" }

    /// Removes what an earlier attempt has left.
    func begin() throws {
        try remove(rebuilt)
        try StateDirectory.create(rebuilt)
    }

    /// Puts the rebuilt state, all of which is flushed, in its place; gives where the one before is. When it
    /// returns that survives a power loss.
    func replace() throws -> String? {
        var before: String?
        if FileManager.default.fileExists(atPath: current) {
            try remove(replaced)
            try StateDirectory.create(parent(of: replaced))
            try StateDirectory.move(current, to: replaced)
            before = replaced
        }
        try StateDirectory.create(parent(of: current))
        try StateDirectory.move(rebuilt, to: current)
        return before
    }

    private func remove(_ path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw JobError(.refused, "could not remove \(path): \(error)")
        }
    }

    private func parent(of path: String) -> String {
        String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    }
}
