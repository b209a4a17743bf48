// The tables that the runner keeps beside the stores and changes in the same transaction.
// What their keys and values mean is the runner's business.

/// A table of the runner in an environment.
package enum SystemTable: String, CaseIterable, Sendable, Hashable {
    /// Next input offsets.
    case offsets
    /// Timers and watermarks.
    case timers
    /// The commit record.
    case commit
}

/// One change of a system table, applied by the environment's next commit.
package struct SystemChange: Sendable, Hashable {
    package var table: SystemTable
    /// Of any length, none included.
    package var key: [UInt8]
    /// nil deletes the entry; it need not exist.
    package var value: [UInt8]?

    package init(_ table: SystemTable, key: [UInt8], value: [UInt8]?) {
        self.table = table
        self.key = key
        self.value = value
    }
}
