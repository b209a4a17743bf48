// A cursor of LMDB: a place in one database within one transaction. Whoever makes one closes it, a
// writing one before its transaction ends. After a move `key` and `value` lie in the map, or in a page
// that the transaction has changed: they end with the next change or with the transaction.

import CStreamJobsLMDB

/// A place in a database.
final class LMDBCursor {
    private var cursor: OpaquePointer?
    private let label: String
    /// The snapshot it reads; 0 for one that writes.
    private(set) var snapshotNumber: Int
    private var foundKey = MDB_val()
    private var foundValue = MDB_val()

    init(
        _ transaction: OpaquePointer?, _ database: Database, label: String, snapshotNumber: Int
    ) throws {
        self.label = label
        self.snapshotNumber = snapshotNumber
        try check(
            mdb_cursor_open(transaction, database.handle, &cursor), "mdb_cursor_open in \(label)")
    }

    deinit { precondition(cursor == nil, "a cursor is closed by whoever has made it") }

    func close() {
        if let cursor { mdb_cursor_close(cursor) }
        cursor = nil
    }

    func renew(_ transaction: OpaquePointer?, snapshotNumber: Int) throws {
        try check(mdb_cursor_renew(transaction, cursor), "mdb_cursor_renew in \(label)")
        self.snapshotNumber = snapshotNumber
    }

    var key: UnsafeRawBufferPointer { foundKey.buffer }
    var value: UnsafeRawBufferPointer { foundValue.buffer }

    /// To the first key that is not less than `key`; false if there is none.
    func seek(_ key: UnsafeRawBufferPointer) throws -> Bool {
        foundKey = MDB_val(readOnly: key)
        return try move(MDB_SET_RANGE)
    }

    /// To this very key; false if there is none.
    func find(_ key: UnsafeRawBufferPointer) throws -> Bool {
        foundKey = MDB_val(readOnly: key)
        return try move(MDB_SET_KEY)
    }

    func next() throws -> Bool { try move(MDB_NEXT) }
    func previous() throws -> Bool { try move(MDB_PREV) }
    func last() throws -> Bool { try move(MDB_LAST) }

    @inline(__always)
    private func move(_ operation: MDB_cursor_op) throws -> Bool {
        let code = mdb_cursor_get(cursor, &foundKey, &foundValue, operation)
        if code == MDB_SUCCESS { return true }
        guard code == MDB_NOTFOUND else { throw error(of: code, "mdb_cursor_get in \(label)") }
        return false
    }

    /// Writes an entry; gives LMDB's code.
    @inline(__always)
    func put(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Int32 {
        var key = MDB_val(readOnly: key)
        var value = MDB_val(readOnly: value)
        return mdb_cursor_put(cursor, &key, &value, 0)
    }

    /// Deletes the entry of a key, if there is one; gives LMDB's code.
    func delete(key: UnsafeRawBufferPointer) -> Int32 {
        var key = MDB_val(readOnly: key)
        let code = mdb_cursor_get(cursor, &key, nil, MDB_SET)
        if code == MDB_NOTFOUND { return MDB_SUCCESS }
        return code == MDB_SUCCESS ? mdb_cursor_del(cursor, 0) : code
    }
}
