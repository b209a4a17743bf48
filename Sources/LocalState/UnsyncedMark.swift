// A note beside the states of a job: its commits are not flushed. LMDB without flushes survives the end of its
// process, since what it wrote is the system's by then; when the system goes down, pages of several commits may
// be on the disk and others not. So the note holds which start of the system (boot) it was made in:
//
//   none                 the states are on the disk
//   of this boot         what the states hold is right, and perhaps not on the disk yet
//   of another boot      the machine went down in between: the states may be damaged
//
// File `unsynced`: the boot's id as text, replaced as a whole.

import Glibc

/// The note in one directory. Used by one thread at a time.
package struct UnsyncedMark {
    package static let fileName = "unsynced"

    private let directory: String
    private let boot: String

    package init(directory: String) throws {
        self.directory = directory
        boot = try Self.read("/proc/sys/kernel/random/boot_id") ?? ""
    }

    private var path: String { "\(directory)/\(Self.fileName)" }

    /// Whether states there may not be on the disk. Throws `.mayBeDamaged` for a note of another boot.
    package func isSet() throws -> Bool {
        guard let noted = try Self.read(path) else { return false }
        guard noted == boot else {
            throw StateError(
                .mayBeDamaged,
                "The state in \(directory) was not flushed (durability process-crash) when the "
                    + "machine went down, and may be damaged. Rebuild it from its sources, or restore "
                    + "it from a backup.")
        }
        return true
    }

    /// When it returns the note is on the disk, and with it the directory's name.
    package func set() throws {
        guard try !isSet() else { return }
        guard !boot.isEmpty else {
            throw StateError(
                .io(errno: ENOENT),
                "The system does not tell its boot's id: the durability process-crash cannot be had."
            )
        }
        try StateDirectory.create(directory)
        let temporary = path + ".tmp"
        try Self.write(boot, to: temporary)
        guard rename(temporary, path) == 0 else { throw error(of: errno, "rename to \(path)") }
        try StateDirectory.sync(directory)
    }

    /// Takes the note away, once all states there are on the disk.
    package func clear() throws {
        guard unlink(path) == 0 || errno == ENOENT else {
            throw error(of: errno, "unlink of \(path)")
        }
        try StateDirectory.sync(directory)
    }

    private static func write(_ text: String, to path: String) throws {
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw error(of: errno, "open of \(path)") }
        defer { Glibc.close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw error(of: errno == 0 ? ENOSPC : errno, "write to \(path)")
        }
        guard fsync(descriptor) == 0 else { throw error(of: errno, "fsync of \(path)") }
    }

    /// The first line of a small file; nil if there is none.
    private static func read(_ path: String) throws -> String? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT { return nil }
        guard descriptor >= 0 else { throw error(of: errno, "open of \(path)") }
        defer { Glibc.close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw error(of: errno, "read of \(path)") }
        return String(decoding: bytes.prefix(count).prefix { $0 != 0x0A }, as: UTF8.self)
    }
}
