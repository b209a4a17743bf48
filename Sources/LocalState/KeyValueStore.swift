// A store: typed entries in front of a table of bytes. What an interval writes gathers decoded in a
// dictionary and is read back from there; the environment's commit encodes it once, in key order.
// Entries stay in the dictionary after the commit, clean, until there are too many.
// Not Sendable: a store is confined to the thread of its task.

/// What the value of an entry has become.
@frozen
@usableFromInline
enum EncodedValue {
    /// Bytes, which were appended.
    case bytes
    /// Null: a value without bytes.
    case null
    /// The entry is deleted.
    case none
}

/// A map from keys to values, ordered by key, that is committed with its task's input positions.
///
/// Reads see what was written before them, committed or not. All calls are made on the thread of
/// the task that owns the store, between its start and its close. They throw ``StateError``:
/// `.corrupted` where stored bytes are not what was written, `.outcomeUnknown` after a commit that
/// failed in such a way that it may have happened.
public final class KeyValueStore<Key: StoreKey, Value> {
    @usableFromInline
    struct Entry {
        /// nil: there is no entry for this key.
        @usableFromInline var value: Value?
        /// The interval in which it was written; 0 if it was read. It is dirty, that is, it may
        /// differ from what is committed, as long as this is the store's interval: a commit makes
        /// all entries clean by counting on.
        @usableFromInline var interval: Int

        @inlinable
        init(value: Value?, interval: Int) {
            self.value = value
            self.interval = interval
        }
    }

    /// The work of a commit on each dirty entry. Formed where the types are known, so that it
    /// specialises: through a protocol's witness it would run unspecialised, several times slower.
    @usableFromInline
    struct Encoders {
        /// Appends the bytes of a dirty key, by its place in `dirtyKeys`.
        @usableFromInline let key: (KeyValueStore, Int, inout [UInt8]) -> Void
        /// Appends the bytes of its value, if it has one.
        @usableFromInline let value: (KeyValueStore, Int, inout [UInt8]) throws -> EncodedValue

        @inlinable
        init(
            key: @escaping (KeyValueStore, Int, inout [UInt8]) -> Void,
            value: @escaping (KeyValueStore, Int, inout [UInt8]) throws -> EncodedValue
        ) {
            self.key = key
            self.value = value
        }
    }

    package let name: String
    package let version: Int
    /// What the store is to its users, as its description says.
    @usableFromInline package var kind = "key-value"
    /// Called at the beginning of every commit: what it writes is committed too.
    package var housekeeping: ((KeyValueStore) throws -> Void)?
    @usableFromInline let value: Serde<Value>
    let encoders: Encoders

    @usableFromInline var entries: [CachedKey<Key>: Entry] = [:]
    /// Counts the commits, from 1.
    @usableFromInline var interval = 1
    /// The keys of all dirty entries, in the order in which they became dirty.
    @usableFromInline var dirtyKeys: [Key] = []
    /// The first so many of them in key order: as far as a scan or a commit has asked for it.
    var orderedKeys = OrderedKeys()
    /// Encoded bytes that came into the dictionary since it was last emptied.
    @usableFromInline var cleanBytes = 0
    @usableFromInline let cleanBytesMax = Limits.cleanBytesMax
    @usableFromInline let cleanEntriesMax = Limits.cleanEntriesMax
    /// Counts writes, so that a scan notices those of its body.
    @usableFromInline var writeCount = 0
    @usableFromInline var table: RecordTable?

    /// A store that is not bound to data yet: register it with an environment, and open that.
    /// - Parameters:
    ///   - name: unique within the task.
    ///   - version: raise it when the meaning of the values changes, but not their serde's name.
    @inlinable
    public convenience init(name: String, value: Serde<Value>, version: Int = 1) {
        self.init(
            name: name, value: value, version: version,
            encoders: Encoders(
                key: { store, slot, buffer in
                    store.dirtyKeys[slot].encodeOrdered(into: &buffer)
                },
                value: { store, slot, buffer in
                    try store.encodeValue(of: store.dirtyKeys[slot], into: &buffer)
                }))
    }

    @usableFromInline
    init(name: String, value: Serde<Value>, version: Int, encoders: Encoders) {
        precondition(!name.isEmpty, "a store has a name")
        self.name = name
        self.value = value
        self.version = version
        self.encoders = encoders
    }

    /// The value of a key, or nil if it has none.
    @inlinable
    public func get(_ key: Key) throws -> Value? {
        if let entry = entries[CachedKey(key)] { return entry.value }
        return try load(key)
    }

    /// Sets the value of a key; committed with the next commit of the task.
    @inlinable
    public func put(_ key: Key, _ value: Value) throws {
        try write(key, Entry(value: value, interval: interval))
    }

    /// Removes a key and its value, if it has one; committed with the next commit of the task.
    @inlinable
    public func delete(_ key: Key) throws {
        try write(key, Entry(value: nil, interval: interval))
    }

