// The pages that an LMDB file has free, read without LMDB: for a file that is shorter than its last page
// (DataFile), where LMDB could run into what is missing, and for inspection.
//
//     key    the transaction that has freed them, 8 bytes
//     data   count 8, then so many page numbers, 8 bytes each

extension DataFile {
    /// The numbers of all free pages. Throws `.corrupted` where the tree leaves the file.
    func freePages(_ tree: TreeRecord) throws -> [UInt64] {
        var free: [UInt64] = []
        var waiting = tree.root.map { [$0] } ?? []
        var visitedCount = 0
        while let number = waiting.popLast() {
            do {
                // A damaged tree may lead round in circles.
                visitedCount += 1
                guard visitedCount <= byteCount / pageBytes else { throw PageFault("a circle") }
                let page = try treePage(number)
                for index in 0..<page.count {
                    if page.isLeaf {
                        free += try Self.pageNumbers(try data(of: page, index))
                    } else {
                        waiting.append(page.child(index))
                    }
                }
            } catch is PageFault {
                throw damaged(
                    "it is shorter than its pages, and its list of free pages breaks off at page "
                        + "\(number)")
            }
        }
        return free
    }

    /// The page numbers in the data of an entry. Throws ``PageFault``.
    static func pageNumbers(_ data: [UInt8]) throws -> [UInt64] {
        guard data.count >= 8 else { throw PageFault("a list of free pages has no length") }
        let count = data.integer(at: 0, as: UInt64.self)
        guard count <= UInt64(data.count / 8 - 1) else {
            throw PageFault("a list of \(count) free pages has \(data.count) bytes")
        }
        return (0..<Int(count)).map { data.integer(at: 8 + 8 * $0, as: UInt64.self) }
    }
}
