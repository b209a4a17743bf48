// Reading and writing the bytes of an environment below its checks: for tests that damage data, and
// for inspection. Never part of a task's work.

extension StateEnvironment {
    /// The bytes in the tree of a store or of a system table, by database name, in order.
    package func rawEntries(database name: String) throws -> [(key: [UInt8], value: [UInt8])] {
        try lmdb.rawEntries(try lmdb.openDatabases([name])[0])
    }

    /// Sets the bytes of a key in the tree of a database, in a commit of their own.
    package func rawPut(database name: String, key: [UInt8], value: [UInt8]) throws {
        let database = try lmdb.openDatabases([name])[0]
        try lmdb.rawWrite(database, [(key, value)])
    }
}

extension LMDBEnvironment {
    /// The bytes in the tree of a database, in order.
    package func rawEntries(_ database: Database) throws -> [(key: [UInt8], value: [UInt8])] {
        let cursor = try makeCursor(database)
        defer { cursor.close() }
        // The lowest key that LMDB takes.
        let start: [UInt8] = [0]
        var entries: [(key: [UInt8], value: [UInt8])] = []
        var isFound = try start.withUnsafeBytes { try cursor.seek($0) }
        while isFound {
            entries.append(([UInt8](cursor.key), [UInt8](cursor.value)))
            isFound = try cursor.next()
        }
        return entries
    }

    /// Writes bytes as they are, one entry after the other, in a commit of their own; nil deletes.
    package func rawWrite(_ database: Database, _ entries: [(key: [UInt8], value: [UInt8]?)]) throws
    {
        try write("writing bytes to \(label)") { transaction in
            let cursor = try transaction.makeCursor(database)
            defer { cursor.close() }
            for (key, value) in entries {
                let code = key.withUnsafeBytes { key in
                    value?.withUnsafeBytes { cursor.put(key: key, value: $0) }
                        ?? cursor.delete(key: key)
                }
                guard code == 0 else { throw transaction.failure(code) }
            }
        }
    }
}
