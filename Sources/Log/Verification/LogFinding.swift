// What a verification finds. Sentences and positions only: whoever asked for it prints them.

/// Something about the files of a log that is worth telling.
package struct LogFinding: Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        /// The files are not what was written.
        case damage
        /// An ordinary state that the next opening clears up: what a crash has torn or left behind.
        case note
    }

    package let kind: Kind
    /// The file, or the directory, that it is about.
    package let path: String
    /// A byte of the file, from 0.
    package let position: Int?
    /// The offset that is expected there.
    package let offset: Offset?
    /// What is wrong and what helps, as the end of a sentence that the path has begun.
    package let message: String

    init(kind: Kind, path: String, position: Int?, offset: Offset?, message: String) {
        self.kind = kind
        self.path = path
        self.position = position
        self.offset = offset
        // An error's sentence names its file, and that it is damaged, by itself.
        let beginnings = ["\(path) is damaged: ", "\(path) ", "the producer snapshot is damaged: "]
        let beginning = beginnings.first(where: message.hasPrefix)
        self.message = String(message.dropFirst(beginning?.count ?? 0))
    }

    package var description: String {
        var place = path
        if let position { place += " at byte \(position)" }
        if let offset { place += " (offset \(offset))" }
        return "\(place): \(message)"
    }
}

/// How much was looked at, and what was found.
package struct VerificationSummary: Sendable {
    package fileprivate(set) var partitionCount = 0
    package fileprivate(set) var segmentCount = 0
    package fileprivate(set) var batchCount = 0
    package fileprivate(set) var recordCount = 0
    /// Bytes of segments.
    package fileprivate(set) var byteCount = 0
    package fileprivate(set) var damageCount = 0
    package fileprivate(set) var noteCount = 0

    package init() {}

    mutating func add(_ finding: LogFinding) {
        switch finding.kind {
        case .damage: damageCount += 1
        case .note: noteCount += 1
        }
    }

    mutating func add(_ partition: PartitionCounts) {
        partitionCount += 1
        segmentCount += partition.segmentCount
        batchCount += partition.batchCount
        recordCount += partition.recordCount
        byteCount += partition.byteCount
    }
}

struct PartitionCounts {
    var segmentCount = 0
    var batchCount = 0
    var recordCount = 0
    var byteCount = 0
}
