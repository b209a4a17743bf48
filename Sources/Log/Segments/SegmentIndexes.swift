// The three files beside a segment's `.log`, in Kafka's formats. All of them follow from the batches of
// the segment alone, and are made anew from them, byte for byte, where they are damaged or missing.
// All integers big-endian; relative offsets are counted from the segment's base offset.
//
//  .index      (Kafka: OffsetIndex)       relative last offset of a batch  4 │ its position  4
//  .timeindex  (Kafka: TimeIndex)         largest timestamp so far  8 │ relative offset  4
//  .txnindex   (Kafka: TransactionIndex)  version (0)  2 │ producer id  8 │ first offset  8 │
//                                         last offset (of the marker)  8 │ last stable offset  8
//
// `.index` gets an entry at the first batch that begins more than an index interval behind the last entry,
// and `.timeindex` one with it if the largest timestamp has risen; a segment that is sealed ends its
// `.timeindex` with its largest timestamp.

import StreamJobsChecksum

/// An entry of `.index`: the batch at `position` ends with this offset.
struct OffsetEntry: Equatable {
    static let byteCount = 8
    let relativeOffset: UInt32
    let position: UInt32
}

/// An entry of `.timeindex`: no record up to the batch that ends with this offset is later.
struct TimeEntry: Equatable {
    static let byteCount = 12
    let timestamp: Int64
    let relativeOffset: UInt32
}

/// An entry that is written as it is laid out above.
protocol IndexEntry: Equatable, Sendable {
    static var byteCount: Int { get }
    static var fileSuffix: String { get }
    /// - Parameter bytes: `byteCount` bytes. Nil where they cannot be an entry.
    init?(_ bytes: UnsafeRawBufferPointer)
    func write(to pointer: UnsafeMutableRawPointer)
}

extension OffsetEntry: IndexEntry {
    static let fileSuffix = ".index"
    init?(_ bytes: UnsafeRawBufferPointer) {
        relativeOffset = bytes.loadBigEndian(UInt32.self, at: 0)
        position = bytes.loadBigEndian(UInt32.self, at: 4)
    }
    func write(to pointer: UnsafeMutableRawPointer) {
        pointer.storeBigEndian(relativeOffset, at: 0)
        pointer.storeBigEndian(position, at: 4)
    }
}

extension TimeEntry: IndexEntry {
    static let fileSuffix = ".timeindex"
    init?(_ bytes: UnsafeRawBufferPointer) {
        timestamp = bytes.loadBigEndian(Int64.self, at: 0)
        relativeOffset = bytes.loadBigEndian(UInt32.self, at: 8)
    }
    func write(to pointer: UnsafeMutableRawPointer) {
        pointer.storeBigEndian(timestamp, at: 0)
        pointer.storeBigEndian(relativeOffset, at: 8)
    }
}

extension AbortedTransaction: IndexEntry {
    static let byteCount = 34
    static let version: Int16 = 0
    static let fileSuffix = ".txnindex"
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.loadBigEndian(Int16.self, at: 0) == Self.version else { return nil }
        let offsets = [10, 18, 26].map { bytes.loadBigEndian(Int64.self, at: $0) }
        guard offsets.allSatisfy({ $0 >= 0 }), offsets[0] <= offsets[1] else { return nil }
        producerID = bytes.loadBigEndian(Int64.self, at: 2)
        first = Offset(offsets[0])
        last = Offset(offsets[1])
        lastStable = Offset(offsets[2])
    }
    func write(to pointer: UnsafeMutableRawPointer) {
        pointer.storeBigEndian(Self.version, at: 0)
        pointer.storeBigEndian(producerID, at: 2)
        pointer.storeBigEndian(first.rawValue, at: 10)
        pointer.storeBigEndian(last.rawValue, at: 18)
        pointer.storeBigEndian(lastStable.rawValue, at: 26)
    }
}

/// What a manifest knows of an index file: how many entries, and their checksum.
struct IndexDigest: Equatable {
    var count = 0
    var crc: UInt32 = 0
}

/// The entries of one index, in memory, and how many of them are in its file.
struct IndexEntries<Entry: IndexEntry> {
    private(set) var entries: [Entry] = []
    /// Entries that are in the file already.
    private(set) var writtenCount = 0

    init() {}

    /// - Parameter writtenCount: How many of them are in the file, at its beginning.
    init(_ entries: [Entry], writtenCount: Int = 0) {
        self.entries = entries
        self.writtenCount = writtenCount
    }

    mutating func append(_ entry: Entry) { entries.append(entry) }

    /// Nil unless the file begins with exactly the entries that `digest` was made of. What lies behind
    /// them was written after it, and is made again.
    init?(_ path: String, _ digest: IndexDigest, in files: FileSystem) throws {
        guard digest.count > 0 else { return }
        guard let bytes = try files.bytes(of: path),
            bytes.count >= digest.count * Entry.byteCount
        else { return nil }
        let isSame = bytes.withUnsafeBytes { bytes in
            let bytes = UnsafeRawBufferPointer(rebasing: bytes[..<(digest.count * Entry.byteCount)])
            guard CRC32C.checksum(bytes) == digest.crc else { return false }
            entries.reserveCapacity(digest.count)
            for index in 0..<digest.count {
                let start = index * Entry.byteCount
                let entry = Entry(
                    UnsafeRawBufferPointer(rebasing: bytes[start..<start + Entry.byteCount]))
                guard let entry else { return false }
                entries.append(entry)
            }
            return true
        }
        guard isSame else { return nil }
        writtenCount = digest.count
    }

    func encoded() -> [UInt8] {
        let byteCount = entries.count * Entry.byteCount
        return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initialized in
            initialized = byteCount
            guard let memory = UnsafeMutableRawBufferPointer(buffer).baseAddress else { return }
            for (index, entry) in entries.enumerated() {
                entry.write(to: memory + index * Entry.byteCount)
            }
        }
    }

    /// Brings the file up to date, flushed. An index without entries has no file where `isOptional`.
    mutating func write(to path: String, isOptional: Bool, in files: FileSystem) throws
        -> IndexDigest
    {
        let all = encoded()
        let digest = IndexDigest(
            count: entries.count, crc: all.withUnsafeBytes { CRC32C.checksum($0) })
        let status = try files.status(of: path)
        if entries.isEmpty, isOptional, status == nil { return digest }
        if status?.byteCount != all.count || writtenCount < entries.count {
            let file = try File(path, .readWrite, create: true, in: files)
            let byteCount = status?.byteCount ?? 0
            // From its beginning where somebody has removed it, or cut it, since.
            let known = writtenCount * Entry.byteCount
            let start = byteCount < known ? 0 : known
            if byteCount > start { try file.truncate(to: start) }
            try all.withUnsafeBytes {
                try file.write(UnsafeRawBufferPointer(rebasing: $0[start...]), at: start)
            }
            try file.flush()
        }
        writtenCount = entries.count
        return digest
    }
}
