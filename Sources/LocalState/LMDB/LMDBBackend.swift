// State on disk: one LMDB environment in one directory, used by one thread at a time.
// Reads share one snapshot between two commits: it is taken by the first read after a commit and
// given up before the next one, so that it never pins pages that a writer frees.
// After a failed commit everything but `close` throws, although LMDB itself would go on: whether
// the commit happened is known only after reopening.

import CStreamJobsLMDB
import Glibc

/// One LMDB environment.
package final class LMDBBackend: StateBackend {
    package let label: String
    var environment: OpaquePointer?
    var identity: DirectoryIdentity?
    let settings: StateSettings
    var mapBytes: Int
    private var databases: [MDB_dbi] = []
    private var snapshot: OpaquePointer?
    private var hasSnapshot = false
    private var scanCount = 0
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

    package func openDatabases(_ names: [String]) throws -> [DatabaseID] {
        var handles: [MDB_dbi] = []
        try write("opening the databases of \(label)") { transaction in
            handles.removeAll()
            for name in names {
                var handle: MDB_dbi = 0
                let code = mdb_dbi_open(transaction, name, UInt32(MDB_CREATE), &handle)
                if code == MDB_MAP_FULL { throw MapFull() }
                try check(code, "mdb_dbi_open of \(name) in \(label)")
                handles.append(handle)
            }
        }
        let first = databases.count
        databases += handles
        return (first..<databases.count).map { DatabaseID(index: $0) }
    }

    package func get(
        _ database: DatabaseID, key: RawSpan, _ body: (RawSpan) throws -> Void
    ) throws -> Bool {
        let transaction = try readTransaction()
        var value = MDB_val()
        let code = key.withUnsafeBytes { bytes in
            var key = MDB_val(readOnly: bytes)
            return mdb_get(transaction, databases[database.index], &key, &value)
        }
        if code == MDB_NOTFOUND { return false }
        try check(code, "mdb_get in \(label)")
        try body(value.buffer.bytes)
        return true
    }

    package func scan(
        _ database: DatabaseID, from key: RawSpan, _ body: (RawSpan, RawSpan) throws -> Bool
    ) throws {
        let transaction = try readTransaction()
        var opened: OpaquePointer?
        try check(
            mdb_cursor_open(transaction, databases[database.index], &opened),
            "mdb_cursor_open in \(label)")
        defer { mdb_cursor_close(opened) }
        scanCount += 1
        defer { scanCount -= 1 }
        var found = MDB_val()
        var value = MDB_val()
        var code = key.withUnsafeBytes { bytes in
            found = MDB_val(readOnly: bytes)
            return mdb_cursor_get(opened, &found, &value, MDB_SET_RANGE)
        }
        while code == MDB_SUCCESS {
            guard try body(found.buffer.bytes, value.buffer.bytes) else { return }
            code = mdb_cursor_get(opened, &found, &value, MDB_NEXT)
        }
        guard code == MDB_NOTFOUND else {
            throw error(of: code, "mdb_cursor_get in \(label)")
        }
    }

    package func commit(_ batch: borrowing WriteBatch) throws {
        let databaseWrites = batch.databases
        try write("the commit of \(label)") { transaction in
            for writes in databaseWrites where !writes.writes.isEmpty {
                try apply(writes, in: transaction)
            }
        }
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
        databases = []
        failedCommit = nil
        if let environment { mdb_env_close(environment) }
        environment = nil
        if let identity { OpenDirectories.release(identity) }
        identity = nil
    }

    // MARK: Transactions

    /// Thrown where the map is full: nothing was applied, and the transaction is worth another try.
    private struct MapFull: Error {}

    private func readTransaction() throws -> OpaquePointer {
        try checkUsable()
        if let snapshot, hasSnapshot { return snapshot }
        if let snapshot {
            try check(mdb_txn_renew(snapshot), "mdb_txn_renew in \(label)")
            hasSnapshot = true
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
        return begun
    }

    func endSnapshot() {
        precondition(scanCount == 0, "state is not committed within a scan")
        if let snapshot, hasSnapshot { mdb_txn_reset(snapshot) }
        hasSnapshot = false
    }

    /// Runs `body` in a write transaction, and again in another one after the map has grown.
    private func write(_ doing: String, _ body: (OpaquePointer?) throws -> Void) throws {
        while true {
            do {
                return try writeOnce(doing, body)
            } catch is MapFull {
                try growMap()
            }
        }
    }

    /// The transaction begins and ends here, on this thread: the write lock belongs to it.
    private func writeOnce(_ doing: String, _ body: (OpaquePointer?) throws -> Void) throws {
        try checkUsable()
        precondition(environment != nil, "state is written between open and close")
        endSnapshot()
        var transaction: OpaquePointer?
        try check(mdb_txn_begin(environment, nil, 0, &transaction), "mdb_txn_begin for \(doing)")
        do {
            try body(transaction)
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

    private func apply(
        _ writes: WriteBatch.DatabaseWrites, in transaction: OpaquePointer?
    ) throws {
        var opened: OpaquePointer?
        try check(
            mdb_cursor_open(transaction, databases[writes.database.index], &opened),
            "mdb_cursor_open in \(label)")
        defer { mdb_cursor_close(opened) }
        try writes.bytes.withUnsafeBytes { bytes in
            for write in writes.writes {
                var key = MDB_val(
                    readOnly: UnsafeRawBufferPointer(rebasing: bytes[writes.key(of: write)]))
                var code: Int32
                if let range = writes.value(of: write) {
                    var value = MDB_val(readOnly: UnsafeRawBufferPointer(rebasing: bytes[range]))
                    code = mdb_cursor_put(opened, &key, &value, 0)
                } else {
                    code = mdb_cursor_get(opened, &key, nil, MDB_SET)
                    if code == MDB_NOTFOUND { continue }
                    if code == MDB_SUCCESS { code = mdb_cursor_del(opened, 0) }
                }
                if code == MDB_MAP_FULL { throw MapFull() }
                try check(writeCode(code), "writing to the state in \(label)")
            }
        }
    }

    /// The code of a failed write. LMDB gives EIO where the system wrote a part only, which is what
    /// happens when the disk becomes full: then it is ENOSPC.
    private func writeCode(_ code: Int32) -> Int32 {
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
