// Writes the entries of one table within the transaction of one commit, as they come: nothing of it is
// kept in memory but the entry at hand. Keys in ascending order are the cheap way, any order is right.
// An entry comes in one buffer: the full key, the kind, the payload.

/// Writes the entries of one table in a transaction.
@usableFromInline
package final class RecordWriter {
    private let table: RecordTable
    private let transaction: LMDBEnvironment.Transaction
    private let cursor: LMDBCursor
    private var bucket: [RawEntry] = []
    private var bucketBytes: [UInt8] = []

    init(_ table: RecordTable, _ transaction: LMDBEnvironment.Transaction) throws {
        self.table = table
        self.transaction = transaction
        cursor = try transaction.makeCursor(table.database)
    }

    /// To be called before the transaction ends, whatever its end.
    func close() { cursor.close() }

    /// Writes an entry: `buffer` holds the full key, the kind and the payload; the checksum is put
    /// behind them.
    @usableFromInline
    func put(_ buffer: inout [UInt8], keyCount: Int) throws {
        let payloadCount = buffer.count - keyCount - StoredValue.kindBytes
        guard max(payloadCount, keyCount) <= Limits.recordBytesMax else {
            throw tooLarge(buffer[..<keyCount], max(payloadCount, keyCount))
        }
        guard !KeyEncoding.isCut(fullKeyCount: keyCount) else {
            return try changeBucket(buffer, keyCount: keyCount, isDeleted: false)
        }
        StoredValue.seal(&buffer)
        try buffer.withUnsafeBytes { bytes in
            let code = cursor.put(
                key: UnsafeRawBufferPointer(rebasing: bytes[..<keyCount]),
                value: UnsafeRawBufferPointer(rebasing: bytes[keyCount...]))
            guard code == 0 else { throw transaction.failure(code) }
        }
    }

    /// Deletes the entry of a full key, if there is one.
    @usableFromInline
    func delete(_ fullKey: [UInt8]) throws {
        guard !KeyEncoding.isCut(fullKeyCount: fullKey.count) else {
            return try changeBucket(fullKey, keyCount: fullKey.count, isDeleted: true)
        }
        let code = fullKey.withUnsafeBytes { cursor.delete(key: $0) }
        guard code == 0 else { throw transaction.failure(code) }
    }

    /// The entry of a full key as this transaction sees it, or nil; its bytes end with the next write.
    @usableFromInline
    func find(_ fullKey: UnsafeRawBufferPointer) throws -> RawEntry? {
        guard KeyEncoding.isCut(fullKeyCount: fullKey.count) else {
            guard try cursor.find(fullKey) else { return nil }
            guard let entry = StoredValue.entry(key: cursor.key, value: cursor.value) else {
                throw table.corrupted(fullKey)
            }
            return entry
        }
        let storedKey = KeyEncoding.cut(fullKey)
        try storedKey.withUnsafeBytes { try readBucket($0) }
        return bucket.first { compareBytes($0.fullKey, fullKey) == 0 }
    }

    private func readBucket(_ storedKey: UnsafeRawBufferPointer) throws {
        bucket.removeAll(keepingCapacity: true)
        guard try cursor.find(storedKey) else { return }
        guard StoredValue.appendBucket(key: cursor.key, value: cursor.value, to: &bucket) else {
            throw table.corrupted(storedKey)
        }
    }

    /// Reads the entries that share the stored key, and writes them with one changed.
    private func changeBucket(_ buffer: [UInt8], keyCount: Int, isDeleted: Bool) throws {
        try buffer.withUnsafeBytes { bytes in
            let fullKey = UnsafeRawBufferPointer(rebasing: bytes[..<keyCount])
            let storedKey = KeyEncoding.cut(fullKey)
            try storedKey.withUnsafeBytes { try readBucket($0) }
            bucket.removeAll { compareBytes($0.fullKey, fullKey) == 0 }
            if !isDeleted {
                guard let kind = ValueKind(rawValue: bytes[keyCount]) else {
                    preconditionFailure("a kind stands behind the key")
                }
                let payload = UnsafeRawBufferPointer(rebasing: bytes[(keyCount + 1)...])
                let entry = RawEntry(key: fullKey, kind: kind, payload: payload)
                let place = bucket.firstIndex { compareBytes($0.fullKey, fullKey) > 0 }
                bucket.insert(entry, at: place ?? bucket.count)
            }
            // Copied before the tree is changed, where the entries lie.
            bucketBytes.removeAll(keepingCapacity: true)
            bucketBytes.append(contentsOf: storedKey)
            for entry in bucket {
                StoredValue.appendBucketEntry(
                    fullKey: entry.fullKey, kind: entry.kind, payload: entry.payload,
                    to: &bucketBytes)
            }
            try writeBucket(storedKey)
        }
    }

    private func writeBucket(_ storedKey: [UInt8]) throws {
        let code: Int32
        if bucket.isEmpty {
            code = storedKey.withUnsafeBytes { cursor.delete(key: $0) }
        } else {
            StoredValue.seal(&bucketBytes)
            code = bucketBytes.withUnsafeBytes { bytes in
                cursor.put(
                    key: UnsafeRawBufferPointer(rebasing: bytes[..<storedKey.count]),
                    value: UnsafeRawBufferPointer(rebasing: bytes[storedKey.count...]))
            }
        }
        guard code == 0 else { throw transaction.failure(code) }
    }

    private func tooLarge(_ fullKey: ArraySlice<UInt8>, _ byteCount: Int) -> StateError {
        let key = fullKey.dropFirst(Limits.keyPrefixBytes)
        return StateError(
            .tooLarge,
            "\(table.label): the entry of key \(describeBytes(key)) has \(byteCount) bytes; "
                + "at most \(Limits.recordBytesMax) fit. Keep it in several entries.")
    }
}