    @inlinable
    func write(_ key: Key, _ entry: Entry) throws {
        let old = entries.updateValue(entry, forKey: CachedKey(key))
        try noteWrite(key, wasDirty: old?.interval == interval)
    }

    @inlinable
    func noteWrite(_ key: Key, wasDirty: Bool) throws {
        writeCount &+= 1
        guard !wasDirty else { return }
        do {
            try boundTable().checkUsable()
        } catch {
            entries[CachedKey(key)] = nil
            throw error
        }
        dirtyKeys.append(key)
    }

    @inlinable
    func encodeValue(of key: Key, into buffer: inout [UInt8]) throws -> EncodedValue {
        guard let entry = entries[CachedKey(key)], entry.interval == interval else {
            preconditionFailure("a dirty key has a dirty entry")
        }
        guard let newValue = entry.value else { return .none }
        guard !value.isNull(newValue) else { return .null }
        try value.encode(newValue, &buffer)
        return .bytes
    }

    @inlinable
    func load(_ key: Key) throws -> Value? {
        let table = boundTable()
        var fullKey = table.takeKeyBuffer()
        defer { table.giveBack(fullKey) }
        key.encodeOrdered(into: &fullKey)
        var found: Value?
        var byteCount = fullKey.count
        _ = try table.get(fullKey) { kind, payload in
            byteCount += payload.byteCount
            do {
                found = try decode(kind, payload)
            } catch {
                throw undecodable("value of key", fullKey, error)
            }
        }
        cleanBytes += byteCount
        if hasManyCleanEntries { dropCleanEntries() }
        entries[CachedKey(key)] = Entry(value: found, interval: 0)
        return found
    }

    @inlinable
    func boundTable() -> RecordTable {
        guard let table else { isUnbound() }
        return table
    }

    @usableFromInline
    func isUnbound() -> Never {
        preconditionFailure(
            "Store '\(name)' is used outside of its task's life: a task's init declares its "
                + "stores, and they can be read and written from its first record on.")
    }

    @inlinable
    func decode(_ kind: ValueKind, _ payload: RawSpan) throws -> Value {
        switch kind {
        case .value: return try value.decode(payload)
        case .null:
            guard let decodeNull = value.decodeNull else {
                throw SerdeError("null is not a value of \(value.name).")
            }
            return decodeNull()
        }
    }

    @usableFromInline
    func undecodable(_ what: String, _ fullKey: [UInt8], _ cause: any Error) -> StateError {
        let key = describeBytes(fullKey.dropFirst(Limits.keyPrefixBytes))
        return StateError(
            .incompatible,
            "Store '\(name)': the \(what) \(key) is intact but cannot be read: \(cause) If its "
                + "type has changed, give the store a new version and rebuild it.")
    }

    @inlinable
    var hasManyCleanEntries: Bool {
        entries.count - dirtyKeys.count > cleanEntriesMax || cleanBytes > cleanBytesMax
    }

    @usableFromInline
    func dropCleanEntries() {
        cleanBytes = 0
        if dirtyKeys.isEmpty {
            entries.removeAll(keepingCapacity: true)
        } else {
            entries = entries.filter { $0.value.interval == interval }
        }
    }
}

extension KeyValueStore: EnvironmentStore {
    package var description: StoreDescription {
        StoreDescription(
            name: name, kind: kind, keyCodec: Key.codecName, valueSerde: value.name,
            version: Int64(version))
    }

    package var dirtyCount: Int { dirtyKeys.count }

    package func beforeCommit() throws { try housekeeping?(self) }

    package func bind(_ table: RecordTable) {
        precondition(self.table == nil, "a store is registered with one environment")
        self.table = table
    }

    package func unbind() {
        forget()
        table = nil
    }

    package func collectWrites(into batch: inout WriteBatch) throws {
        guard !dirtyKeys.isEmpty else { return }
        orderDirtyKeys()
        var writer = RecordWriter(table: boundTable(), count: dirtyKeys.count)
        let ordered = orderedKeys
        for item in ordered.items {
            let fullKey = ordered.bytes.span.bytes.extracting(ordered.key(item))
            try writer.add(fullKey) { try encoders.value(self, item.slot, &$0) }
        }
        let writes = try writer.finish()
        cleanBytes += writes.bytes.count
        batch.add(writes)
    }

    package func committed() {
        interval += 1
        forgetDirtyKeys()
        if hasManyCleanEntries { dropCleanEntries() }
    }

    package func rollback() {
        writeCount &+= 1
        for key in dirtyKeys { entries[CachedKey(key)] = nil }
        forgetDirtyKeys()
    }

    package func forget() {
        writeCount &+= 1
        entries = [:]
        cleanBytes = 0
        forgetDirtyKeys()
    }

    private func forgetDirtyKeys() {
        dirtyKeys.removeAll(keepingCapacity: true)
        orderedKeys.removeAll()
    }

    /// Brings all dirty keys into key order.
    func orderDirtyKeys() {
        orderedKeys.insert(slots: orderedKeys.count..<dirtyKeys.count) { slot, buffer in
            encoders.key(self, slot, &buffer)
        }
    }
}
