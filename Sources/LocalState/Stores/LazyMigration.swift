// Migration while a store is used. Each entry says of which of two generations it is (the bit 2 of its kind),
// and the store's description says which one is written now, and from which version the other one's entries
// are. So each entry can be read whenever the job has stopped, and nothing but its own bytes tells how.
//
//     opened with another version   description: generation g → 1 - g, migrating from the older version
//     read                          an entry of the other generation goes through the migration
//     written                       always of this generation
//     each commit                   some entries of the other one are written again, in the order of keys
//     all were seen                 the same commit takes the older version out of the description

/// Writes the entries of an older version again, some in each commit.
@usableFromInline
final class LazyMigration {
    /// The lowest encoded key that was not looked at yet.
    fileprivate var next: [UInt8] = []
    /// Rollbacks of the store when it was begun: each takes back what was written and is not committed.
    fileprivate var rollbackCount = 0
    /// Whether no entry of the older version is left when the store's dirty entries are committed.
    fileprivate(set) var isDone = false
}

extension KeyValueStore {
    package var hasMigrated: Bool { lazyMigration?.isDone ?? false }

    package func endMigration() {
        lazyMigration = nil
        older = nil
    }

    /// Part of the work before each commit.
    func migrateSome(_ migration: LazyMigration) throws {
        if migration.rollbackCount != rollbackCount {
            migration.rollbackCount = rollbackCount
            migration.next.removeAll()
            migration.isDone = false
        }
        guard !migration.isDone else { return }
        let limit = max(
            Limits.sweepEntriesMin, Limits.sweepEntriesPerWrite * fields.pointee.dirtyCount)
        var old: [Key] = []
        let hasEnded = try lookAtCommitted(from: &migration.next, limit: limit) { entry in
            if entry.kind.generation != generation { old.append(try decodeKey(entry)) }
        }
        for key in old {
            // What is dirty already is written by this commit.
            guard case .same = try written(key) else { continue }
            if let value = try get(key) { try put(key, value) } else { try delete(key) }
        }
        migration.isDone = hasEnded
    }
}
