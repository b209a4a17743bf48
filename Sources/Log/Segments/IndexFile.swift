// One index of one segment. While the segment is appended to, its entries are in memory; afterwards they
// are looked up in the file, which is checked as a whole before it is first believed.

/// Guarded by its segment's lock.
enum SegmentIndex<Entry: IndexEntry> {
    case memory(IndexEntries<Entry>)
    case file(IndexDigest, File?)

    init(_ digest: IndexDigest) { self = .file(digest, nil) }

    /// The last entry for which `isAtOrBefore` holds; it holds for all entries up to some point. Throws
    /// `DamagedIndex` where the file is not what was written.
    mutating func last(
        in path: String, _ files: FileSystem, where isAtOrBefore: (Entry) -> Bool
    ) throws -> Entry? {
        switch self {
        case .memory(let entries): return entries.last(where: isAtOrBefore)
        case .file(let digest, let file):
            guard digest.count > 0 else { return nil }
            let checked = try file ?? Self.check(path, digest, files)
            self = .file(digest, checked)
            var low = 0
            var high = digest.count
            var found: Entry?
            while low < high {
                let middle = (low + high) / 2
                let entry = try Self.entry(middle, of: checked)
                if isAtOrBefore(entry) {
                    found = entry
                    low = middle + 1
                } else {
                    high = middle
                }
            }
            return found
        }
    }

    /// All entries, from the file if need be.
    func all(in path: String, _ files: FileSystem) throws -> [Entry] {
        switch self {
        case .memory(let entries): return entries.entries
        case .file(let digest, _):
            guard let entries = try IndexEntries<Entry>(path, digest, in: files) else {
                throw DamagedIndex(path: path)
            }
            return entries.entries
        }
    }

    /// Opens the file, where there is one to look things up in. One that is damaged is not opened: whoever
    /// looks something up will notice.
    mutating func open(_ path: String, _ files: FileSystem) throws {
        guard case .file(let digest, nil) = self, digest.count > 0 else { return }
        do {
            self = .file(digest, try Self.check(path, digest, files))
        } catch is DamagedIndex { return }
    }

    mutating func close() {
        guard case .file(let digest, _) = self else { return }
        self = .file(digest, nil)
    }

    private static func check(_ path: String, _ digest: IndexDigest, _ files: FileSystem) throws
        -> File
    {
        guard try IndexEntries<Entry>(path, digest, in: files) != nil else {
            throw DamagedIndex(path: path)
        }
        return try File(path, .readOnly, in: files)
    }

    private static func entry(_ index: Int, of file: File) throws -> Entry {
        var bytes = [UInt8](repeating: 0, count: Entry.byteCount)
        let entry = try bytes.withUnsafeMutableBytes { bytes in
            let count = try file.read(into: bytes, at: index * Entry.byteCount)
            return count < Entry.byteCount ? nil : Entry(UnsafeRawBufferPointer(bytes))
        }
        guard let entry else { throw DamagedIndex(path: file.path) }
        return entry
    }
}

/// An index file is not what was written. Whoever meets it makes the index anew from the segment.
struct DamagedIndex: Error {
    let path: String
}
