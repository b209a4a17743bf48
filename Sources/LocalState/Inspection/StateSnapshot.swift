// The state of one task as its last commit has left it, for whoever is not the task: read beside the
// running job, without its code, and whatever the file has become. The stores are found by their descriptions.
// Belongs to one thread.

/// A store as it is described in the state itself.
package struct InspectedStore: Sendable, Hashable {
    package let description: StoreDescription
    /// Entries in the tree: less than the store's own where keys of more than 510 bytes share one.
    package let entries: UInt64
    /// Bytes of its pages.
    package let bytes: UInt64
    let tree: TreeRecord
}

/// What is stored under a key.
package struct InspectedEntry: Sendable, Hashable {
    /// Without the prefix.
    package let key: [UInt8]
    /// nil stands for null.
    package let payload: [UInt8]?
}

/// The state of one task as of one commit.
package final class StateSnapshot {
    package let directory: String
    /// By name.
    package private(set) var stores: [InspectedStore] = []
    /// LMDB's number of the commit.
    package var transaction: UInt64 { file.meta.transaction }
    /// Bytes of the file, free pages included.
    package var fileBytes: Int { file.data.byteCount }
    let file: InspectedFile
    /// The records of all databases, by name.
    private(set) var trees: [String: TreeRecord] = [:]

    /// nil where nothing was ever committed. Throws `.corrupted`, `.newerFormat`, `.permissionDenied`, `.io`, and
    /// `.alreadyOpen` if this process has the state open.
    package convenience init?(directory: String) throws {
        guard let file = try InspectedFile(directory: directory) else { return nil }
        try self.init(directory, file)
    }

    init(_ directory: String, _ file: InspectedFile) throws {
        self.directory = directory
        self.file = file
        var cursor = TreeCursor(file.meta.main, in: file)
        var isPlaced = try cursor.first()
        while isPlaced {
            let name = String(decoding: cursor.key, as: UTF8.self)
            let record = try cursor.value()
            guard cursor.isDatabase, record.count == TreeRecord.byteCount else {
                throw file.data.damaged("its database '\(name)' is none")
            }
            trees[name] = TreeRecord(record, at: 0)
            isPlaced = try cursor.next()
        }
        stores = try readDescriptions()
    }

    deinit { close() }

    /// Lets the commit go. Nothing may be read after it.
    package func close() { file.close() }

    /// Whether the task has committed since: then it cannot reuse what it frees until this is closed.
    package var isOverwritten: Bool { get throws { try file.isOverwritten } }

    /// Bytes of the table of a store or of the runner's tables.
    func table(_ database: String) -> TreeRecord? { trees[database] }

    // MARK: Descriptions

    private func readDescriptions() throws -> [InspectedStore] {
        guard let tree = trees["stores"] else { return [] }
        var stores: [InspectedStore] = []
        try scan(tree, "table 'stores'", from: nil, to: nil, order: .ascending) { entry in
            guard let payload = entry.payload else { return true }
            if entry.key.elementsEqual("format".utf8) {
                try checkFormat(payload)
            } else if entry.key.starts(with: "store.".utf8) {
                guard let description = StoreDescription(encoded: payload) else {
                    throw file.data.damaged("the description of a store is none")
                }
                stores.append(store(description))
            }
            return true
        }
        return stores
    }

    private func store(_ description: StoreDescription) -> InspectedStore {
        let tree = trees["store." + description.name] ?? .empty
        return InspectedStore(
            description: description, entries: tree.entries,
            bytes: tree.pages &* UInt64(file.data.pageBytes), tree: tree)
    }

    private func checkFormat(_ bytes: [UInt8]) throws {
        let version = try Int64(bigEndianBytes: bytes.span.bytes, as: "format version")
        guard version <= Limits.formatVersion else {
            throw StateError(
                .newerFormat,
                "The state in \(directory) has format \(version), but this version of StreamJobs knows "
                    + "formats up to \(Limits.formatVersion). Use a newer one.")
        }
    }

    // MARK: Reading

    /// The value of a key of a system table.
    package func get(_ table: SystemTable, key: [UInt8]) throws -> [UInt8]? {
        guard let tree = trees[table.rawValue] else { return nil }
        return try find(tree, "table '\(table.rawValue)'", key: key)?.payload
    }

    /// All entries of a system table, ascending by key.
    package func entries(_ table: SystemTable) throws -> [InspectedEntry] {
        var entries: [InspectedEntry] = []
        guard let tree = trees[table.rawValue] else { return [] }
        try scan(tree, "table '\(table.rawValue)'", from: nil, to: nil, order: .ascending) {
            entries.append($0)
            return true
        }
        return entries
    }

    /// The entry of an encoded key, or nil.
    package func get(_ store: InspectedStore, key: [UInt8]) throws -> InspectedEntry? {
        try find(store.tree, "store '\(store.description.name)'", key: key)
    }

    /// Hands entries to `body` in the order of their keys until it returns false: from `from` on, before `to`;
    /// nil stands for no bound.
    package func scan(
        _ store: InspectedStore, from: [UInt8]? = nil, to: [UInt8]? = nil,
        order: ScanOrder = .ascending, _ body: (InspectedEntry) throws -> Bool
    ) throws {
        try scan(
            store.tree, "store '\(store.description.name)'", from: from, to: to, order: order, body)
    }

    private func find(_ tree: TreeRecord, _ label: String, key: [UInt8]) throws -> InspectedEntry? {
        let fullKey = [Limits.keyPrefix] + key
        let stored =
            KeyEncoding.isCut(fullKeyCount: fullKey.count)
            ? fullKey.withUnsafeBytes { KeyEncoding.cut($0) } : fullKey
        var cursor = TreeCursor(tree, in: file)
        guard try cursor.seek(stored[...]), cursor.key.elementsEqual(stored) else { return nil }
        return try entries(at: cursor, label).first { $0.key == key }
    }

    private func scan(
        _ tree: TreeRecord, _ label: String, from: [UInt8]?, to: [UInt8]?, order: ScanOrder,
        _ body: (InspectedEntry) throws -> Bool
    ) throws {
        let lower = [Limits.keyPrefix] + (from ?? [])
        let upper = to.map { [Limits.keyPrefix] + $0 }
        let isAscending = order == .ascending
        var cursor = TreeCursor(tree, in: file)
        var isPlaced = try isAscending ? place(&cursor, at: lower) : place(&cursor, before: upper)
        while isPlaced {
            let lead = [UInt8](cursor.key.prefix(Limits.keyLeadBytes))
            if isAscending {
                if let upper, upper.prefix(Limits.keyLeadBytes).precedes(lead) { return }
            } else if lead.precedes(lower.prefix(Limits.keyLeadBytes)) {
                return
            }
            // Keys with the same first bytes lie together, but those that were cut not in order.
            var run: [InspectedEntry] = []
            repeat {
                run += try entries(at: cursor, label)
                isPlaced = try isAscending ? cursor.next() : cursor.previous()
            } while isPlaced && lead.count == Limits.keyLeadBytes && cursor.key.starts(with: lead)
            run.removeAll { entry in
                from.map { entry.key.precedes($0) } ?? false
                    || to.map { !entry.key.precedes($0) } ?? false
            }
            if run.count > 1 {
                run.sort { isAscending ? $0.key.precedes($1.key) : $1.key.precedes($0.key) }
            }
            for entry in run where try !body(entry) { return }
        }
    }

    private func place(_ cursor: inout TreeCursor, at lower: [UInt8]) throws -> Bool {
        try cursor.seek(lower.prefix(Limits.keyLeadBytes))
    }

    /// On the last stored key that may hold a full key below the bound.
    private func place(_ cursor: inout TreeCursor, before upper: [UInt8]?) throws -> Bool {
        guard var bound = upper else { return try cursor.last() }
        if bound.count > Limits.keyLeadBytes {
            // Everything with its lead may be below it: begin behind all of that.
            let lead = Array(bound.prefix(Limits.keyLeadBytes))
            guard let end = KeyBounds.end(ofPrefix: lead) else { return try cursor.last() }
            bound = end
        }
        return try cursor.seek(bound[...]) ? try cursor.previous() : try cursor.last()
    }

    /// The entries of the stored key that the cursor is at.
    private func entries(at cursor: TreeCursor, _ label: String) throws -> [InspectedEntry] {
        let key = Array(cursor.key)
        let value = try cursor.value()
        if let entries = StoredValue.copies(key: key, value: value) { return entries }
        try file.checkUnchanged()
        throw StateError(
            .corrupted,
            "\(label) in \(directory): the value of key \(describeBytes(key.dropFirst())) is damaged: its "
                + "checksum does not match. Restore the state from a backup, or rebuild it.")
    }
}
