// State on disk: one LMDB environment in one directory, used by one thread at a time.
// Reads share one snapshot between two commits: it is taken by the first read after a commit and
// given up before the next one, so that it never pins pages that a writer frees.
// After a failed commit everything but `close` throws, although LMDB itself would go on: whether
// the commit happened is known only after reopening.

import CStreamJobsLMDB
import Glibc

/// A named database of an environment.
package struct Database: Hashable, Sendable {
    let handle: MDB_dbi
}

/// One LMDB environment.
package final class LMDBEnvironment {
    /// What error messages call it: the directory.
    package let label: String
    let settings: StateSettings
    var environment: OpaquePointer?
    var identity: DirectoryIdentity?
    var mapBytes: Int
    private var snapshot: OpaquePointer?
    private var hasSnapshot = false
    /// Counts the snapshots, from 1: a cursor of another one must be renewed.
    private(set) var snapshotNumber = 0
    /// Scans that are going on in the snapshot.
    var scanCount = 0
    private var failedCommit: String?

    package init(directory: String, settings: StateSettings = StateSettings()) {
        label = directory
        self.settings = settings
        mapBytes = settings.mapBytes
    }

    deinit { close() }

    package func checkUsable() throws {
        guard let failedCommit else { return }
        throw StateError(
            .outcomeUnknown,
            "The state in \(label) must be closed and opened again: a commit failed and may or may "
                + "not have happened (\(failedCommit)).")
    }

    /// False after a commit that may or may not have happened.
    package var isUsable: Bool { failedCommit == nil }

    /// Opens databases by name, creating those that do not exist; in the order of the names.
    package func openDatabases(_ names: [String]) throws -> [Database] {
        var databases: [Database] = []
        try write("opening the databases of \(label)") { transaction in
            databases.removeAll()
            for name in names {
                var handle: MDB_dbi = 0
                let code = mdb_dbi_open(
                    transaction.pointer, name, UInt32(MDB_CREATE), &handle)
                if code == MDB_MAP_FULL { throw MapFull() }
                try check(code, "mdb_dbi_open of \(name) in \(label)")
                databases.append(Database(handle: handle))
            }
        }
        return databases
    }

    /// The value of a key in the state of the last commit, or nil. The bytes lie in the map and end
    /// with the snapshot: at the next commit.
    func get(_ database: Database, key: UnsafeRawBufferPointer) throws -> UnsafeRawBufferPointer? {
        let transaction = try readTransaction()
        var key = MDB_val(readOnly: key)
        var value = MDB_val()
        let code = mdb_get(transaction, database.handle, &key, &value)
        if code == MDB_NOTFOUND { return nil }
        try check(code, "mdb_get in \(label)")
        return value.buffer
    }

    /// A cursor in the state of the last commit.
    func makeCursor(_ database: Database) throws -> LMDBCursor {
        let transaction = try readTransaction()
        return try LMDBCursor(
            transaction, database, label: label, snapshotNumber: snapshotNumber)
    }

    /// Brings a cursor of an earlier snapshot into this one.
    func renew(_ cursor: LMDBCursor) throws {
        let transaction = try readTransaction()
        guard cursor.snapshotNumber != snapshotNumber else { return }
        try cursor.renew(transaction, snapshotNumber: snapshotNumber)
    }

    package func sync() throws {
        try checkUsable()
        let code = mdb_env_sync(environment, 1)
        guard code != MDB_SUCCESS else { return }
        // What the system could not write it may have dropped: a second call would find nothing to do.
        let failure = error(of: code, "mdb_env_sync of \(label)")
        failedCommit = failure.message
        throw failure
    }

    package func close() {
        precondition(scanCount == 0, "state is not closed within a scan")
        if let snapshot { mdb_txn_abort(snapshot) }
        snapshot = nil
        hasSnapshot = false
        failedCommit = nil
        if let environment { mdb_env_close(environment) }
        environment = nil
        if let identity { OpenDirectories.release(identity) }
        identity = nil
    }

    // MARK: Transactions

    /// A write transaction, for the length of a call of ``write(_:_:)``.
    struct Transaction {
        fileprivate let pointer: OpaquePointer?
        fileprivate let owner: LMDBEnvironment

        /// A cursor that writes; to be closed before the transaction ends.
        func makeCursor(_ database: Database) throws -> LMDBCursor {
            try LMDBCursor(pointer, database, label: owner.label, snapshotNumber: 0)
        }

        /// The error of a failed write, after which the transaction must end.
        func failure(_ code: Int32) -> any Error {
            if code == MDB_MAP_FULL { return MapFull() }
            return error(of: owner.writeCode(code), "writing to the state in \(owner.label)")
        }
    }

    /// Thrown where the map is full: nothing was applied, and the transaction is worth another try.
    private struct MapFull: Error {}

    private func readTransaction() throws -> OpaquePointer {
        try checkUsable()
        if let snapshot, hasSnapshot { return snapshot }
        if let snapshot {
            try check(mdb_txn_renew(snapshot), "mdb_txn_renew in \(label)")
            hasSnapshot = true
            snapshotNumber += 1
            return snapshot
        }
        precondition(environment != nil, "state is read between open and close")
        var begun: OpaquePointer?
        try check(
            mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &begun),
            "mdb_txn_begin in \(label)")
        guard let begun else { preconditionFailure("mdb_txn_begin gave no transaction") }
        snapshot = begun
        hasSnapshot = true
        snapshotNumber += 1
        return begun
    }

    func endSnapshot() {
        precondition(scanCount == 0, "state is not committed within a scan")
        if let snapshot, hasSnapshot { mdb_txn_reset(snapshot) }
        hasSnapshot = false
    }

    /// Runs `body` in a write transaction, and again in another one after the map has grown.
    func write(_ doing: String, _ body: (Transaction) throws -> Void) throws {
        while true {
            do {
                return try writeOnce(doing, body)
            } catch is MapFull {
                try growMap()
            }
        }
    }

    /// The transaction begins and ends here, on this thread: the write lock belongs to it.
    private func writeOnce(_ doing: String, _ body: (Transaction) throws -> Void) throws {
        try checkUsable()
        precondition(environment != nil, "state is written between open and close")
        endSnapshot()
        var transaction: OpaquePointer?
        try check(mdb_txn_begin(environment, nil, 0, &transaction), "mdb_txn_begin for \(doing)")
        do {
            try body(Transaction(pointer: transaction, owner: self))
        } catch {
            mdb_txn_abort(transaction)
            throw error
        }
        let code = mdb_txn_commit(transaction)
        // The list of free pages did not fit: this is found before anything is written.
        if code == MDB_MAP_FULL { throw MapFull() }
        guard code != MDB_SUCCESS else { return }
        let failure = error(of: writeCode(code), "mdb_txn_commit for \(doing)")
        failedCommit = failure.message
        guard failure.code != .noSpace else { throw failure }
        try checkUsable()
    }

    /// The code of a failed write. LMDB gives EIO where the system wrote a part only, which is what
    /// happens when the disk becomes full: then it is ENOSPC.
    fileprivate func writeCode(_ code: Int32) -> Int32 {
        guard code == EIO else { return code }
        var status = statvfs()
        guard statvfs(label, &status) == 0 else { return code }
        let freeBytes = UInt64(status.f_bavail) * UInt64(status.f_frsize)
        return freeBytes < Limits.diskFullBytes ? ENOSPC : code
    }

    private func growMap() throws {
        let grown = mapBytes * Limits.mapGrowthFactor
        guard grown <= Limits.mapBytesMax else {
            throw error(of: MDB_MAP_FULL, "the state in \(label), \(mapBytes) bytes large")
        }
        let code = mdb_env_set_mapsize(environment, grown)
        guard code == MDB_SUCCESS else {
            // The old map is gone already, and nothing may be read any more.
            let failure = error(of: code, "mdb_env_set_mapsize of \(label)")
            failedCommit = failure.message
            throw failure
        }
        mapBytes = grown
    }
}

extension MDB_val {
    /// Bytes that LMDB reads: the pointer is mutable in its interface only.
    init(readOnly bytes: UnsafeRawBufferPointer) {
        self.init(
            mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
    }

    /// The bytes in the map; they end with the transaction.
    var buffer: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: mv_data, count: mv_size)
    }
}
