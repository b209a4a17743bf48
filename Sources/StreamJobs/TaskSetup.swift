public import LocalState

/// Where a task declares what it needs, in its `init`. Nothing is opened yet: a store can be used from the
/// first record on.
public struct TaskSetup: ~Copyable {
    /// The partition number that the task will read.
    public let partition: Int
    @usableFromInline let declarations: Declarations

    @usableFromInline
    package final class Declarations {
        package private(set) var stores: [any EnvironmentStore] = []
        /// The event time of the task, once there is one.
        package let clock = StoreClock()
        /// A store asks for it.
        package private(set) var isTimeAsked = false

        package init() {}

        /// The clock of a store whose entries expire.
        @usableFromInline
        func askForTime() -> StoreClock {
            isTimeAsked = true
            return clock
        }

        @usableFromInline
        func add<Key: StoreKey, Value>(_ store: KeyValueStore<Key, Value>) throws {
            guard !stores.contains(where: { $0.description.name == store.description.name }) else {
                throw JobError(.refused, "the store '\(store.description.name)' is declared twice")
            }
            stores.append(store)
        }
    }

    package init(partition: Int, _ declarations: Declarations) {
        self.partition = partition
        self.declarations = declarations
    }

    /// A store of this task, kept on the disk and committed with its positions.
    /// - Parameters:
    ///   - name: Unique within the task.
    ///   - key: The type of the keys, which is found out where the store's type is written down.
    ///   - value: How values are kept.
    ///   - version: Raise it when the serde or the meaning of the values changes; data of another version
    ///     is refused, unless it is migrated.
    ///   - migrating: How values of older versions become values of this one.
    @inlinable
    public func store<Key: StoreKey, Value>(
        _ name: String, key: Key.Type = Key.self, value: Serde<Value>, version: Int = 1,
        migrating migrations: [StoreMigration<Value>] = []
    ) throws -> KeyValueStore<Key, Value> {
        let store = KeyValueStore<Key, Value>(
            name: name, value: value, version: version, migrating: migrations)
        try declarations.add(store)
        return store
    }

    /// A store of this task whose entries are gone after a time of their own, by event time.
    /// - Parameters:
    ///   - name: Unique within the task.
    ///   - key: The type of the keys, which is found out where the store's type is written down.
    ///   - value: How values are kept.
    ///   - timeToLive: How long an entry lives that is put without a time of its own. It may be changed:
    ///     entries keep the time that they were put with.
    ///   - version: Raise it when the serde or the meaning of the values changes; data of another version
    ///     is refused, unless it is migrated.
    ///   - migrating: How values of older versions become values of this one.
    @inlinable
    public func expiringStore<Key: StoreKey, Value>(
        _ name: String, key: Key.Type = Key.self, value: Serde<Value>, timeToLive: Duration,
        version: Int = 1,
        migrating migrations: [StoreMigration<Value>] = []
    ) throws -> ExpiringStore<Key, Value> {
        let store = ExpiringStore<Key, Value>(
            name: name, value: value, timeToLive: timeToLive, clock: declarations.askForTime(),
            version: version, migrating: migrations)
        try declarations.add(store.entries)
        return store
    }

    /// A store of this task with a value for each key and window of event time.
    /// - Parameters:
    ///   - name: Unique within the task.
    ///   - key: The type of the keys, which is found out where the store's type is written down.
    ///   - value: How values are kept.
    ///   - retention: How far event time goes on from a window's start until the window is gone: as long
    ///     as a window is and as records may be late for it, at least. It may be changed.
    ///   - version: Raise it when the serde or the meaning of the values changes; data of another version
    ///     is refused, unless it is migrated.
    ///   - migrating: How values of older versions become values of this one.
    @inlinable
    public func windowStore<Key: StoreKey, Value>(
        _ name: String, key: Key.Type = Key.self, value: Serde<Value>, retention: Duration,
        version: Int = 1,
        migrating migrations: [StoreMigration<Value>] = []
    ) throws -> WindowStore<Key, Value> {
        let store = WindowStore<Key, Value>(
            name: name, value: value, retention: retention, clock: declarations.askForTime(),
            version: version, migrating: migrations)
        try declarations.add(store.entries)
        return store
    }

    /// A store of this task with a value for each session of a key.
    /// - Parameters:
    ///   - name: Unique within the task.
    ///   - key: The type of the keys, which is found out where the store's type is written down.
    ///   - value: How values are kept.
    ///   - retention: How far event time goes on from a session's end until the session is gone: as long
    ///     as the gap between sessions and as records may be late, at least. It may be changed.
    ///   - version: Raise it when the serde or the meaning of the values changes; data of another version
    ///     is refused, unless it is migrated.
    ///   - migrating: How values of older versions become values of this one.
    @inlinable
    public func sessionStore<Key: StoreKey, Value>(
        _ name: String, key: Key.Type = Key.self, value: Serde<Value>, retention: Duration,
        version: Int = 1,
        migrating migrations: [StoreMigration<Value>] = []
    ) throws -> SessionStore<Key, Value> {
        let store = SessionStore<Key, Value>(
            name: name, value: value, retention: retention, clock: declarations.askForTime(),
            version: version, migrating: migrations)
        try declarations.add(store.entries)
        return store
    }

    /// A store of this task with a list of values for each key, in the order of their times: one side of
    /// a join, kept for the other.
    /// - Parameters:
    ///   - name: Unique within the task.
    ///   - key: The type of the keys, which is found out where the store's type is written down.
    ///   - value: How values are kept.
    ///   - retention: How far event time goes on from a value's time until the value is gone: as far as
    ///     the two sides of the join may be apart and records may be late, at least. It may be changed.
    ///   - version: Raise it when the serde or the meaning of the values changes; data of another version
    ///     is refused, unless it is migrated.
    ///   - migrating: How values of older versions become values of this one.
    @inlinable
    public func bufferStore<Key: StoreKey, Value>(
        _ name: String, key: Key.Type = Key.self, value: Serde<Value>, retention: Duration,
        version: Int = 1,
        migrating migrations: [StoreMigration<Value>] = []
    ) throws -> BufferStore<Key, Value> {
        let store = BufferStore<Key, Value>(
            name: name, value: value, retention: retention, clock: declarations.askForTime(),
            version: version, migrating: migrations)
        try declarations.add(store.entries)
        return store
    }
}
