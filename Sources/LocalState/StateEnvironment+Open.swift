// Opening an environment: its format and the descriptions of its stores are compared with what is
// declared before a database of a store is touched.

extension StateEnvironment {
    /// Keys in the database `stores`; a store's name may be anything, so it has a key of its own.
    private enum DescriptionKey {
        static let format = Array("format".utf8)

        static func store(_ name: String) -> [UInt8] { Array("store.\(name)".utf8) }
    }

    /// Opens the environment, creating it if there is none, and binds its stores to their data.
    ///
    /// Throws `.alreadyOpen`, `.newerFormat`, `.incompatible` (a store has data of other types),
    /// `.corrupted`, `.permissionDenied`, `.noSpace`, `.io`; then it is closed as before.
    package func open() throws {
        precondition(!isOpen, "an environment is opened once")
        let systemTableCount = SystemTable.allCases.count + 1
        try lmdb.open(databaseCountMax: stores.count + systemTableCount)
        do {
            let found = try checkFormat()
            try bindTables()
            try migrate(found.migrations, descriptions: found.descriptions)
            isOpen = true
        } catch {
            close()
            throw error
        }
    }

    /// Compares format and store descriptions; gives the descriptions to be written, by full key, and what
    /// is to be migrated at once.
    private func checkFormat() throws -> (
        descriptions: [[UInt8]: [UInt8]?], migrations: [PendingMigration]
    ) {
        let database = try lmdb.openDatabases(["stores"])[0]
        let table = RecordTable(label: "table 'stores'", database: database, environment: lmdb)
        descriptions = table
        var missing: [[UInt8]: [UInt8]?] = [:]
        var migrations: [PendingMigration] = []
        if let format = try read(DescriptionKey.format, in: table) {
            try checkVersion(format)
        } else {
            var version: [UInt8] = []
            Limits.formatVersion.appendBigEndian(to: &version)
            missing[Self.fullKey(DescriptionKey.format)] = version
        }
        for store in stores {
            var declared = store.description
            let key = DescriptionKey.store(declared.name)
            guard let stored = try read(key, in: table) else {
                store.begin(generation: 0, olderThan: nil)
                missing[Self.fullKey(key)] = declared.encoded
                continue
            }
            let found = try description(stored, of: declared.name)
            guard !found.isSame(as: declared) || found.older != nil else {
                store.begin(generation: found.generation, olderThan: nil)
                continue
            }
            guard let migration = store.migration(from: found),
                found.older == nil || found.isSame(as: declared)
            else { throw incompatible(declared, found) }
            declared.generation = found.generation
            switch (found.older, migration.order) {
            case (nil, .atOnce):
                store.begin(generation: found.generation, olderThan: nil)
                migrations.append(PendingMigration(store: store, migration: migration))
            case (nil, .lazily):
                declared.generation ^= ValueKind.generationBit
                declared.older = StoreDescription.Older(
                    valueSerde: found.valueSerde, version: found.version)
                store.begin(generation: declared.generation, olderThan: found)
            case (.some, _):
                // Begun before: the rest is migrated while the store is used, as it was begun.
                store.begin(generation: found.generation, olderThan: found)
                continue
            }
            missing[Self.fullKey(key)] = declared.encoded
        }
        return (missing, migrations)
    }

    /// Takes the older version out of the descriptions of stores.
    func describe(
        _ stores: [any EnvironmentStore], in transaction: LMDBEnvironment.Transaction
    ) throws {
        guard !stores.isEmpty, let descriptions else { return }
        var changes: [[UInt8]: [UInt8]?] = [:]
        for store in stores {
            var description = store.description
            description.generation = store.generation
            changes[Self.fullKey(DescriptionKey.store(description.name))] = description.encoded
        }
        try write(changes, to: descriptions, in: transaction)
    }

    private func bindTables() throws {
        let system = SystemTable.allCases
        let databases = try lmdb.openDatabases(
            system.map(\.rawValue) + stores.map { "store.\($0.description.name)" })
        for (table, database) in zip(system, databases) {
            systemTables[table] = RecordTable(
                label: "table '\(table.rawValue)'", database: database, environment: lmdb)
        }
        for (store, database) in zip(stores, databases.dropFirst(system.count)) {
            let records = RecordTable(
                label: "store '\(store.description.name)'", database: database, environment: lmdb)
            storeTables[ObjectIdentifier(store)] = records
            store.bind(records, shared: shared) { [unowned self] in reclaim() }
        }
    }

    private func read(_ key: [UInt8], in table: RecordTable) throws -> [UInt8]? {
        try table.payload(Self.fullKey(key))
    }

    private func checkVersion(_ stored: [UInt8]) throws {
        let version = try Int64(bigEndianBytes: stored.span.bytes, as: "format version")
        guard version <= Limits.formatVersion else {
            throw StateError(
                .newerFormat,
                "The state in \(lmdb.label) has format \(version), but this version of "
                    + "StreamJobs knows formats up to \(Limits.formatVersion). Use a newer one.")
        }
    }

    private func description(_ stored: [UInt8], of store: String) throws -> StoreDescription {
        guard let found = StoreDescription(encoded: stored) else {
            throw StateError(
                .corrupted,
                "The description of store '\(store)' in \(lmdb.label) is damaged. "
                    + "Restore the state from a backup, or rebuild it.")
        }
        return found
    }

    private func incompatible(_ declared: StoreDescription, _ found: StoreDescription) -> StateError
    {
        let remedy =
            found.older == nil
            ? "Declare it as it was, give it a migration, give the store another name, or rebuild."
            : "Its migration has not ended: run the job with it until it has."
        return StateError(
            .incompatible,
            "Store '\(declared.name)' in \(lmdb.label) holds \(found), but the job declares "
                + "\(declared). \(remedy)")
    }
}
