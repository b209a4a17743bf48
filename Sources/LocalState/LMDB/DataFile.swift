// Whether `data.mdb` is as long as it must be. LMDB maps it and does not ask: reading a page that
// a truncated file lacks kills the process with SIGBUS. So it is looked at here before, by `pread`.
//
// A meta page (pages 0 and 1; the one with the higher transaction counts), as LMDB 0.9 writes it on
// 64-bit machines, in the machine's byte order:
//
//     field             position  bytes
//     page header              0  16
//     magic                   16   4    0xBEEFC0DE
//     version                 20   4
//     address, map size       24  16
//     page size               40   4    of the record of the free database, which begins here
//     free database's root    80   8
//     main database           88  48
//     last page              136   8
//     transaction            144   8

import Glibc

/// `data.mdb`, read without LMDB and before it.
struct DataFile: ~Copyable {
    static let magic: UInt32 = 0xbeef_c0de
    static let metaBytes = 152

    let path: String
    private let descriptor: Int32
    let byteCount: Int
    private(set) var pageBytes = Limits.pageBytesMin

    /// Throws `.corrupted` if the file is too short for the pages in use. No file, or an empty one
    /// (a crash before its first page was written), is right: LMDB begins anew. Whether there is one with
    /// something in it.
    static func checkLength(path: String) throws -> Bool {
        guard var file = try DataFile(path: path), file.byteCount > 0 else { return false }
        if try file.isUnbegun() {
            guard truncate(path, 0) == 0 else { throw error(of: errno, "truncate of \(path)") }
            return false
        }
        let first = try file.takePageBytes()
        try file.checkMissingPages(try file.newestMeta(first))
        return true
    }

    /// The file, and what its last commit says. nil if there is no file, or an empty one.
    static func openCommitted(path: String) throws -> DataFile? {
        guard var file = try DataFile(path: path), file.byteCount > 0 else { return nil }
        _ = try file.newestMeta(try file.takePageBytes())
        return file
    }

    /// What the last commit says; a running writer changes it.
    func newestMeta() throws -> Meta { try newestMeta(try firstMeta()) }

    /// What the commit of that number says, if it is one of the last two.
    func meta(ofTransaction number: UInt64) throws -> Meta? {
        for position in [0, pageBytes] {
            if let meta = try meta(at: position), meta.transaction == number { return meta }
        }
        return nil
    }

    /// Whether the disk was full, or the machine stopped, when LMDB made the file: it writes both meta pages at
    /// once, and they are flushed before anything is written behind them. So where one is not there, or zeros
    /// (a length that reached the disk before its bytes), and nothing behind, nothing was ever in the file.
    /// LMDB would refuse it.
    private func isUnbegun() throws -> Bool {
        let pageBytes = try meta(at: 0)?.pageBytes ?? sysconf(Int32(_SC_PAGESIZE))
        guard byteCount <= 2 * pageBytes else { return false }
        var isPageMissing = false
        for position in [0, pageBytes] {
            if let meta = try meta(at: position) {
                guard meta.transaction == 0 else { return false }
            } else {
                let bytes = try read(at: position, byteCount: Self.metaBytes)
                let isZeros = bytes.count == Self.metaBytes && bytes.allSatisfy { $0 == 0 }
                guard position >= byteCount || isZeros else { return false }
                isPageMissing = true
            }
        }
        return isPageMissing
    }

    private mutating func takePageBytes() throws -> Meta {
        let meta = try firstMeta()
        pageBytes = meta.pageBytes
        return meta
    }

    private func firstMeta() throws -> Meta {
        guard let meta = try meta(at: 0) else {
            throw damaged("it does not begin as a file of LMDB does")
        }
        return meta
    }

    private func newestMeta(_ first: Meta) throws -> Meta {
        // A part of a page may stand at the end: a write of pages behind the last commit that a crash or a
        // full disk has cut short. It counts as missing, which no page in use may be.
        guard byteCount >= 2 * pageBytes else {
            throw damaged("\(byteCount) bytes are less than two pages of \(pageBytes) bytes")
        }
        guard let second = try meta(at: pageBytes) else {
            throw damaged("its second page is no meta page")
        }
        let meta = first.transaction > second.transaction ? first : second
        guard meta.lastPage < UInt64(Int.max / Limits.pageBytesMax) else {
            throw damaged("its last page is said to be number \(meta.lastPage)")
        }
        return meta
    }

    /// nil if there is no such file.
    private init?(path: String) throws {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0, errno == ENOENT { return nil }
        guard descriptor >= 0 else { throw error(of: errno, "open of \(path)") }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let failure = error(of: errno, "stat of \(path)")
            Glibc.close(descriptor)
            throw failure
        }
        self.path = path
        self.descriptor = descriptor
        byteCount = Int(status.st_size)
    }

    /// Closing drops this process's fcntl locks on this file; LMDB's are on `lock.mdb`.
    deinit { Glibc.close(descriptor) }

    /// The bytes at a position; fewer at the end of the file.
    func read(at position: Int, byteCount: Int) throws -> [UInt8] {
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initialized in
            count = pread(descriptor, buffer.baseAddress, byteCount, position)
            initialized = max(count, 0)
        }
        guard count >= 0 else { throw error(of: errno, "read of \(path)") }
        return bytes
    }

    func damaged(_ what: String) -> StateError {
        StateError(
            .corrupted,
            "\(path) is damaged: \(what). Restore the state from a backup, or rebuild it.")
    }

    struct Meta: Sendable {
        let pageBytes: Int
        /// The tree of free pages.
        let free: TreeRecord
        /// The tree of the named databases' records.
        let main: TreeRecord
        let lastPage: UInt64
        let transaction: UInt64
        /// As it stands in the file.
        let bytes: [UInt8]
    }

    private func meta(at position: Int) throws -> Meta? {
        let bytes = try read(at: position, byteCount: Self.metaBytes)
        guard bytes.count == Self.metaBytes, bytes.integer(at: 16, as: UInt32.self) == Self.magic
        else { return nil }
        let pageBytes = Int(bytes.integer(at: 40, as: UInt32.self))
        guard pageBytes >= Limits.pageBytesMin, pageBytes <= Limits.pageBytesMax,
            pageBytes & (pageBytes - 1) == 0
        else { return nil }
        return Meta(
            pageBytes: pageBytes, free: TreeRecord(bytes, at: 40), main: TreeRecord(bytes, at: 88),
            lastPage: bytes.integer(at: 136, as: UInt64.self),
            transaction: bytes.integer(at: 144, as: UInt64.self), bytes: bytes)
    }

    /// Pages may be missing at the end, if they are free: LMDB does not write a page that was taken
    /// and given back within one transaction (`mdb_page_loose`), and never reads it again.
    private func checkMissingPages(_ meta: Meta) throws {
        let pageCount = UInt64(byteCount / pageBytes)
        guard meta.lastPage >= pageCount else { return }
        var missing = Set<UInt64>()
        for page in try freePages(meta.free) where page >= pageCount {
            missing.insert(page)
        }
        guard (pageCount...meta.lastPage).allSatisfy(missing.contains) else {
            throw damaged(
                "it ends at byte \(byteCount), but has pages up to byte "
                    + "\((meta.lastPage + 1) * UInt64(pageBytes))")
        }
    }
}

extension [UInt8] {
    /// An integer in the machine's byte order.
    func integer<Integer: FixedWidthInteger>(at position: Int, as type: Integer.Type) -> Integer {
        precondition(position >= 0 && position + Integer.bitWidth / 8 <= count, "beyond the bytes")
        return withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: type) }
    }
}
