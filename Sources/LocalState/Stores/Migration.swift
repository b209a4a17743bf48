// From one version of a store to the next: values of an older version become values of this one, under the
// keys that they have. At once, when the environment is opened, in one transaction with the new descriptions;
// or lazily, while the store is used (LazyMigration.swift).

/// When the entries of an older version are migrated.
public enum MigrationOrder: Sendable, Hashable {
    /// When the task is opened, all of them in one commit. The job begins when that is done: some seconds for
    /// ten million small entries.
    case atOnce
    /// While the job runs: an entry when it is read or written, and some more in each commit. Until all are
    /// done, the migration must stay in the store's declaration.
    case lazily
}

/// How the values of an older version of a store become values of this one.
public struct StoreMigration<Value> {
    let version: Int64
    let valueSerde: String
    let order: MigrationOrder
    /// Makes a value of an old one's bytes; nil leaves the entry out.
    let make: (ValueKind, UnsafeRawBufferPointer) throws -> Value?

    /// A migration from a version.
    /// - Parameters:
    ///   - version: The older version.
    ///   - value: The serde that its values were kept with.
    ///   - order: When entries are migrated.
    ///   - make: Makes a value of an old one; nil leaves the entry out. It may be called more than once for
    ///     an entry, and must give the same each time.
    public static func from<Old>(
        version: Int, value: Serde<Old>, _ order: MigrationOrder = .atOnce,
        _ make: @escaping (Old) throws -> Value?
    ) -> StoreMigration<Value> {
        StoreMigration(version: Int64(version), valueSerde: value.name, order: order) {
            kind, payload in
            try make(try value.decode(kind, payload))
        }
    }

    /// Of entries that have an expiry, which they keep.
    @usableFromInline
    var expiring: StoreMigration<Expiring<Value>> {
        StoreMigration<Expiring<Value>>(
            version: version, valueSerde: "expiring(\(valueSerde))", order: order
        ) { [make] _, payload in
            let head = try ExpiringHead(payload.bytes)
            let rest = UnsafeRawBufferPointer(rebasing: payload[ExpiringHead.byteCount...])
            return try make(head.isNull ? .null : .value, rest).map {
                Expiring($0, expiry: head.expiry)
            }
        }
    }
}

/// A migration without its types.
package struct EntryMigration {
    let order: MigrationOrder
    /// Appends kind and payload of the new value of an old one; false if the entry is left out.
    let convert: (RawEntry, inout [UInt8]) throws -> Bool
}

extension KeyValueStore {
    package func migration(from stored: StoreDescription) -> EntryMigration? {
        let version = stored.older?.version ?? stored.version
        guard stored.kind == kind, stored.keyCodec == Key.codecName,
            let migration = declaredMigration(from: stored)
        else { return nil }
        return EntryMigration(order: migration.order) { [unowned self] entry, buffer in
            do {
                guard let value = try migration.make(entry.kind, entry.payload) else {
                    return false
                }
                let isNull = self.serde.isNull(value)
                buffer.append((isNull ? ValueKind.null : .value).rawValue | generation)
                if !isNull { try self.serde.encode(value, &buffer) }
                return true
            } catch {
                throw StateError(
                    .incompatible,
                    "Store '\(name)': the value of key \(describeBytes(entry.key)) cannot be migrated "
                        + "from version \(version) to \(self.version): \(error)")
            }
        }
    }

    package func begin(generation: UInt8, olderThan stored: StoreDescription?) {
        self.generation = generation
        older = nil
        lazyMigration = nil
        guard let stored else { return }
        older = declaredMigration(from: stored)?.make
        lazyMigration = LazyMigration()
    }

    /// The migration from the version that data has, or, if one is going on, from its older version.
    private func declaredMigration(from stored: StoreDescription) -> StoreMigration<Value>? {
        let version = stored.older?.version ?? stored.version
        let serde = stored.older?.valueSerde ?? stored.valueSerde
        return migrations.first { $0.version == version && $0.valueSerde == serde }
    }
}

extension StateEnvironment {
    /// A store whose data is of an older version.
    struct PendingMigration {
        let store: any EnvironmentStore
        let migration: EntryMigration
    }

    /// Migrates stores at once, and writes descriptions; all of it or nothing. Entries are read as they were
    /// before the transaction, and written as they come: memory holds one at a time.
    func migrate(_ pending: [PendingMigration], descriptions: [[UInt8]: [UInt8]?]) throws {
        guard !pending.isEmpty || !descriptions.isEmpty, let table = self.descriptions else {
            return
        }
        try lmdb.write("describing the stores of \(lmdb.label)") { transaction in
            for item in pending {
                guard let records = storeTables[ObjectIdentifier(item.store)] else {
                    preconditionFailure("tables are bound before their entries are migrated")
                }
                try write(to: records, in: transaction) { writer in
                    try convertAll(records, item.migration, to: writer)
                }
            }
            try write(descriptions, to: table, in: transaction)
        }
        // What was read was the state before.
        lmdb.endSnapshot()
    }

    private func convertAll(
        _ records: RecordTable, _ migration: EntryMigration, to writer: RecordWriter
    ) throws {
        let scan = try records.beginScan(from: [Limits.keyPrefix], to: nil, order: .ascending)
        defer { records.endScan(scan) }
        var buffer: [UInt8] = []
        while true {
            let count = try scan.fill()
            if count == 0 { return }
            for number in 0..<count {
                let entry = scan.chunk[number]
                buffer.removeAll(keepingCapacity: true)
                buffer.append(contentsOf: entry.fullKey)
                let keyCount = buffer.count
                if try migration.convert(entry, &buffer) {
                    try writer.put(&buffer, keyCount: keyCount)
                } else {
                    try writer.delete(buffer)
                }
            }
        }
    }
}
