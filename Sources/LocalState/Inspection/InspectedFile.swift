// `data.mdb` of one commit, kept as it was while the task's process goes on.

/// A file of LMDB as one commit has left it.
final class InspectedFile {
    let path: String
    let data: DataFile
    let meta: DataFile.Meta
    private let pin: SnapshotPin?

    /// nil where there is no file, or nothing was ever committed to it. Throws `.corrupted` where the file has
    /// not the two pages that say what the rest is.
    init?(directory: String) throws {
        path = directory + "/data.mdb"
        // LMDB maps the file, so that it is looked at before.
        guard let before = try DataFile.openCommitted(path: path) else { return nil }
        (pin, meta) = try Self.pin(directory, before)
        // Opened again: what the commit has written is within the length that it has now.
        guard let data = try DataFile.openCommitted(path: path) else { return nil }
        self.data = data
    }

    /// The last commit, pinned if the lock file may be written.
    private static func pin(
        _ directory: String, _ file: borrowing DataFile
    ) throws -> (SnapshotPin?, DataFile.Meta) {
        for _ in 0..<Limits.pinTriesMax {
            guard let pin = try SnapshotPin(directory) else { return (nil, try file.newestMeta()) }
            if let meta = try file.meta(ofTransaction: pin.number) { return (pin, meta) }
            // Two commits since it was pinned have written over what it says of itself.
            pin.release()
        }
        throw file.damaged("its last commit is not the one that LMDB has read")
    }

    func close() { pin?.release() }

    /// Whether the task's process has committed since.
    var isOverwritten: Bool {
        get throws { try data.newestMeta().transaction != meta.transaction }
    }

    /// Whether pages that were read may be others already. Never while they are pinned.
    func checkUnchanged() throws {
        guard pin == nil, try isOverwritten else { return }
        throw StateError(
            .permissionDenied,
            "\(path) has changed while it was read, and without permission to write the lock file beside "
                + "it no commit can be kept; give this user that permission, or read a backup.")
    }

    /// Names file and page in what `body` finds wrong.
    func naming<R>(_ page: UInt64, _ body: () throws -> R) throws -> R {
        do {
            return try body()
        } catch let fault as PageFault {
            try checkUnchanged()
            throw data.damaged("page \(page): \(fault.message)")
        }
    }
}
