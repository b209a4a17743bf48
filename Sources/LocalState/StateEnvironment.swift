// The state of one task: its stores, and the runner's tables beside them, committed as one.
// Opened, used and closed by the thread of the task's worker. It does not know what the system
// tables mean, nor that there are logs.

/// What an environment asks of a store, whatever its types.
package protocol EnvironmentStore: AnyObject {
    var description: StoreDescription { get }
    /// The store as users see it, if they see another than this one.
    var owner: AnyObject? { get }
    var hasDirtyEntries: Bool { get }
    /// Gives the store its data; `reclaim` drops clean entries of all stores.
    func bind(
        _ records: RecordTable, shared: UnsafeMutablePointer<SharedFields>,
        reclaim: @escaping () -> Void)
    func unbind()
    /// How its data becomes that of this declaration, if it was declared so.
    func migration(from stored: StoreDescription) -> EntryMigration?
    /// Tells which generation entries are written in, and, if there may be entries of the other one, what
    /// the data's description says of them.
    func begin(generation: UInt8, olderThan stored: StoreDescription?)
    var generation: UInt8 { get }
    /// Whether the next commit writes the last entries of an older version.
    var hasMigrated: Bool { get }
    /// That commit has happened.
    func endMigration()
    /// Does what is to be done once an interval; what it writes is part of the commit.
    func beforeCommit() throws
    /// Puts the dirty entries in order; changes nothing that can be seen.
    func prepareCommit()
    /// Writes the dirty entries; changes nothing in the store. It may be called again after a failure.
    func writeDirtyEntries(to writer: RecordWriter) throws
    /// What was written is committed.
    func committed()
    /// Drops everything that is not committed.
    func rollback()
    func rollbackToSavepoint()
    /// Drops clean entries.
    func dropClean()
    /// Drops everything, and takes nothing until it is unbound.
    func refuseUse()
}

