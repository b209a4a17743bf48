// A store: typed entries in front of a table of bytes. What an interval writes gathers decoded in memory
// (Entries/) and is read back from there; the environment's commit encodes it once, in key order.
// Entries stay in memory after the commit, clean, until there are too many.
// Not Sendable: a store is confined to the thread of its task.

/// A map from keys to values, ordered by key, that is committed with its task's input positions.
///
/// Reads see what was written before them, committed or not. All calls are made on the thread of
/// the task that owns the store, between its start and its close. They throw ``StateError``:
/// `.corrupted` where stored bytes are not what was written, `.outcomeUnknown` after a commit that
/// failed in such a way that it may have happened.
public final class KeyValueStore<Key: StoreKey, Value> {
    /// What is done to each of many entries. Formed where the types are known, so that it specialises:
    /// through a protocol's witness it would run unspecialised, several times slower.
    @usableFromInline
    struct Work {
        /// Brings what became dirty since the last time into key order.
        @usableFromInline let orderDirty: (KeyValueStore) -> Void
        /// Writes what is dirty.
        @usableFromInline
        let writeDirty: (KeyValueStore, [SortItem], KeyBytes, RecordWriter) throws -> Void
        /// Makes the table anew with the dirty entries only.
        @usableFromInline let dropClean: (KeyValueStore) -> Void

        @inlinable
        init(
            orderDirty: @escaping (KeyValueStore) -> Void,
            writeDirty:
                @escaping (KeyValueStore, [SortItem], KeyBytes, RecordWriter) throws -> Void,
            dropClean: @escaping (KeyValueStore) -> Void
        ) {
            self.orderDirty = orderDirty
            self.writeDirty = writeDirty
            self.dropClean = dropClean
        }
    }

    package let name: String
    package let version: Int
    /// What the store is to its users, as its description says.
    @usableFromInline package var kind = "key-value"
    /// The store as users see it, if they see another than this one.
    @usableFromInline package weak var owner: AnyObject?
    /// Called at the beginning of every commit: what they write is committed too.
    package var housekeeping: [(KeyValueStore) throws -> Void] = []
    let migrations: [StoreMigration<Value>]
    /// The generation that entries are written in: 0 or ``ValueKind/generationBit``.
    @usableFromInline package var generation: UInt8 = 0
    /// Makes a value of an entry of the other generation, while there are any.
    var older: ((ValueKind, UnsafeRawBufferPointer) throws -> Value?)?
    var lazyMigration: LazyMigration?
    /// Counts what took back uncommitted writes.
    var rollbackCount = 0
    @usableFromInline let serde: Serde<Value>
    let work: Work
    /// Allocated with the store, freed with it.
    @usableFromInline let fields: UnsafeMutablePointer<TableFields>
    /// What `fields` points to while the store belongs to no environment.
    let ownShared: UnsafeMutablePointer<SharedFields>
    @usableFromInline let order = DirtyOrder(width: Key.orderedWidth)
    @usableFromInline var records: RecordTable?
    var reclaimAll: (() -> Void)?
    /// Adds what was added blindly to what is committed; set by the first blind addition.
    @usableFromInline var merge: ((_ committed: Value?, _ added: Value) -> Value)?

    /// A store that is not bound to data yet: register it with an environment, and open that.
    /// - Parameters:
    ///   - name: unique within the task.
    ///   - version: raise it when the meaning of the values changes, but not their serde's name.
    ///   - migrating: how entries of older versions become entries of this one.
    @inlinable
    public convenience init(
        name: String, value: Serde<Value>, version: Int = 1,
        migrating migrations: [StoreMigration<Value>] = []
    ) {
        self.init(
            name: name, value: value, version: version, migrating: migrations,
            slotBytes: EntryTable<Key, Value>.slotBytes,
            work: Work(
                orderDirty: { $0.orderDirtyEntries() },
                writeDirty: { try $0.writeDirtyEntries($1, $2, to: $3) },
                dropClean: { $0.dropCleanEntries() }))
    }

