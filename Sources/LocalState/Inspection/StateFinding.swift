// What a verification finds, and what it has looked at.

/// Something that is not as it should be.
package struct StateFinding: Sendable, Hashable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        /// Data that are lost, or not what was written.
        case damage
        /// Worth knowing; nothing is lost.
        case note
    }

    package let kind: Kind
    package let path: String
    /// The page of the file, where it is about one.
    package let page: UInt64?
    /// The store or table, where it is about one.
    package let table: String?
    package let message: String

    package var description: String {
        let page = page.map { " page \($0)" } ?? ""
        let table = table.map { ", \($0)" } ?? ""
        return "\(path)\(page)\(table): \(message)"
    }
}

/// What a verification has looked at.
package struct StateVerificationSummary: Sendable, Hashable {
    package var pages: UInt64 = 0
    package var stores = 0
    package var entries: UInt64 = 0
    package var damages = 0
    package var notes = 0

    package init() {}

    package static func += (sum: inout Self, other: Self) {
        sum.pages += other.pages
        sum.stores += other.stores
        sum.entries += other.entries
        sum.damages += other.damages
        sum.notes += other.notes
    }
}
