// Goes through all pages of a tree and tells what is wrong with them: the order of the keys within pages and
// between them, the depth, the counts that its record has, pages that are used twice. What lies below a bad page
// is left out.

/// Pages of a file, by number.
struct PageSet {
    private var words: [UInt64]
    private let count: UInt64

    init(count: Int) {
        self.count = UInt64(count)
        words = [UInt64](repeating: 0, count: (count + 63) / 64)
    }

    func contains(_ page: UInt64) -> Bool {
        page < count && words[Int(page / 64)] & (1 << (page % 64)) != 0
    }

    /// False if it is in there already, or beyond the file.
    mutating func insert(_ page: UInt64) -> Bool {
        guard page < count, !contains(page) else { return false }
        words[Int(page / 64)] |= 1 << (page % 64)
        return true
    }
}

struct TreeWalk {
    /// Told of a page and what is wrong with it.
    typealias Fault = (UInt64, String) throws -> Void
    /// Told of an entry: stored key, value, page, whether it is a database; gives what is wrong with it.
    typealias Entry = ([UInt8], [UInt8], UInt64, Bool) throws -> String?

    private let file: InspectedFile
    private let tree: TreeRecord
    private(set) var used: PageSet
    private(set) var pages: UInt64 = 0
    private var counts: [UInt64] = [0, 0, 0, 0]
    private var isWhole = true
    private var lastKey: [UInt8]?
    private let hasIntegerKeys: Bool
    /// `MDB_INTEGERKEY`: keys are integers in the machine's byte order.
    private static let integerKeyFlag: UInt16 = 0x08

    /// The places in `counts`.
    private enum Count {
        static let branches = 0
        static let leaves = 1
        static let overflows = 2
        static let entries = 3
    }

    init(_ tree: TreeRecord, in file: InspectedFile, used: PageSet) {
        self.tree = tree
        self.file = file
        self.used = used
        hasIntegerKeys = tree.flags & Self.integerKeyFlag != 0
    }

    /// Bytes that sort as the key does.
    private func ordered(_ key: ArraySlice<UInt8>) -> [UInt8] {
        hasIntegerKeys ? key.reversed() : Array(key)
    }

    mutating func walk(check: () throws -> Void, fault: Fault, entry: Entry) throws {
        guard let root = tree.root else {
            if tree.entries > 0 {
                try fault(0, "\(tree.entries) entries are gone: its tree is empty")
            }
            return
        }
        try visit(root, depth: 1, from: nil, to: nil, check, fault, entry)
        let recorded = [tree.branchPages, tree.leafPages, tree.overflowPages, tree.entries]
        let names = ["branch pages", "leaf pages", "overflow pages", "entries"]
        // Where pages could not be read their own damage says more.
        guard isWhole else { return }
        for (name, (count, expected)) in zip(names, zip(counts, recorded)) where count != expected {
            try fault(root, "the tree has \(count) \(name), but should have \(expected)")
        }
    }

    /// - Parameter from: the lowest key that may be here; `to` is the first that may not.
    private mutating func visit(
        _ number: UInt64, depth: Int, from: [UInt8]?, to: [UInt8]?, _ check: () throws -> Void,
        _ fault: Fault, _ entry: Entry
    ) throws {
        let page: TreePage
        do {
            guard number >= 2, depth <= Limits.treeDepthMax else {
                throw PageFault("it is no page of a tree")
            }
            let bytes = try file.data.pages(number, count: 1)
            guard used.insert(number) else { throw PageFault("it is used twice") }
            page = try TreePage(number: number, bytes: bytes)
            guard page.isLeaf == (depth == tree.depth) else {
                throw PageFault(
                    "it is a \(page.isLeaf ? "leaf" : "branch") at level \(depth) of \(tree.depth)")
            }
        } catch let found as PageFault {
            isWhole = false
            return try fault(number, found.message)
        }
        pages += 1
        if pages % 256 == 0 { try check() }
        counts[page.isLeaf ? Count.leaves : Count.branches] += 1
        if page.isLeaf { return try visitEntries(of: page, from, to, fault, entry) }
        for index in 0..<page.count {
            let lower = index == 0 ? from : ordered(page.key(index))
            let upper = index + 1 < page.count ? ordered(page.key(index + 1)) : to
            if let lower, let upper, !lower.precedes(upper) {
                try fault(number, "its keys are not in order")
            }
            try visit(
                page.child(index), depth: depth + 1, from: lower, to: upper, check, fault, entry)
        }
    }

    private mutating func visitEntries(
        of page: TreePage, _ from: [UInt8]?, _ to: [UInt8]?, _ fault: Fault, _ entry: Entry
    ) throws {
        for index in 0..<page.count {
            counts[Count.entries] += 1
            let key = Array(page.key(index))
            let place = ordered(key[...])
            let isMisplaced =
                key.isEmpty || lastKey.map { !$0.precedes(place) } ?? false
                || from.map { place.precedes($0) } ?? false
                || to.map { !place.precedes($0) } ?? false
            if isMisplaced {
                try fault(
                    page.number, "the key \(describeBytes(key.dropFirst())) is not where it belongs"
                )
            }
            lastKey = place
            do {
                let value = try data(of: page, index)
                if let message = try entry(key, value, page.number, page.isDatabase(index)) {
                    try fault(page.number, message)
                }
            } catch let found as PageFault {
                isWhole = false
                try fault(page.number, found.message)
            }
        }
    }

    private mutating func data(of page: TreePage, _ index: Int) throws -> [UInt8] {
        let bytes = try file.data.data(of: page, index)
        guard case .overflow(let first, _) = page.data(index) else { return bytes }
        let count = file.data.overflowCount(byteCount: bytes.count)
        for number in first..<first + UInt64(count) {
            guard used.insert(number) else { throw PageFault("page \(number) is used twice") }
        }
        counts[Count.overflows] += UInt64(count)
        pages += UInt64(count)
        return bytes
    }
}
