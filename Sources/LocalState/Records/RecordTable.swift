// One database as a table from keys of any length to checked payloads: the shared lower half of
// stores and system tables. Full keys begin with the prefix byte (KeyEncoding); scans are in the
// order of full keys. It holds nothing in memory.

/// A table from keys of any length to checked payloads.
@usableFromInline
package final class RecordTable {
    /// What error messages call it, such as `store 'counts'`.
    let label: String
    let database: DatabaseID
    let backend: any StateBackend
    private var keyBuffer: [UInt8] = []

    init(label: String, database: DatabaseID, backend: any StateBackend) {
        self.label = label
        self.database = database
        self.backend = backend
    }

    /// Throws if the data cannot be used any more.
    @usableFromInline
    func checkUsable() throws { try backend.checkUsable() }

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

    /// As the other, of a key in an array.
    @usableFromInline
    func get(_ fullKey: [UInt8], _ body: (ValueKind, RawSpan) throws -> Void) throws -> Bool {
        try get(fullKey.span.bytes, body)
    }

    /// Hands kind and payload of a committed entry to `body`; false if there is none.
    func get(_ fullKey: RawSpan, _ body: (ValueKind, RawSpan) throws -> Void) throws -> Bool {
        guard KeyEncoding.isCut(fullKeyCount: fullKey.byteCount) else {
            return try backend.get(database, key: fullKey) { value in
                let kind = try checkedKind(key: fullKey, value: value)
                try body(kind, value.extracting(StoredValue.payloadStart...))
            }
        }
        let storedKey = fullKey.withUnsafeBytes { KeyEncoding.cut($0) }
        let copy = fullKey.copied
        guard let entry = try bucket(storedKey).first(where: { $0.fullKey == copy }) else {
            return false
        }
        try body(entry.kind, entry.payload.span.bytes)
        return true
    }

    /// Hands committed entries to `body` in the order of their full keys, from the first that is
    /// not less than `fullKey`, until it returns false.
    func scan(
        from fullKey: [UInt8],
        _ body: (_ fullKey: RawSpan, _ kind: ValueKind, _ payload: RawSpan) throws -> Bool
    ) throws {
        // Entries with the same lead lie together, but not in the order of their full keys: such a
        // run is gathered and sorted before it is handed on.
        var run: [StoredValue.BucketEntry] = []
        var goesOn = true
        func endRun() throws {
            guard !run.isEmpty else { return }
            run.sort { $0.fullKey.order(against: $1.fullKey) < 0 }
            let sorted = run
            run.removeAll(keepingCapacity: true)
            for entry in sorted where goesOn {
                let key = entry.fullKey.span.bytes
                guard key.order(against: fullKey.span.bytes) >= 0 else { continue }
                goesOn = try body(key, entry.kind, entry.payload.span.bytes)
            }
        }
        let start = Array(fullKey.prefix(Limits.keyLeadBytes))
        try backend.scan(database, from: start.span.bytes) { key, value in
            guard key.byteCount >= Limits.keyLeadBytes else {
                try endRun()
                guard goesOn else { return false }
                let kind = try checkedKind(key: key, value: value)
                goesOn = try body(key, kind, value.extracting(StoredValue.payloadStart...))
                return goesOn
            }
            if let first = run.first, !Self.hasLead(of: first.fullKey, key) {
                try endRun()
                guard goesOn else { return false }
            }
            run += try entries(key: key, value: value)
            return true
        }
        if goesOn { try endRun() }
    }

    /// The entries under a stored key that was cut.
    func bucket(_ storedKey: [UInt8]) throws -> [StoredValue.BucketEntry] {
        var found: [StoredValue.BucketEntry] = []
        _ = try backend.get(database, key: storedKey.span.bytes) { value in
            found = try entries(key: storedKey.span.bytes, value: value)
        }
        return found
    }

    private static func hasLead(of fullKey: [UInt8], _ key: RawSpan) -> Bool {
        let lead = 0..<Limits.keyLeadBytes
        return fullKey.span.bytes.extracting(lead).order(against: key.extracting(lead)) == 0
    }

    private func entries(key: RawSpan, value: RawSpan) throws -> [StoredValue.BucketEntry] {
        let kind = try checkedKind(key: key, value: value)
        guard KeyEncoding.isCut(storedKeyCount: key.byteCount) else {
            let payload = value.extracting(StoredValue.payloadStart...).copied
            return [StoredValue.BucketEntry(fullKey: key.copied, kind: kind, payload: payload)]
        }
        guard let bucket = StoredValue.bucket(value) else { throw corrupted(key) }
        return bucket
    }

    /// The kind of a value after its checksum was compared; of a bucket, nothing in particular.
    private func checkedKind(key: RawSpan, value: RawSpan) throws -> ValueKind {
        guard StoredValue.isIntact(key: key, value: value) else { throw corrupted(key) }
        if KeyEncoding.isCut(storedKeyCount: key.byteCount) { return .value }
        let byte = value.unsafeLoad(fromByteOffset: StoredValue.checksumBytes, as: UInt8.self)
        guard let kind = ValueKind(rawValue: byte) else { throw corrupted(key) }
        return kind
    }

    private func corrupted(_ storedKey: RawSpan) -> StateError {
        let key = storedKey.copied.dropFirst(Limits.keyPrefixBytes)
        return StateError(
            .corrupted,
            "\(label) in \(backend.label): the value of key \(describeBytes(key)) is damaged: its "
                + "checksum does not match. Restore the state from a backup, or rebuild it.")
    }
}
