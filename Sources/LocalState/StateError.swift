// The one error type of local state. C return codes become one in `check()` (LMDB/LMDBCheck.swift).

/// What went wrong with local state: a code to act on, and a sentence that names the object.
public struct StateError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What a caller can act on.
    public enum Code: Sendable, Hashable {
        /// The system refused an operation on a file; the number is `errno`.
        case io(errno: Int32)
        /// The disk is full. Nothing of the commit was applied.
        case noSpace
        /// The files may not be read or written by this user.
        case permissionDenied
        /// Stored bytes are not what was written.
        case corrupted
        /// Commits were not flushed, and the machine went down: stored bytes may be anything.
        case mayBeDamaged
        /// A store was declared with other types than its data has.
        case incompatible
        /// The data was written by a newer version of StreamJobs.
        case newerFormat
        /// This process has the same environment open already.
        case alreadyOpen
        /// A commit failed in such a way that it may have happened: reopen, read, then decide.
        case outcomeUnknown
        /// A key or a value is larger than a store takes.
        case tooLarge
    }

    public let code: Code
    /// One sentence or two: the object, its position, the remedy.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
