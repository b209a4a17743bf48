// `backup.json`: what a backup holds and which log it belongs to. Written last, so that a directory with it is
// whole.

import FoundationEssentials
import LocalState
import StreamJobsLog

/// What a backup holds.
package struct BackupManifest: Codable, Sendable, Equatable {
    /// A task's state.
    package struct Task: Codable, Sendable, Equatable {
        package let name: String
        package let commit: Int64
        package let bytes: Int
        /// CRC-32C of `<task>/data.mdb`.
        package let checksum: UInt32
        package let positions: [Position]
    }

    /// Where a task is in an input, internal ones included.
    package struct Position: Codable, Sendable, Equatable {
        package let topic: String
        package let topicID: String
        package let partition: Int
        /// The number of the task that has written it; 0 for a source.
        package let upstream: UInt32
        package let offset: Int64
        package let leaderEpoch: Int32
    }

    static let fileName = "backup.json"
    static let newestVersion = 1

    package let version: Int
    package let job: String
    /// Milliseconds since 1970.
    package let time: Int64
    package let tasks: [Task]

    init(job: String, tasks: [Task]) {
        version = Self.newestVersion
        self.job = job
        time = Timestamp.now().milliseconds
        self.tasks = tasks
    }

    /// Throws `refused` where the directory holds no whole backup, or one of a newer version.
    package init(directory: String) throws {
        let path = "\(directory)/\(Self.fileName)"
        guard let data = FileManager.default.contents(atPath: path) else {
            throw JobError(
                .refused,
                "\(directory) holds no backup: there is no \(Self.fileName), which is written last")
        }
        guard let manifest = try? JSONDecoder().decode(Self.self, from: data) else {
            throw JobError(.refused, "\(path) is damaged; use another backup")
        }
        guard manifest.version <= Self.newestVersion else {
            throw JobError(
                .refused,
                "\(path) is of version \(manifest.version), written by a newer version; use that one"
            )
        }
        self = manifest
    }

    /// Flushed when it returns.
    func write(to directory: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(self) + Data("\n".utf8)
        let file = try LockFile("\(directory)/\(Self.fileName)")
        try file.writeAll([UInt8](data))
        try StateCopy.syncDirectory(directory)
    }
}

extension BackupManifest.Position {
    init(_ key: PositionKey, _ stored: StoredPosition) {
        topic = stored.topic
        topicID = key.topicID.description
        partition = Int(key.partition.rawValue)
        upstream = key.upstream
        offset = stored.position.offset.rawValue
        leaderEpoch = stored.leaderEpoch
    }
}
