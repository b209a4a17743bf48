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
            try checkFormat()
            try bindTables()
            isOpen = true
        } catch {
            close()
            throw error
        }
    }

    /// Compares format and store descriptions, and writes those that are missing.
    private func checkFormat() throws {
        let database = try lmdb.openDatabases(["stores"])[0]
        let table = RecordTable(label: "table 'stores'", database: database, environment: lmdb)
        var missing: [[UInt8]: [UInt8]?] = [:]
        if let format = try read(DescriptionKey.format, in: table) {
            try checkVersion(format)
        } else {
            var version: [UInt8] = []
            Limits.formatVersion.appendBigEndian(to: &version)
            missing[Self.fullKey(DescriptionKey.format)] = version
        }
        for store in stores {
            let declared = store.description
            let key = DescriptionKey.store(declared.name)
            if let stored = try read(key, in: table) {
                try check(declared, against: stored)
            } else {
                missing[Self.fullKey(key)] = declared.encoded
            }
        }
        guard !missing.isEmpty else { return }
        try lmdb.write("describing the stores of \(lmdb.label)") { transaction in
            try write(missing, to: table, in: transaction)
        }
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

    private func check(_ declared: StoreDescription, against stored: [UInt8]) throws {
        guard let found = StoreDescription(encoded: stored) else {
            throw StateError(
                .corrupted,
                "The description of store '\(declared.name)' in \(lmdb.label) is damaged. "
                    + "Restore the state from a backup, or rebuild it.")
        }
        guard found == declared else {
            throw StateError(
                .incompatible,
                "Store '\(declared.name)' in \(lmdb.label) holds \(found), but the job declares "
                    + "\(declared). Declare it as it was, give the store another name, or rebuild.")
        }
    }
}