    @usableFromInline
    init(
        name: String, value: Serde<Value>, version: Int, migrating: [StoreMigration<Value>],
        slotBytes: Int, work: Work
    ) {
        precondition(!name.isEmpty, "a store has a name")
        self.name = name
        self.serde = value
        self.version = version
        migrations = migrating
        self.work = work
        ownShared = .allocate(capacity: 1)
        ownShared.initialize(to: SharedFields(reclaimBytes: .max))
        fields = .allocate(capacity: 1)
        fields.initialize(to: TableFields(slotBytes: slotBytes, shared: ownShared))
    }

    deinit {
        dropUndo()
        undo.deallocate()
        table.free()
        fields.pointee.dirtySlots.deallocate()
        fields.deallocate()
        ownShared.deallocate()
    }

    @inlinable
    var table: EntryTable<Key, Value> { EntryTable(fields) }

    // MARK: Reading and writing

    /// The value of a key, or nil if it has none.
    @inlinable
    public func get(_ key: Key) throws -> Value? {
        let table = self.table
        let hash = table.hash(key)
        let index = table.find(key, hash)
        if index >= 0 {
            let meta = table.meta(index)
            if meta & EntryFlags.isKnown != 0 {
                return meta & EntryFlags.hasValue != 0 ? table.value(index).pointee : nil
            }
        }
        return try load(key, hash)
    }

    /// Sets the value of a key; committed with the next commit of the task.
    @inlinable
    public func put(_ key: Key, _ value: Value) throws {
        let index = try slotToWrite(key)
        write(index, value)
    }

    /// Removes a key and its value, if it has one; committed with the next commit of the task.
    @inlinable
    public func delete(_ key: Key) throws {
        let table = self.table
        let index = try slotToWrite(key)
        let meta = table.meta(index)
        account(index, meta, nil)
        if meta & EntryFlags.hasValue != 0 { table.value(index).deinitialize(count: 1) }
        table.markDirty(index, meta, flags: EntryFlags.isKnown)
    }

    /// The slot of a key that is about to be written; it may hold nothing yet.
    @inlinable
    @inline(__always)
    func slotToWrite(_ key: Key) throws -> Int {
        if !fields.pointee.isWritable { try refuseWrite() }
        let table = self.table
        let hash = table.hash(key)
        let index = table.find(key, hash)
        if fields.pointee.shared.pointee.savepoint != 0 { noteUndo(key, index) }
        return index >= 0 ? index : insert(key, hash)
    }

    @inlinable
    @inline(__always)
    func insert(_ key: Key, _ hash: UInt32) -> Int {
        if !PayloadSize<Key>.isInline { accountKey(key) }
        return table.insert(key, hash)
    }

    /// Sets the value of a slot, which is dirty then.
    @inlinable
    @inline(__always)
    func write(_ index: Int, _ value: Value) {
        let table = self.table
        let meta = table.meta(index)
        account(index, meta, value)
        if meta & EntryFlags.hasValue != 0 {
            table.value(index).pointee = value
        } else {
            table.value(index).initialize(to: value)
        }
        table.markDirty(index, meta, flags: EntryFlags.hasValue | EntryFlags.isKnown)
    }

    // MARK: Loading

    /// Reads a key that is not known in memory, and keeps what was found.
    @inlinable
    func load(_ key: Key, _ hash: UInt32) throws -> Value? {
        let records = boundRecords()
        if Key.orderedWidth > 0 {
            // The prefix byte and at most eight bytes of key, as they lie in memory.
            let bits = key.orderedBits
            let words = (
                (UInt64(KeyPrefix.byte) << 56 | bits >> 8).bigEndian, (bits << 56).bigEndian
            )
            return try withUnsafeBytes(of: words) { bytes in
                let fullKey = UnsafeRawBufferPointer(rebasing: bytes[..<(1 + Key.orderedWidth)])
                return remember(key, hash, try found(records.find(fullKey), fullKey))
            }
        }
        var buffer = records.takeKeyBuffer()
        defer { records.giveBack(buffer) }
        key.encodeOrdered(into: &buffer)
        return try buffer.withUnsafeBytes { fullKey in
            remember(key, hash, try found(records.find(fullKey), fullKey))
        }
    }

