// State in memory with the semantics of the one on disk: ordered, snapshots, atomic commits. For
// the test kit. The data belongs to a `MemoryState`, which outlives the environments opened on it,
// so that tests can end a task and begin it again.

/// The data of an environment in memory: what its directory is to one on disk.
package final class MemoryState {
    struct Entry {
        var key: [UInt8]
        var value: [UInt8]
    }

    /// Ascending by key.
    var databases: [String: [Entry]] = [:]
    var isOpen = false

    package init() {}
}

/// State in memory.
package final class MemoryBackend: StateBackend {
    package let label = "memory"
    private let state: MemoryState
    private var names: [String] = []
    private var scanCount = 0
    private var isOpen = false

    package init(_ state: MemoryState) {
        self.state = state
    }

    deinit { close() }

    package func open(databaseCountMax: Int) throws {
        precondition(!isOpen, "state is opened once")
        guard !state.isOpen else {
            throw StateError(.alreadyOpen, "The state in memory is already open.")
        }
        state.isOpen = true
        isOpen = true
    }

    package func openDatabases(_ names: [String]) throws -> [DatabaseID] {
        let first = self.names.count
        for name in names where state.databases[name] == nil { state.databases[name] = [] }
        self.names += names
        return (first..<self.names.count).map { DatabaseID(index: $0) }
    }

    package func checkUsable() throws {}

    package func get(
        _ database: DatabaseID, key: RawSpan, _ body: (RawSpan) throws -> Void
    ) throws -> Bool {
        let entries = entries(database)
        let index = Self.firstIndex(in: entries, notLessThan: key)
        guard index < entries.count, entries[index].key.order(against: key) == 0 else {
            return false
        }
        let value = entries[index].value
        try body(value.span.bytes)
        return true
    }

    package func scan(
        _ database: DatabaseID, from key: RawSpan, _ body: (RawSpan, RawSpan) throws -> Bool
    ) throws {
        scanCount += 1
        defer { scanCount -= 1 }
        let entries = entries(database)
        for entry in entries[Self.firstIndex(in: entries, notLessThan: key)...] {
            guard try body(entry.key.span.bytes, entry.value.span.bytes) else { return }
        }
    }

    package func sync() throws {}

    package func commit(_ batch: borrowing WriteBatch) throws {
        precondition(scanCount == 0, "state is not committed within a scan")
        for writes in batch.databases {
            let old = entries(writes.database)
            state.databases[names[writes.database.index]] = Self.merge(old, writes)
        }
    }

    package func close() {
        precondition(scanCount == 0, "state is not closed within a scan")
        if isOpen { state.isOpen = false }
        isOpen = false
        names = []
    }

    private func entries(_ database: DatabaseID) -> [MemoryState.Entry] {
        precondition(isOpen, "state is used between open and close")
        return state.databases[names[database.index]] ?? []
    }

    private static func firstIndex(in entries: [MemoryState.Entry], notLessThan key: RawSpan) -> Int
    {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].key.order(against: key) < 0 {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    private static func merge(
        _ old: [MemoryState.Entry], _ writes: WriteBatch.DatabaseWrites
    ) -> [MemoryState.Entry] {
        var merged: [MemoryState.Entry] = []
        merged.reserveCapacity(old.count + writes.writes.count)
        var position = 0
        for write in writes.writes {
            let key = Array(writes.bytes[writes.key(of: write)])
            var order = -1
            while position < old.count {
                order = old[position].key.order(against: key)
                guard order < 0 else { break }
                merged.append(old[position])
                position += 1
            }
            if position < old.count, order == 0 { position += 1 }
            if let range = writes.value(of: write) {
                merged.append(MemoryState.Entry(key: key, value: Array(writes.bytes[range])))
            }
        }
        merged.append(contentsOf: old[position...])
        return merged
    }
}
