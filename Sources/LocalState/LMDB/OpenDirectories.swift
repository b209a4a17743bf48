// Which environments this process has open, by device and inode. LMDB keeps its locks with fcntl,
// which belong to the process: a second opening that ends would drop those of the first, and two
// writers could destroy the data. Other processes are kept out by the lock of the data directory.

import Glibc
import Synchronization

/// A directory, whatever its path.
struct DirectoryIdentity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64

    /// The identity of an existing directory.
    init(path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw error(of: errno, "stat of \(path)")
        }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }
}

/// The directories that are open in this process.
enum OpenDirectories {
    private static let open = Mutex<Set<DirectoryIdentity>>([])

    /// Takes a directory; throws `.alreadyOpen` if it is taken.
    static func take(_ identity: DirectoryIdentity, path: String) throws {
        let isNew = open.withLock { $0.insert(identity).inserted }
        guard isNew else {
            throw StateError(
                .alreadyOpen,
                "The state in \(path) is already open in this process. A task has one owner; close "
                    + "it there first.")
        }
    }

    static func release(_ identity: DirectoryIdentity) {
        let wasTaken = open.withLock { $0.remove(identity) != nil }
        precondition(wasTaken, "a directory is released by whoever took it")
    }
}
