// What an environment needs of the thing that keeps its bytes: LMDB, or memory in tests.
// Keys here are bytes of 1 to 511, values any bytes; what they mean is decided above.
// A backend is used by one thread at a time: its task's worker.

/// A named database of a backend: the position of its name in the order of opening.
package struct DatabaseID: Hashable, Sendable {
    package let index: Int
}

/// Ordered byte tables with snapshots for reading and one atomic commit for writing.
///
/// `open` comes first, then `openDatabases`; after `close` a backend may be opened again.
package protocol StateBackend: AnyObject {
    /// What error messages call it: the directory.
    var label: String { get }

    /// Makes the data accessible, creating it if there is none.
    func open(databaseCountMax: Int) throws

    /// Opens databases by name, creating those that do not exist; in the order of the names.
    func openDatabases(_ names: [String]) throws -> [DatabaseID]

    /// Throws `.outcomeUnknown` if a commit failed in such a way that it may have happened.
    func checkUsable() throws

    /// Hands the value of a key to `body`, in the state of the last commit. The span ends with the
    /// call. Returns false, without calling it, if there is no such key.
    func get(_ database: DatabaseID, key: RawSpan, _ body: (RawSpan) throws -> Void) throws -> Bool

    /// Hands keys and values to `body` in the order of their bytes, from the first key that is not
    /// less than `key`, until it returns false; in one snapshot. No commit may happen meanwhile.
    func scan(
        _ database: DatabaseID, from key: RawSpan,
        _ body: (_ key: RawSpan, _ value: RawSpan) throws -> Bool
    ) throws

    /// Applies all writes or none; as durable as its settings say when it returns.
    func commit(_ batch: borrowing WriteBatch) throws

    /// When it returns, all that was committed survives a power loss.
    func sync() throws

    /// Ends all use. Nothing that was not committed remains.
    func close()
}
