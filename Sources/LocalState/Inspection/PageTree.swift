// A tree of an LMDB file, read by `pread`, page by page: a file that is cut short or damaged gives an error,
// where LMDB would be killed by SIGBUS or read what is not there.

/// The record of a database (`MDB_db`): 48 bytes.
///
///     pad 4, flags 2, depth 2, branch pages 8, leaf pages 8, overflow pages 8, entries 8, root 8
struct TreeRecord: Sendable, Hashable {
    static let byteCount = 48
    /// The root of an empty tree (`P_INVALID`).
    private static let noPage = UInt64.max

    let flags: UInt16
    let depth: Int
    let branchPages: UInt64
    let leafPages: UInt64
    let overflowPages: UInt64
    let entries: UInt64
    private let rootPage: UInt64

    /// The record of a tree without entries.
    static let empty = TreeRecord(
        [UInt8](repeating: 0, count: 40) + [UInt8](repeating: 0xff, count: 8), at: 0)

    /// nil: the tree is empty.
    var root: UInt64? { rootPage == Self.noPage ? nil : rootPage }
    var pages: UInt64 { branchPages &+ leafPages &+ overflowPages }

    /// - Parameter position: of a record that lies within the bytes.
    init(_ bytes: [UInt8], at position: Int) {
        flags = bytes.integer(at: position + 4, as: UInt16.self)
        depth = Int(bytes.integer(at: position + 6, as: UInt16.self))
        branchPages = bytes.integer(at: position + 8, as: UInt64.self)
        leafPages = bytes.integer(at: position + 16, as: UInt64.self)
        overflowPages = bytes.integer(at: position + 24, as: UInt64.self)
        entries = bytes.integer(at: position + 32, as: UInt64.self)
        rootPage = bytes.integer(at: position + 40, as: UInt64.self)
    }
}

extension DataFile {
    /// A branch or leaf. Throws ``PageFault``, or what reading throws.
    func treePage(_ number: UInt64) throws -> TreePage {
        try TreePage(number: number, bytes: try pages(number, count: 1))
    }

    /// So many pages in a row. Throws ``PageFault`` where the file does not have them.
    func pages(_ number: UInt64, count: Int) throws -> [UInt8] {
        let pageCount = byteCount / pageBytes
        guard count <= pageCount, number <= UInt64(pageCount - count) else {
            throw PageFault("the file ends before it")
        }
        let bytes = try read(at: Int(number) * pageBytes, byteCount: count * pageBytes)
        guard bytes.count == count * pageBytes else { throw PageFault("the file ends before it") }
        return bytes
    }

    /// So many pages as data of that size take on overflow pages.
    func overflowCount(byteCount: Int) -> Int {
        (TreePage.headerBytes + byteCount + pageBytes - 1) / pageBytes
    }

    /// The data of a node of a leaf.
    func data(of page: TreePage, _ index: Int) throws -> [UInt8] {
        switch page.data(index) {
        case .inPage(let range): return [UInt8](page.bytes[range])
        case .overflow(let first, let byteCount):
            let count = overflowCount(byteCount: byteCount)
            let bytes: [UInt8]
            do {
                bytes = try pages(first, count: count)
                try checkOverflow(bytes, first, count: count)
            } catch let fault as PageFault {
                throw PageFault("its overflow page \(first) is not right: \(fault.message)")
            }
            return [UInt8](bytes[TreePage.headerBytes..<TreePage.headerBytes + byteCount])
        }
    }

    /// Throws ``PageFault`` unless these are the overflow pages of a value.
    func checkOverflow(_ bytes: [UInt8], _ number: UInt64, count: Int) throws {
        let stored = bytes.integer(at: 0, as: UInt64.self)
        guard stored == number else { throw PageFault("it says that it is page \(stored)") }
        let flags = bytes.integer(at: 10, as: UInt16.self)
        guard flags & TreePage.overflowFlag != 0 else {
            throw PageFault("it is no overflow page (flags \(flags))")
        }
        let storedCount = bytes.integer(at: 12, as: UInt32.self)
        guard storedCount == UInt32(count) else {
            throw PageFault("it says that it is \(storedCount) pages, its value takes \(count)")
        }
    }
}

/// A place in a tree, moved in the order of the keys. Errors are ``StateError`` `.corrupted` with the page.
struct TreeCursor {
    private let file: InspectedFile
    private let tree: TreeRecord
    /// From the root to the leaf; the node of each that the place is in or below.
    private var path: [(page: TreePage, index: Int)] = []

    init(_ tree: TreeRecord, in file: InspectedFile) {
        self.tree = tree
        self.file = file
    }

    /// Whether there is an entry at this place.
    private var isPlaced: Bool {
        guard let leaf = path.last else { return false }
        return leaf.index >= 0 && leaf.index < leaf.page.count
    }

    /// The key at a place with an entry.
    var key: ArraySlice<UInt8> { path[path.count - 1].page.key(path[path.count - 1].index) }

    /// The value there: a copy.
    func value() throws -> [UInt8] {
        let (page, index) = path[path.count - 1]
        return try file.naming(page.number) { try file.data.data(of: page, index) }
    }

    var isDatabase: Bool { path[path.count - 1].page.isDatabase(path[path.count - 1].index) }

    /// To the first entry that is not before `key`. False if there is none.
    mutating func seek(_ key: ArraySlice<UInt8>) throws -> Bool {
        try descend { page in
            page.isLeaf ? page.leafIndex(for: key) : page.branchIndex(for: key)
        }
        // All keys of this leaf may be before it.
        return try !path.isEmpty && !isPlaced ? moveLeaf(by: 1) : isPlaced
    }

    mutating func first() throws -> Bool {
        try descend { _ in 0 }
        return isPlaced
    }

    mutating func last() throws -> Bool {
        try descend { $0.count - 1 }
        return isPlaced
    }

    mutating func next() throws -> Bool { try move(by: 1) }
    mutating func previous() throws -> Bool { try move(by: -1) }

    private mutating func move(by step: Int) throws -> Bool {
        guard !path.isEmpty else { return false }
        path[path.count - 1].index += step
        return isPlaced ? true : try moveLeaf(by: step)
    }

    /// To the next leaf, at its first or last entry.
    private mutating func moveLeaf(by step: Int) throws -> Bool {
        path.removeLast()
        while let (page, index) = path.last {
            let next = index + step
            if next >= 0, next < page.count {
                path[path.count - 1].index = next
                try descend(from: page.child(next)) { step > 0 ? 0 : $0.count - 1 }
                return isPlaced
            }
            path.removeLast()
        }
        return false
    }

    private mutating func descend(_ choose: (TreePage) -> Int) throws {
        path.removeAll()
        if let root = tree.root { try descend(from: root, choose) }
    }

    /// Down to a leaf: a way that is longer than the tree is deep leads round in circles.
    private mutating func descend(from page: UInt64, _ choose: (TreePage) -> Int) throws {
        var number = page
        while true {
            let page = try file.naming(number) {
                guard path.count < tree.depth else { throw PageFault("it is deeper than its tree") }
                return try file.data.treePage(number)
            }
            let index = choose(page)
            path.append((page, index))
            if page.isLeaf { return }
            number = page.child(index)
        }
    }
}