    @inlinable
    @inline(__always)
    func found(_ entry: RawEntry?, _ fullKey: UnsafeRawBufferPointer) throws -> Value? {
        guard let entry else { return nil }
        do {
            return try decode(entry.kind, entry.payload)
        } catch { throw undecodable("value of key", fullKey, error) }
    }

    /// Keeps what is committed of a key; gives its value, with what was added blindly.
    @inlinable
    func remember(_ key: Key, _ hash: UInt32, _ committed: Value?) -> Value? {
        precondition(fields.pointee.isWritable, "a store is read within its commit: by a serde?")
        let table = self.table
        // A serde's `decode` may have used the store: look again.
        var index = table.find(key, hash)
        if index < 0 { index = insert(key, hash) }
        let meta = table.meta(index)
        if meta & EntryFlags.isKnown != 0 {
            return meta & EntryFlags.hasValue != 0 ? table.value(index).pointee : nil
        }
        var value = committed
        if meta & EntryFlags.hasValue != 0 {
            let sum = merged(committed, table.value(index).pointee)
            table.value(index).pointee = sum
            value = sum
            table.setMeta(index, meta | EntryFlags.isKnown)
        } else if let committed {
            account(index, meta, committed)
            table.value(index).initialize(to: committed)
            table.setMeta(index, meta | EntryFlags.isKnown | EntryFlags.hasValue)
        } else {
            table.setMeta(index, meta | EntryFlags.isKnown)
        }
        if fields.pointee.shared.pointee.memoryBytes > fields.pointee.shared.pointee.reclaimBytes {
            reclaim()
        }
        return value
    }

    @inlinable
    func merged(_ committed: Value?, _ added: Value) -> Value {
        guard let merge else { preconditionFailure("a blind addition sets how to add") }
        return merge(committed, added)
    }

    @inlinable
    @inline(__always)
    func decode(_ kind: ValueKind, _ payload: UnsafeRawBufferPointer) throws -> Value? {
        if kind.rawValue == generation { return try serde.decode(payload.bytes) }
        return try decodeOther(kind, payload)
    }

    /// A null, or a value of an older version: nil if the migration leaves it out.
    @usableFromInline
    func decodeOther(_ kind: ValueKind, _ payload: UnsafeRawBufferPointer) throws -> Value? {
        if kind.generation == generation { return try serde.decode(kind, payload) }
        guard let older else {
            throw SerdeError("it is of another version, and no migration is going on.")
        }
        return try older(kind, payload)
    }

    // MARK: What goes wrong

    @inlinable
    func boundRecords() -> RecordTable {
        guard let records else { isUnbound() }
        return records
    }

    @usableFromInline
    func isUnbound() -> Never {
        preconditionFailure(
            "Store '\(name)' is used outside of its task's life: a task's init declares its "
                + "stores, and they can be read and written from its first record on.")
    }

    /// A write to a store that takes none.
    @usableFromInline
    func refuseWrite() throws {
        try boundRecords().checkUsable()
        preconditionFailure("store '\(name)' is written within its commit: by a serde, perhaps")
    }

    @usableFromInline
    func undecodable(
        _ what: String, _ fullKey: UnsafeRawBufferPointer, _ cause: any Error
    ) -> StateError {
        let key = describeBytes(fullKey.dropFirst(Limits.keyPrefixBytes))
        return StateError(
            .incompatible,
            "Store '\(name)': the \(what) \(key) is intact but cannot be read: \(cause) If its "
                + "type has changed, give the store a new version and rebuild it.")
    }
}
