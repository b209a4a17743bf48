// Encodes the writes of one table for one commit. Keys are given in ascending order of full keys;
// what comes out ascends by stored keys. Buckets are read, changed and written whole.

/// Encodes the writes of one table for one commit.
struct RecordWriter {
    private let table: RecordTable
    private var output: WriteBatch.DatabaseWrites
    /// Changes of entries whose keys are cut, by stored key; nil deletes.
    private var cutChanges: [[UInt8]: [(fullKey: [UInt8], entry: StoredValue.BucketEntry?)]] = [:]

    init(table: RecordTable, count: Int) {
        self.table = table
        output = WriteBatch.DatabaseWrites(database: table.database)
        output.writes.reserveCapacity(count)
    }

    /// Writes or deletes an entry: `encode` appends its payload, or says that there is none. An
    /// entry that is deleted need not exist.
    mutating func add(
        _ fullKey: RawSpan, encode: (inout [UInt8]) throws -> EncodedValue
    ) throws {
        guard !KeyEncoding.isCut(fullKeyCount: fullKey.byteCount) else {
            return try addCut(fullKey, encode: encode)
        }
        let start = output.bytes.count
        fullKey.withUnsafeBytes { output.bytes.append(contentsOf: $0) }
        let valueStart = beginValue()
        let kindPosition = output.bytes.count
        output.bytes.append(ValueKind.value.rawValue)
        let payloadStart = output.bytes.count
        let encoded = try encode(&output.bytes)
        precondition(output.bytes.count >= payloadStart, "a serde removed bytes from its buffer")
        switch encoded {
        case .bytes: break
        case .null: output.bytes[kindPosition] = ValueKind.null.rawValue
        case .none:
            output.bytes.removeSubrange(valueStart...)
            output.writes.append(
                WriteBatch.Write(keyStart: start, valueStart: valueStart, valueEnd: nil))
            return
        }
        try check(fullKey, byteCount: output.bytes.count - payloadStart)
        endValue(keyStart: start, valueStart: valueStart)
    }

    private mutating func addCut(
        _ fullKey: RawSpan, encode: (inout [UInt8]) throws -> EncodedValue
    ) throws {
        let storedKey = fullKey.withUnsafeBytes { KeyEncoding.cut($0) }
        let key = fullKey.copied
        var payload: [UInt8] = []
        let kind: ValueKind
        switch try encode(&payload) {
        case .bytes: kind = .value
        case .null: kind = .null
        case .none:
            cutChanges[storedKey, default: []].append((key, nil))
            return
        }
        try check(fullKey, byteCount: max(payload.count, key.count))
        let entry = StoredValue.BucketEntry(fullKey: key, kind: kind, payload: payload)
        cutChanges[storedKey, default: []].append((key, entry))
    }

    /// All writes, ascending by stored key.
    consuming func finish() throws -> WriteBatch.DatabaseWrites {
        if !cutChanges.isEmpty {
            try writeBuckets()
            let bytes = output.bytes
            output.writes.sort { one, other in
                let oneKey = bytes.span.bytes.extracting(one.keyStart..<one.valueStart)
                let otherKey = bytes.span.bytes.extracting(other.keyStart..<other.valueStart)
                return oneKey.order(against: otherKey) < 0
            }
        }
        return output
    }

    private mutating func writeBuckets() throws {
        for (storedKey, changes) in cutChanges {
            var bucket = try table.bucket(storedKey)
            for (fullKey, entry) in changes {
                bucket.removeAll { $0.fullKey == fullKey }
                if let entry { bucket.append(entry) }
            }
            bucket.sort { $0.fullKey.order(against: $1.fullKey) < 0 }
            let start = output.bytes.count
            output.bytes.append(contentsOf: storedKey)
            guard !bucket.isEmpty else {
                output.writes.append(
                    WriteBatch.Write(keyStart: start, valueStart: output.bytes.count, valueEnd: nil)
                )
                continue
            }
            let valueStart = beginValue()
            for entry in bucket { StoredValue.append(entry, to: &output.bytes) }
            endValue(keyStart: start, valueStart: valueStart)
        }
    }

    private mutating func beginValue() -> Int {
        let start = output.bytes.count
        withUnsafeBytes(of: UInt32(0)) { output.bytes.append(contentsOf: $0) }
        return start
    }

    private mutating func endValue(keyStart: Int, valueStart: Int) {
        let end = output.bytes.count
        output.bytes.withUnsafeMutableBytes { bytes in
            let body = valueStart + StoredValue.checksumBytes
            let checksum = StoredValue.checksum(
                key: UnsafeRawBufferPointer(rebasing: bytes[keyStart..<valueStart]),
                body: UnsafeRawBufferPointer(rebasing: bytes[body..<end]))
            bytes.storeBytes(
                of: checksum.littleEndian, toByteOffset: valueStart, as: UInt32.self)
        }
        output.writes.append(
            WriteBatch.Write(keyStart: keyStart, valueStart: valueStart, valueEnd: end))
    }

    private func check(_ fullKey: RawSpan, byteCount: Int) throws {
        guard byteCount <= Limits.recordBytesMax else {
            let key = fullKey.copied.dropFirst(Limits.keyPrefixBytes)
            throw StateError(
                .tooLarge,
                "\(table.label): the entry of key \(describeBytes(key)) has \(byteCount) bytes; "
                    + "at most \(Limits.recordBytesMax) fit. Keep it in several entries.")
        }
    }
}
