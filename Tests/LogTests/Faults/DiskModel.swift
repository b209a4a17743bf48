// A disk in memory, told of every change that a log makes to its files. It knows what a process that is
// killed leaves behind (everything done so far), and what a power loss may leave: all that was flushed,
// and of the rest any part.

import Foundation
import StreamJobsLog
import TestSupport

/// A change. Paths are relative to the data directory, which is "".
enum DiskOperation {
    case makeDirectory(String)
    case create(String)
    case write(String, at: Int, [UInt8])
    case truncate(String, to: Int)
    case flush(String)
    case rename(String, to: String)
    case remove(String)
    case flushDirectory(String)
}

struct Disk {
    private struct Inode {
        var isDirectory = false
        /// What a power loss leaves for certain.
        var durable: [UInt8] = []
        var content: [UInt8] = []
        /// What was done since the last flush.
        var pending: [Change] = []
    }

    private enum Change {
        case write(at: Int, [UInt8])
        case truncate(to: Int)
    }

    /// A change of names; a rename is one, as file systems do it.
    private struct NameChange {
        var removed: String?
        var added: (path: String, inode: Int)?
        var directory: String { Disk.parent(of: added?.path ?? removed ?? "") }
    }

    private var inodes: [Inode] = []
    private var names: [String: Int] = [:]
    private var durableNames: [String: Int] = [:]
    private var pendingNames: [NameChange] = []

    private static let sectorBytes = 512

    private static func parent(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }

    // MARK: Changes

    mutating func apply(_ operation: DiskOperation) {
        switch operation {
        case .makeDirectory(let path): link(path, Inode(isDirectory: true))
        case .create(let path): link(path, Inode())
        case .write(let path, let position, let bytes):
            change(path, .write(at: position, bytes))
        case .truncate(let path, let byteCount): change(path, .truncate(to: byteCount))
        case .flush(let path):
            guard let id = names[path] else { return }
            inodes[id].durable = inodes[id].content
            inodes[id].pending = []
        case .rename(let path, let newPath):
            guard let id = names.removeValue(forKey: path) else { return }
            names[newPath] = id
            pendingNames.append(NameChange(removed: path, added: (newPath, id)))
        case .remove(let path):
            if let id = names.removeValue(forKey: path), inodes[id].isDirectory {
                // Empty by now; another one of the name begins empty.
                pendingNames.removeAll { $0.directory == path }
            }
            pendingNames.append(NameChange(removed: path))
        case .flushDirectory(let path):
            for change in pendingNames where change.directory == path {
                Self.apply(change, to: &durableNames)
            }
            pendingNames.removeAll { $0.directory == path }
        }
    }

    /// Of the write that a kill interrupts only `byteCount` bytes are done.
    mutating func applyTorn(_ operation: DiskOperation, byteCount: Int) {
        guard case .write(let path, let position, let bytes) = operation else { return }
        change(path, .write(at: position, Array(bytes.prefix(byteCount))))
    }

    /// A flush that fails: the kernel drops the pages, and nobody hears of them again.
    mutating func dropUnflushed(_ path: String) {
        guard let id = names[path] else { return }
        inodes[id].pending = []
    }

    /// Whether a full disk can do it: it overwrites what is there.
    func hasRoom(for operation: DiskOperation?) -> Bool {
        guard case .write(let path, let position, let bytes)? = operation else { return false }
        guard !bytes.isEmpty else { return true }
        return names[path].map { position + bytes.count <= inodes[$0].content.count } ?? false
    }

    private mutating func link(_ path: String, _ inode: Inode) {
        inodes.append(inode)
        names[path] = inodes.count - 1
        pendingNames.append(NameChange(added: (path, inodes.count - 1)))
    }

    private mutating func change(_ path: String, _ change: Change) {
        guard let id = names[path] else { return }
        Self.apply(change, to: &inodes[id].content)
        inodes[id].pending.append(change)
    }

    private static func apply(_ change: NameChange, to names: inout [String: Int]) {
        if let removed = change.removed {
            names[removed] = nil
            if change.added == nil {
                for path in names.keys where path.hasPrefix(removed + "/") { names[path] = nil }
            }
        }
        if let added = change.added { names[added.path] = added.inode }
    }

    private static func apply(_ change: Change, to content: inout [UInt8]) {
        switch change {
        case .write(let position, let bytes):
            resize(&content, to: max(content.count, position + bytes.count))
            content.replaceSubrange(position..<position + bytes.count, with: bytes)
        case .truncate(let byteCount): resize(&content, to: byteCount)
        }
    }

    private static func resize(_ content: inout [UInt8], to byteCount: Int) {
        if content.count > byteCount { content.removeLast(content.count - byteCount) }
        content += [UInt8](repeating: 0, count: byteCount - content.count)
    }

    // MARK: Power losses

    enum PowerLoss: Sendable {
        /// Nothing that was not flushed is there.
        case losesAll
        /// Sectors, sizes and names that were not flushed are there or not, as it comes.
        case losesSome
        /// Data that was not flushed is lost, names are all there.
        case losesData
    }

    /// The disk when power is back.
    func afterPowerLoss(_ loss: PowerLoss, _ random: inout SeededGenerator) -> Disk {
        var after = Disk()
        after.names = durableNames
        for change in pendingNames {
            let isKept =
                switch loss {
                case .losesAll: false
                case .losesData: true
                case .losesSome: Bool.random(using: &random)
                }
            if isKept { Self.apply(change, to: &after.names) }
        }
        after.inodes = inodes.map { inode in
            var inode = inode
            if case .losesSome = loss { inode.durable = Self.survivors(of: inode, &random) }
            inode.content = inode.durable
            inode.pending = []
            return inode
        }
        // What lies in a directory that was lost is lost.
        for path in after.names.keys {
            let parent = Self.parent(of: path)
            if !parent.isEmpty, after.names[parent] == nil { after.names[path] = nil }
        }
        after.durableNames = after.names
        return after
    }

    private static func survivors(of inode: Inode, _ random: inout SeededGenerator) -> [UInt8] {
        var content = inode.durable
        var sizes = [content.count]
        for change in inode.pending {
            switch change {
            case .write(let position, let bytes):
                sizes.append(max(sizes[sizes.count - 1], position + bytes.count))
                var start = 0
                while start < bytes.count {
                    let sector = (position + start) / sectorBytes
                    let end = min(bytes.count, (sector + 1) * sectorBytes - position)
                    if Bool.random(using: &random) {
                        apply(.write(at: position + start, Array(bytes[start..<end])), to: &content)
                    }
                    start = end
                }
            case .truncate(let byteCount):
                sizes.append(byteCount)
                if Bool.random(using: &random) { resize(&content, to: byteCount) }
            }
        }
        if Bool.random(using: &random), let size = sizes.randomElement(using: &random) {
            resize(&content, to: size)
        }
        return content
    }

    // MARK: Files

    /// Makes the files as a process sees them in a fresh directory.
    func materialize(in directory: String) throws {
        for (path, id) in names.sorted(by: { $0.key < $1.key }) where inodes[id].isDirectory {
            try FileManager.default.createDirectory(
                atPath: directory + "/" + path, withIntermediateDirectories: true)
        }
        for (path, id) in names where !inodes[id].isDirectory {
            let isMade = FileManager.default.createFile(
                atPath: directory + "/" + path, contents: Data(inodes[id].content))
            precondition(isMade, "could not make \(path)")
        }
    }

    var paths: [String] { names.keys.sorted() }
}
