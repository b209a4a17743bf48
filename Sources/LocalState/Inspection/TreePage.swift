// One page of an LMDB file, taken apart with every position checked: damage is an error that names the page,
// never a trap. As LMDB 0.9 writes it on 64-bit machines, in the machine's byte order:
//
//     page   header 16 bytes: number 8, pad 2, flags 2, lower 2, upper 2 (overflow: page count 4),
//            then positions of its nodes, 2 bytes each, up to `lower`
//     node   low 2, high 2, flags 2, key size 2, key, data;
//            in a branch low, high and flags are the number of the page below, and the first key is
//            not looked at;
//            in a leaf low and high are the size of the data; flag 1: the data lie on overflow pages,
//            whose first number (8 bytes) stands here; flag 2: the data are the record of a database

/// A branch or a leaf of a tree.
struct TreePage {
    static let headerBytes = 16
    private static let nodeHeaderBytes = 8
    private static let branchFlag: UInt16 = 0x01
    private static let leafFlag: UInt16 = 0x02
    static let overflowFlag: UInt16 = 0x04
    private static let kindFlags: UInt16 = 0x07
    private static let bigDataFlag: UInt16 = 0x01
    private static let databaseFlag: UInt16 = 0x02

    /// Where the data of a leaf's node are.
    enum Data {
        case inPage(Range<Int>)
        case overflow(page: UInt64, byteCount: Int)
    }

    private struct Node {
        let key: Range<Int>
        let dataBytes: Int
        let flags: UInt16
        /// The page below.
        let child: UInt64
    }

    let number: UInt64
    let isLeaf: Bool
    let bytes: [UInt8]
    private let nodes: [Node]

    /// Throws ``PageFault`` where the bytes are no branch or leaf with that number.
    init(number: UInt64, bytes: [UInt8]) throws {
        let stored = bytes.integer(at: 0, as: UInt64.self)
        guard stored == number else { throw PageFault("it says that it is page \(stored)") }
        let flags = bytes.integer(at: 10, as: UInt16.self)
        switch flags & Self.kindFlags {
        case Self.branchFlag: isLeaf = false
        case Self.leafFlag: isLeaf = true
        default: throw PageFault("it is neither a branch nor a leaf of a tree (flags \(flags))")
        }
        let lower = Int(bytes.integer(at: 12, as: UInt16.self))
        let upper = Int(bytes.integer(at: 14, as: UInt16.self))
        guard lower >= Self.headerBytes, lower <= upper, upper <= bytes.count else {
            throw PageFault("its free space is said to be from byte \(lower) to byte \(upper)")
        }
        self.number = number
        self.bytes = bytes
        let isLeaf = isLeaf
        nodes = try stride(from: Self.headerBytes, to: lower - 1, by: 2).map { position in
            let start = Int(bytes.integer(at: position, as: UInt16.self))
            guard start >= upper, let node = Self.node(bytes, at: start, isLeaf: isLeaf) else {
                throw PageFault("its node at byte \(start) is none, or leaves it")
            }
            return node
        }
        let starts = stride(from: Self.headerBytes, to: lower - 1, by: 2).map {
            Int(bytes.integer(at: $0, as: UInt16.self))
        }
        guard upper == starts.min() ?? bytes.count else {
            throw PageFault("its nodes do not begin where its free space ends, at byte \(upper)")
        }
        guard isLeaf || nodes.count > 1 else { throw PageFault("it is a branch of one page") }
    }

    /// nil if it leaves the page, or is of a kind that is not used here.
    private static func node(_ bytes: [UInt8], at start: Int, isLeaf: Bool) -> Node? {
        let keyStart = start + nodeHeaderBytes
        guard keyStart <= bytes.count else { return nil }
        let low = bytes.integer(at: start, as: UInt32.self)
        let flags = bytes.integer(at: start + 4, as: UInt16.self)
        let keyEnd = keyStart + Int(bytes.integer(at: start + 6, as: UInt16.self))
        guard keyEnd <= bytes.count else { return nil }
        guard !isLeaf || flags & ~(bigDataFlag | databaseFlag) == 0 else { return nil }
        let isBig = flags & bigDataFlag != 0
        let inPage = isLeaf ? (isBig ? 8 : Int(low)) : 0
        guard inPage <= bytes.count - keyEnd else { return nil }
        return Node(
            key: keyStart..<keyEnd, dataBytes: Int(low), flags: flags,
            child: UInt64(flags) << 32 | UInt64(low))
    }

    var count: Int { nodes.count }

    /// The key of a node; in a branch it is the lowest of the page below, but for the first, which is empty.
    func key(_ index: Int) -> ArraySlice<UInt8> { bytes[nodes[index].key] }

    /// The page below a node of a branch.
    func child(_ index: Int) -> UInt64 { nodes[index].child }

    /// Whether the data of a leaf's node are the record of a database.
    func isDatabase(_ index: Int) -> Bool { nodes[index].flags & Self.databaseFlag != 0 }

    /// The data of a leaf's node.
    func data(_ index: Int) -> Data {
        let node = nodes[index]
        guard node.flags & Self.bigDataFlag != 0 else {
            return .inPage(node.key.upperBound..<node.key.upperBound + node.dataBytes)
        }
        return .overflow(
            page: bytes.integer(at: node.key.upperBound, as: UInt64.self), byteCount: node.dataBytes
        )
    }

    /// The node of a branch below which a key is.
    func branchIndex(for key: ArraySlice<UInt8>) -> Int {
        // The first key counts as the lowest.
        max(1, firstIndex(from: 1) { key.precedes($0) }) - 1
    }

    /// The first node of a leaf whose key is not before `key`; `count` if there is none.
    func leafIndex(for key: ArraySlice<UInt8>) -> Int { firstIndex(from: 0) { !$0.precedes(key) } }

    private func firstIndex(
        from start: Int, where isBehind: (ArraySlice<UInt8>) -> Bool
    ) -> Int {
        var low = start
        var high = max(start, count)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(key(middle)) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// What is wrong with a page: the rest of a sentence that names file and page.
struct PageFault: Error {
    let message: String
    init(_ message: String) { self.message = message }
}

extension Collection<UInt8> {
    /// In LMDB's order: byte by byte without sign, a prefix first.
    func precedes(_ other: some Collection<UInt8>) -> Bool { lexicographicallyPrecedes(other) }
}
