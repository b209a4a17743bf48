// One database as a table from keys of any length to checked payloads: the shared lower half of
// stores and system tables. Full keys begin with the prefix byte (KeyEncoding); scans are in the
// order of full keys. It holds nothing in memory.

/// A table from keys of any length to checked payloads.
@usableFromInline
package final class RecordTable {
    /// What error messages call it, such as `store 'counts'`.
    let label: String
    let database: Database
    let environment: LMDBEnvironment
    private var keyBuffer: [UInt8] = []
    /// A scan that is not in use, with its cursor and its memory.
    private var idleScan: RecordScan?

    package init(label: String, database: Database, environment: LMDBEnvironment) {
        self.label = label
        self.database = database
        self.environment = environment
    }

    /// Throws if the data cannot be used any more.
    @usableFromInline
    func checkUsable() throws { try environment.checkUsable() }

    /// Gives up what it holds of the environment: before that is closed.
    func close() {
        idleScan?.close()
        idleScan = nil
    }

    /// A buffer that holds the beginning of every full key. It is taken out of the table while it
    /// is used: a serde's `decode` might read from a store itself.
    @usableFromInline
    func takeKeyBuffer() -> [UInt8] {
        var buffer = keyBuffer
        keyBuffer = []
        buffer.removeAll(keepingCapacity: true)
        buffer.append(Limits.keyPrefix)
        return buffer
    }

    @usableFromInline
    func giveBack(_ buffer: consuming [UInt8]) { keyBuffer = buffer }

    /// The committed entry of a key, or nil; its bytes end with the snapshot, and its key is none of
    /// its own but `fullKey`.
    @usableFromInline
    package func find(_ fullKey: UnsafeRawBufferPointer) throws -> RawEntry? {
        guard KeyEncoding.isCut(fullKeyCount: fullKey.count) else {
            guard let value = try environment.get(database, key: fullKey) else { return nil }
            guard let entry = StoredValue.entry(key: fullKey, value: value) else {
                throw corrupted(fullKey)
            }
            return entry
        }
        let storedKey = KeyEncoding.cut(fullKey)
        return try storedKey.withUnsafeBytes { storedKey in
            guard let value = try environment.get(database, key: storedKey) else { return nil }
            var entries: [RawEntry] = []
            guard StoredValue.appendBucket(key: storedKey, value: value, to: &entries) else {
                throw corrupted(storedKey)
            }
            return entries.first { compareBytes($0.fullKey, fullKey) == 0 }
        }
    }

    /// The payload of a key, or nil: a copy.
    package func payload(_ fullKey: [UInt8]) throws -> [UInt8]? {
        try fullKey.withUnsafeBytes { try find($0).map { [UInt8]($0.payload) } }
    }

    /// Begins a scan between two full keys: the first may be visited, the second not. ``endScan(_:)``
    /// must follow.
    @usableFromInline
    package func beginScan(
        from lower: [UInt8], to upper: [UInt8]?, order: ScanOrder
    ) throws -> RecordScan {
        let scan = idleScan ?? RecordScan(self)
        idleScan = nil
        do {
            try scan.begin(from: lower, to: upper, order: order)
        } catch {
            endScan(scan)
            throw error
        }
        return scan
    }

    @usableFromInline
    package func endScan(_ scan: RecordScan) {
        scan.end()
        guard idleScan == nil else { return scan.close() }
        idleScan = scan
    }

    func corrupted(_ storedKey: UnsafeRawBufferPointer) -> StateError {
        let key = storedKey.dropFirst(Limits.keyPrefixBytes)
        return StateError(
            .corrupted,
            "\(label) in \(environment.label): the value of key \(describeBytes(key)) is damaged: its "
                + "checksum does not match. Restore the state from a backup, or rebuild it.")
    }
}