/// The state of one task.
package final class StateEnvironment {
    let lmdb: LMDBEnvironment
    private(set) var stores: [any EnvironmentStore] = []
    var systemTables: [SystemTable: RecordTable] = [:]
    var storeTables: [ObjectIdentifier: RecordTable] = [:]
    /// What the data of the stores was written as, by their names.
    var descriptions: RecordTable?
    package internal(set) var isOpen = false
    /// Allocated with the environment, freed with it; no store points to it by then.
    let shared: UnsafeMutablePointer<SharedFields>

    /// An environment on disk. Nothing is touched before ``open()``.
    package init(directory: String, settings: StateSettings = StateSettings()) {
        lmdb = LMDBEnvironment(directory: directory, settings: settings)
        shared = .allocate(capacity: 1)
        shared.initialize(to: SharedFields(reclaimBytes: settings.memoryBytesMax))
    }

    deinit {
        close()
        shared.deallocate()
    }

    /// Adds a store, before the environment is opened. Names are unique.
    package func register(_ store: any EnvironmentStore) {
        precondition(!isOpen, "stores are registered before the environment is opened")
        let name = store.description.name
        precondition(
            !stores.contains { $0.description.name == name },
            "two stores of one task are called '\(name)'")
        stores.append(store)
    }

    // MARK: Memory

    /// Bytes that the entries in memory take, dirty and clean, over all stores; an estimate where values do not
    /// tell their size. What LMDB itself takes within a commit is not in it.
    package var memoryBytes: Int { shared.pointee.memoryBytes }

    /// Bytes of what the next commit writes, and of what it needs to put that in order. Cheap to ask.
    package var dirtyBytes: Int { shared.pointee.dirtyBytes }

    /// Beyond so many ``dirtyBytes`` the owner should commit: only a commit lets them go.
    package var dirtyBytesMax: Int { lmdb.settings.memoryBytesMax / Limits.dirtyPart }

    /// Drops clean entries of all stores. Where what is left is near the bound already, the next time is put
    /// off: dropping must not happen with every entry.
    func reclaim() {
        for store in stores { store.dropClean() }
        shared.pointee.reclaimBytes = max(
            lmdb.settings.memoryBytesMax, shared.pointee.memoryBytes * 9 / 8)
    }

    // MARK: Reading

    /// The committed value of a key of a system table.
    package func get(_ table: SystemTable, key: [UInt8]) throws -> [UInt8]? {
        try records(of: table).payload(Self.fullKey(key))
    }

    /// All committed entries of a system table, ascending by key.
    package func entries(_ table: SystemTable) throws -> [(key: [UInt8], value: [UInt8])] {
        var entries: [(key: [UInt8], value: [UInt8])] = []
        let records = try records(of: table)
        let scan = try records.beginScan(from: [Limits.keyPrefix], to: nil, order: .ascending)
        defer { records.endScan(scan) }
        while true {
            let count = try scan.fill()
            if count == 0 { return entries }
            for number in 0..<count {
                let entry = scan.chunk[number]
                entries.append(([UInt8](entry.key), [UInt8](entry.payload)))
            }
        }
    }

    /// Commits the dirty entries of all stores and the changes given, in one transaction. When it
    /// returns, they are durable, as far as the settings say. Of several changes of a key the last counts.
    ///
    /// If it throws and ``isUsable`` is false then, the environment must be closed and opened
    /// again, and tells by its data whether the commit happened. After every other error nothing
    /// has happened, and what was dirty is dirty still.
    package func commit(_ changes: [SystemChange]) throws {
        try lmdb.checkUsable()
        for store in stores { try store.beforeCommit() }
        let dirty = stores.filter(\.hasDirtyEntries)
        let migrated = stores.filter(\.hasMigrated)
        if !dirty.isEmpty || !changes.isEmpty || !migrated.isEmpty {
            for store in dirty { store.prepareCommit() }
            do {
                // Run again with a larger map where this one is full.
                try lmdb.write("the commit of \(lmdb.label)") { transaction in
                    for store in dirty {
                        guard let records = storeTables[ObjectIdentifier(store)] else {
                            preconditionFailure("a store is used between open and close")
                        }
                        try write(to: records, in: transaction) {
                            try store.writeDirtyEntries(to: $0)
                        }
                    }
                    try write(changes, in: transaction)
                    try describe(migrated, in: transaction)
                }
            } catch {
                if !isUsable { for store in stores { store.refuseUse() } }
                throw error
            }
        }
        for store in stores { store.committed() }
        for store in migrated { store.endMigration() }
        shared.pointee.reclaimBytes = lmdb.settings.memoryBytesMax
        if memoryBytes > shared.pointee.reclaimBytes { reclaim() }
    }

    /// When it returns, all that was committed survives a power loss, whatever the durability.
    package func sync() throws { try lmdb.sync() }

    /// Drops everything that is not committed, in all stores.
    package func rollback() {
        for store in stores { store.rollback() }
    }

    /// False after a commit that may or may not have happened: only ``close()`` is left.
    package var isUsable: Bool { lmdb.isUsable }

    // MARK: Savepoints

    /// From now on ``rollbackToSavepoint()`` goes back to here. Only the last savepoint is kept, and only until
    /// the next commit. Cheap: nothing is done before something is written.
    package func savepoint() { shared.pointee.savepoint += 1 }

    /// Undoes what was written to all stores since the last ``savepoint()``.
    package func rollbackToSavepoint() {
        for store in stores { store.rollbackToSavepoint() }
    }

    /// Ends the use of the environment and of its stores; drops what is not committed. It can be
    /// opened again.
    package func close() {
        for store in stores where storeTables[ObjectIdentifier(store)] != nil { store.unbind() }
        for table in systemTables.values { table.close() }
        systemTables = [:]
        storeTables = [:]
        descriptions?.close()
        descriptions = nil
        isOpen = false
        lmdb.close()
    }

    private func records(of table: SystemTable) throws -> RecordTable {
        guard let records = systemTables[table] else {
            preconditionFailure("the table '\(table.rawValue)' is used between open and close")
        }
        return records
    }

    private func write(_ changes: [SystemChange], in transaction: LMDBEnvironment.Transaction)
        throws
    {
        for table in SystemTable.allCases {
            // The last change of a key wins; then ascending by key.
            var latest: [[UInt8]: [UInt8]?] = [:]
            for change in changes where change.table == table {
                latest.updateValue(change.value, forKey: Self.fullKey(change.key))
            }
            guard !latest.isEmpty else { continue }
            try write(latest, to: try records(of: table), in: transaction)
        }
    }

    /// Writes entries by full key; nil deletes.
    func write(
        _ entries: [[UInt8]: [UInt8]?], to records: RecordTable,
        in transaction: LMDBEnvironment.Transaction
    ) throws {
        try write(to: records, in: transaction) { writer in
            for (fullKey, value) in entries.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) })
            {
                guard let value else {
                    try writer.delete(fullKey)
                    continue
                }
                var buffer = fullKey + [ValueKind.value.rawValue] + value
                try writer.put(&buffer, keyCount: fullKey.count)
            }
        }
    }

    func write(
        to records: RecordTable, in transaction: LMDBEnvironment.Transaction,
        _ body: (RecordWriter) throws -> Void
    ) throws {
        let writer = try RecordWriter(records, transaction)
        defer { writer.close() }
        try body(writer)
    }

    static func fullKey(_ key: [UInt8]) -> [UInt8] { [Limits.keyPrefix] + key }
}
