// Up to where each compacted partition was cleaned, in Kafka's file. It saves work only: without it a
// partition is cleaned from its start, and if it names an offset that is too high that is noticed
// (`StaleCleanerOffset`).

enum CleanerOffsets {
    static let fileName = "/cleaner-offset-checkpoint"

    /// Empty where there is none. One that is damaged counts as none.
    static func read(_ directory: String, in files: FileSystem, notify: (String) -> Void) throws
        -> [TopicPartition: Offset]
    {
        do {
            return try CheckpointFile.readOffsets(directory + fileName, in: files)
        } catch let error as LogError where error.code == .corrupted {
            notify("\(error.message); it is made again")
            return [:]
        }
    }

    /// When it returns the offsets survive a power loss.
    static func write(
        _ offsets: [TopicPartition: Offset], to directory: String, in files: FileSystem
    ) throws {
        try CheckpointFile.writeOffsets(offsets, to: directory + fileName, in: files)
    }
}
