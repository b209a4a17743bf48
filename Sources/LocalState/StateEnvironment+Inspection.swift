// Reading and writing the bytes of an environment below its checks: for tests that damage data, and
// for inspection. Never part of a task's work.

extension StateEnvironment {
    /// The bytes in the tree of a store or of a system table, by database name, in order.
    package func rawEntries(database name: String) throws -> [(key: [UInt8], value: [UInt8])] {
        let database = try backend.openDatabases([name])[0]
        // The lowest key that LMDB takes.
        let start: [UInt8] = [0]
        var entries: [(key: [UInt8], value: [UInt8])] = []
        try backend.scan(database, from: start.span.bytes) { key, value in
            entries.append((key.copied, value.copied))
            return true
        }
        return entries
    }

    /// Sets the bytes of a key in the tree of a database, in a commit of their own.
    package func rawPut(database name: String, key: [UInt8], value: [UInt8]) throws {
        var writes = WriteBatch.DatabaseWrites(database: try backend.openDatabases([name])[0])
        writes.appendRaw(key: key, value: value)
        var batch = WriteBatch()
        batch.add(writes)
        try backend.commit(batch)
    }
}
