// Keeps the pages of one commit from being written over by the task's process, which goes on meanwhile: a
// reader's place in LMDB's lock file. The pages themselves are read without LMDB (Inspection/).

import CStreamJobsLMDB
import Glibc

/// A read transaction that is held open, for at most as long as its owner bounds it.
final class SnapshotPin {
    private var identity: DirectoryIdentity?
    private var environment: OpaquePointer?
    private var transaction: OpaquePointer?
    /// The commit whose pages are kept.
    private(set) var number: UInt64 = 0

    /// Pins the last commit. nil where the lock file may not be written: then nothing is kept.
    /// Throws `.alreadyOpen` if this process has the environment open.
    /// - Parameter directory: whose `data.mdb` has two meta pages at least: LMDB maps it.
    init?(_ directory: String) throws {
        let identity = try DirectoryIdentity(path: directory)
        try OpenDirectories.take(identity, path: directory)
        self.identity = identity
        do {
            guard try begin(directory) else {
                release()
                return nil
            }
        } catch {
            release()
            throw error
        }
    }

    deinit { release() }

    func release() {
        if let transaction { mdb_txn_abort(transaction) }
        transaction = nil
        if let environment { mdb_env_close(environment) }
        environment = nil
        if let identity { OpenDirectories.release(identity) }
        identity = nil
    }

    private func begin(_ directory: String) throws -> Bool {
        // The owner may grow its map between our opening and our reading.
        for _ in 0..<Limits.pinTriesMax {
            let code = open(directory)
            if code == EACCES || code == EPERM || code == EROFS { return false }
            try check(code, "mdb_env_open of \(directory)")
            // Places of readers that were killed would keep pages for ever.
            var deadCount: Int32 = 0
            mdb_reader_check(environment, &deadCount)
            let begun = mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &transaction)
            if begun == MDB_SUCCESS {
                number = UInt64(mdb_txn_id(transaction))
                return true
            }
            transaction = nil
            mdb_env_close(environment)
            environment = nil
            guard begun == MDB_MAP_RESIZED else {
                try check(begun, "mdb_txn_begin in \(directory)")
                break
            }
        }
        throw StateError(
            .io(errno: EAGAIN), "The state in \(directory) grows too fast to be read; try again.")
    }

    /// Opens the environment with as much address space as its map has, or as little as will do.
    private func open(_ directory: String) -> Int32 {
        var code = MDB_SUCCESS
        for mapBytes in [0, Limits.pageBytesMax] {
            code = mdb_env_create(&environment)
            guard code == MDB_SUCCESS else { break }
            if mapBytes > 0 { mdb_env_set_mapsize(environment, mapBytes) }
            mdb_env_set_maxreaders(environment, Limits.readersMax)
            code = mdb_env_open(environment, directory, UInt32(MDB_NOTLS | MDB_RDONLY), 0o666)
            if code == MDB_SUCCESS { return code }
            mdb_env_close(environment)
            environment = nil
            guard code == ENOMEM else { break }
        }
        return code
    }
}
