// One index of one segment. While the segment is appended to, its entries are in memory; afterwards they
// are looked up in the file, which is checked as a whole before it is first believed.

/// Guarded by its segment's lock.
enum SegmentIndex<Entry: IndexEntry> {
    case memory(IndexEntries<Entry>)
    case file(IndexDigest, CheckedIndex<Entry>)

    init(_ digest: IndexDigest) { self = .file(digest, CheckedIndex()) }

    /// How many entries there are.
    var count: Int {
        switch self {
        case .memory(let entries): entries.entries.count
        case .file(let digest, _): digest.count
        }
    }

    /// The last entry for which `isAtOrBefore` holds, and the one behind it; it holds for all entries up to
    /// some point. Throws `DamagedIndex` where the file is not what was written.
    mutating func entries(
        around isAtOrBefore: (Entry) -> Bool, in path: String, _ files: FileSystem
    ) throws -> (last: Entry?, next: Entry?) {
        switch self {
        case .memory(let index):
            let next = index.entries.partitionPoint(whereNot: isAtOrBefore)
            return (
                next > 0 ? index.entries[next - 1] : nil,
                next < index.entries.count ? index.entries[next] : nil
            )
        case .file(let digest, var checked):
            guard digest.count > 0 else { return (nil, nil) }
            let file = try checked.open(path, digest, files)
            self = .file(digest, checked)
            var (low, high) = (0, digest.count)
            var found: (last: Entry?, next: Entry?) = (nil, nil)
            while low < high {
                let middle = (low + high) / 2
                let entry = try Self.entry(middle, of: file)
                if isAtOrBefore(entry) {
                    found.last = entry
                    low = middle + 1
                } else {
                    found.next = entry
                    high = middle
                }
            }
            return found
        }
    }

    /// All entries, from the file if need be. Throws `DamagedIndex`.
    func all(in path: String, _ files: FileSystem) throws -> [Entry] {
        switch self {
        case .memory(let index): return index.entries
        case .file(let digest, let checked):
            if let entries = checked.entries { return entries }
            guard let entries = try IndexEntries<Entry>(path, digest, in: files) else {
                throw DamagedIndex(path: path)
            }
            return entries.entries
        }
    }

    /// As `all`; those of a file stay in memory until it is closed.
    mutating func kept(in path: String, _ files: FileSystem) throws -> [Entry] {
        let entries = try all(in: path, files)
        if case .file(let digest, var checked) = self {
            checked.entries = entries
            self = .file(digest, checked)
        }
        return entries
    }

    /// Opens the file, where there is one to look things up in. One that is damaged is not opened: whoever
    /// looks something up will notice.
    mutating func open(_ path: String, _ files: FileSystem) throws {
        guard case .file(let digest, var checked) = self, digest.count > 0 else { return }
        do {
            _ = try checked.open(path, digest, files)
            self = .file(digest, checked)
        } catch is DamagedIndex { return }
    }

    /// It is opened again when it is next needed.
    mutating func close() {
        guard case .file(let digest, var checked) = self else { return }
        checked.file = nil
        checked.entries = nil
        self = .file(digest, checked)
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

extension SegmentIndex {
    /// Only of a segment that is appended to.
    mutating func append(_ entry: Entry) {
        guard case .memory(var entries) = self else {
            preconditionFailure("a sealed segment is not appended to")
        }
        self = SegmentIndex(IndexDigest())
        entries.append(entry)
        self = .memory(entries)
    }

    mutating func markWritten(_ count: Int) {
        guard case .memory(let entries) = self else { return }
        self = .memory(IndexEntries(entries.entries, writtenCount: count))
    }

    mutating func write(to path: String, isOptional: Bool, in files: FileSystem) throws
        -> IndexDigest
    {
        switch self {
        case .file(let digest, _): return digest
        case .memory(var entries):
            let digest = try entries.write(to: path, isOptional: isOptional, in: files)
            self = .memory(entries)
            return digest
        }
    }
}

/// What is open of an index file, and what is known of it when it is closed.
struct CheckedIndex<Entry: IndexEntry> {
    var file: File?
    /// Where they are kept.
    var entries: [Entry]?
    /// The file that was checked: it is opened again without.
    fileprivate var identity: FileIdentity?

    mutating func open(_ path: String, _ digest: IndexDigest, _ files: FileSystem) throws -> File {
        if let file { return file }
        let identity = try files.status(of: path)?.identity
        if identity == nil || identity != self.identity {
            guard try IndexEntries<Entry>(path, digest, in: files) != nil else {
                throw DamagedIndex(path: path)
            }
        }
        let file = try File(path, .readOnly, in: files)
        self.file = file
        self.identity = identity
        return file
    }
}

/// An index file is not what was written. Whoever meets it makes the index anew from the segment.
struct DamagedIndex: Error {
    let path: String
}

extension Array {
    /// The first index for which `isBefore` does not hold, the end if it holds for all; it holds for all
    /// elements up to some point.
    func partitionPoint(whereNot isBefore: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
