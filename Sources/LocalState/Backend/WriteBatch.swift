// The encoded writes of one commit: per database a run of keys in ascending order. All bytes of a
// database lie in one array, written once; it is complete before a transaction begins, so that an
// encoding error costs nothing and a commit can be tried again after the map has grown.

/// The writes of one commit.
package struct WriteBatch {
    /// Where the key and the value of one write lie in the bytes of its database.
    package struct Write {
        package let keyStart: Int
        package let valueStart: Int
        /// nil: the key is deleted.
        package let valueEnd: Int?
    }

    /// The writes to one database, ascending by key.
    package struct DatabaseWrites {
        package let database: DatabaseID
        package internal(set) var bytes: [UInt8] = []
        package internal(set) var writes: [Write] = []

        package init(database: DatabaseID) {
            self.database = database
        }

        /// Adds a write as it is, without checksum; nil deletes.
        package mutating func appendRaw(key: [UInt8], value: [UInt8]?) {
            precondition((1...Limits.lmdbKeyBytesMax).contains(key.count), "LMDB takes no such key")
            let start = bytes.count
            bytes += key + (value ?? [])
            writes.append(
                Write(
                    keyStart: start, valueStart: start + key.count,
                    valueEnd: value == nil ? nil : bytes.count))
        }

        package func key(of write: Write) -> Range<Int> { write.keyStart..<write.valueStart }

        package func value(of write: Write) -> Range<Int>? {
            write.valueEnd.map { write.valueStart..<$0 }
        }
    }

    package private(set) var databases: [DatabaseWrites] = []

    package init() {}

    package var isEmpty: Bool { databases.allSatisfy { $0.writes.isEmpty } }

    package var byteCount: Int { databases.reduce(0) { $0 + $1.bytes.count } }

    /// Adds the writes of a database that has none yet.
    package mutating func add(_ writes: DatabaseWrites) {
        precondition(
            !databases.contains { $0.database == writes.database },
            "the writes of a database are added once in a commit")
        databases.append(writes)
    }
}
