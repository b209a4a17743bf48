// The state of one task: its stores, and the runner's tables beside them, committed as one.
// Opened, used and closed by the thread of the task's worker. It does not know what the system
// tables mean, nor that there are logs.

/// What an environment asks of a store, whatever its types.
package protocol EnvironmentStore: AnyObject {
    var description: StoreDescription { get }
    var dirtyCount: Int { get }
    func bind(_ table: RecordTable)
    func unbind()
    /// Does what is to be done once an interval; what it writes is part of the commit.
    func beforeCommit() throws
    /// Adds the encoded dirty entries; changes nothing in the store.
    func collectWrites(into batch: inout WriteBatch) throws
    /// What was collected is committed.
    func committed()
    /// Drops everything that is not committed.
    func rollback()
    /// Drops everything that is held in memory.
    func forget()
}

/// The state of one task.
package final class StateEnvironment {
    let backend: any StateBackend
    private(set) var stores: [any EnvironmentStore] = []
    var systemTables: [SystemTable: RecordTable] = [:]
    package internal(set) var isOpen = false

    /// An environment on disk. Nothing is touched before ``open()``.
    package convenience init(directory: String, settings: StateSettings = StateSettings()) {
        self.init(backend: LMDBBackend(directory: directory, settings: settings))
    }

    /// An environment in memory, for tests. The data lives as long as `state` does.
    package convenience init(inMemory state: MemoryState = MemoryState()) {
        self.init(backend: MemoryBackend(state))
    }

    package init(backend: any StateBackend) {
        self.backend = backend
    }

    deinit { close() }

    /// Adds a store, before the environment is opened. Names are unique.
    package func register(_ store: any EnvironmentStore) {
        precondition(!isOpen, "stores are registered before the environment is opened")
        let name = store.description.name
        precondition(
            !stores.contains { $0.description.name == name },
            "two stores of one task are called '\(name)'")
        stores.append(store)
    }

    /// Entries of all stores that the next commit writes; what the runner bounds.
    package var dirtyCount: Int { stores.reduce(0) { $0 + $1.dirtyCount } }

    /// The committed value of a key of a system table.
    package func get(_ table: SystemTable, key: [UInt8]) throws -> [UInt8]? {
        var found: [UInt8]?
        _ = try records(of: table).get(Self.fullKey(key).span.bytes) { _, payload in
            found = payload.copied
        }
        return found
    }

    /// All committed entries of a system table, ascending by key.
    package func entries(_ table: SystemTable) throws -> [(key: [UInt8], value: [UInt8])] {
        var entries: [(key: [UInt8], value: [UInt8])] = []
        try records(of: table).scan(from: [Limits.keyPrefix]) { fullKey, _, payload in
            entries.append((Array(fullKey.copied.dropFirst(Limits.keyPrefixBytes)), payload.copied))
            return true
        }
        return entries
    }

    /// Commits the dirty entries of all stores and the changes given, in one transaction. When it
    /// returns, they are durable, as far as the settings say. Of several changes of a key the last counts.
    ///
    /// If it throws and ``isUsable`` is false then, the environment must be closed and opened
    /// again, and tells by its data whether the commit happened. After every other error nothing
    /// has happened, and what was dirty is dirty still.
    package func commit(_ changes: [SystemChange]) throws {
        try backend.checkUsable()
        for store in stores { try store.beforeCommit() }
        var batch = WriteBatch()
        for store in stores { try store.collectWrites(into: &batch) }
        try collect(changes, into: &batch)
        if !batch.isEmpty {
            do {
                try backend.commit(batch)
            } catch {
                if !isUsable { forgetAll() }
                throw error
            }
        }
        for store in stores { store.committed() }
    }

    /// When it returns, all that was committed survives a power loss, whatever the durability.
    package func sync() throws { try backend.sync() }

    /// Drops everything that is not committed, in all stores.
    package func rollback() {
        for store in stores { store.rollback() }
    }

    /// False after a commit that may or may not have happened: only ``close()`` is left.
    package var isUsable: Bool {
        do {
            try backend.checkUsable()
            return true
        } catch {
            return false
        }
    }

    /// Ends the use of the environment and of its stores; drops what is not committed. It can be
    /// opened again.
    package func close() {
        for store in stores where isOpen { store.unbind() }
        systemTables = [:]
        isOpen = false
        backend.close()
    }

    private func forgetAll() {
        for store in stores { store.forget() }
    }

    private func records(of table: SystemTable) throws -> RecordTable {
        guard let records = systemTables[table] else {
            preconditionFailure("the table '\(table.rawValue)' is used between open and close")
        }
        return records
    }

    private func collect(_ changes: [SystemChange], into batch: inout WriteBatch) throws {
        for table in SystemTable.allCases {
            // The last change of a key wins; then ascending by key.
            var latest: [[UInt8]: [UInt8]?] = [:]
            for change in changes where change.table == table {
                latest.updateValue(change.value, forKey: Self.fullKey(change.key))
            }
            guard !latest.isEmpty else { continue }
            var writer = RecordWriter(table: try records(of: table), count: latest.count)
            for (fullKey, value) in latest.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) })
            {
                try writer.add(fullKey.span.bytes) { buffer in
                    guard let value else { return .none }
                    buffer.append(contentsOf: value)
                    return .bytes
                }
            }
            batch.add(try writer.finish())
        }
    }

    static func fullKey(_ key: [UInt8]) -> [UInt8] { [Limits.keyPrefix] + key }
}
