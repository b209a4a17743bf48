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

        package init() {}

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
    ///   - version: Raise it when the meaning of the values changes; an older store is then refused.
    @inlinable
    public func store<Key: StoreKey, Value>(
        _ name: String, key: Key.Type = Key.self, value: Serde<Value>, version: Int = 1
    ) throws -> KeyValueStore<Key, Value> {
        let store = KeyValueStore<Key, Value>(name: name, value: value, version: version)
        try declarations.add(store)
        return store
    }
}
