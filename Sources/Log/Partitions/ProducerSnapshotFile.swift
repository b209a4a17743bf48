// Where snapshots of producer states lie: `<20 digits of the next offset>.snapshot`, as in Kafka.

enum ProducerSnapshotFile {
    static let suffix = ".snapshot"

    static func path(_ directory: String, _ offset: Offset) -> String {
        directory + "/" + Segment.fileName(offset, suffix)
    }

    /// Nil where there is none, or a damaged one: the states are made from the batches then.
    static func read(_ directory: String, _ offset: Offset, in files: FileSystem) throws
        -> ProducerStates?
    {
        guard let bytes = try files.bytes(of: path(directory, offset)) else { return nil }
        do {
            return try bytes.withUnsafeBytes { try ProducerStates(snapshot: $0) }
        } catch let error as LogError where error.code == .corrupted {
            return nil
        }
    }
}
