// The pages that an LMDB file has free, read without LMDB: only for a file that is shorter than its
// last page (DataFile), where LMDB could run into what is missing. Every position is checked.
//
//     page   header 16 bytes: number 8, pad 2, flags 2, lower 2, upper 2 (overflow: page count 4),
//            then positions of its nodes, 2 bytes each, up to `lower`
//     node   low 2, high 2, flags 2, key size 2, key, data;
//            in a branch low, high and flags are the number of the page below;
//            in a leaf low and high are the size of the data; flag 1: the data lie on an overflow
//            page, whose number (8 bytes) stands here
//     data   count 8, then so many page numbers, 8 bytes each

extension DataFile {
    private static let headerBytes = 16
    private static let nodeHeaderBytes = 8
    private static let branchFlag: UInt16 = 0x01
    private static let leafFlag: UInt16 = 0x02
    private static let overflowFlag: UInt16 = 0x04
    private static let bigDataFlag: UInt16 = 0x01
    /// The root of an empty tree (`P_INVALID`).
    private static let noPage = UInt64.max

    /// The numbers of all free pages. Throws `.corrupted` where the tree leaves the file.
    func freePages(root: UInt64) throws -> [UInt64] {
        var free: [UInt64] = []
        var waiting = root == Self.noPage ? [] : [root]
        var visitedCount = 0
        while let number = waiting.popLast() {
            // A damaged tree may lead round in circles.
            visitedCount += 1
            guard visitedCount <= byteCount / pageBytes else { throw badFreeList(number) }
            let page = try self.page(number, count: 1)
            let flags = page.integer(at: 10, as: UInt16.self)
            if flags & Self.branchFlag != 0 {
                for node in try nodes(page, number) {
                    let low = page.integer(at: node, as: UInt32.self)
                    let high = page.integer(at: node + 4, as: UInt16.self)
                    waiting.append(UInt64(high) << 32 | UInt64(low))
                }
            } else if flags & Self.leafFlag != 0 {
                for node in try nodes(page, number) {
                    free += try numbers(page, number, node: node)
                }
            } else {
                throw badFreeList(number)
            }
        }
        return free
    }

    /// The positions of the nodes of a page.
    private func nodes(_ page: [UInt8], _ number: UInt64) throws -> [Int] {
        let lower = Int(page.integer(at: 12, as: UInt16.self))
        guard lower >= Self.headerBytes, lower <= page.count else { throw badFreeList(number) }
        return try stride(from: Self.headerBytes, to: lower - 1, by: 2).map { position in
            let node = Int(page.integer(at: position, as: UInt16.self))
            guard node >= lower, node + Self.nodeHeaderBytes <= page.count else {
                throw badFreeList(number)
            }
            return node
        }
    }

    /// The page numbers in a node of a leaf.
    private func numbers(_ page: [UInt8], _ number: UInt64, node: Int) throws -> [UInt64] {
        let dataBytes = Int(page.integer(at: node, as: UInt32.self))
        let flags = page.integer(at: node + 4, as: UInt16.self)
        let keyBytes = Int(page.integer(at: node + 6, as: UInt16.self))
        let start = node + Self.nodeHeaderBytes + keyBytes
        guard flags & Self.bigDataFlag != 0 else {
            return try numbers(page, number, from: start, byteCount: dataBytes)
        }
        guard start + 8 <= page.count else { throw badFreeList(number) }
        let overflow = page.integer(at: start, as: UInt64.self)
        let count = (Self.headerBytes + dataBytes + pageBytes - 1) / pageBytes
        let data = try self.page(overflow, count: count)
        guard data.integer(at: 10, as: UInt16.self) & Self.overflowFlag != 0 else {
            throw badFreeList(overflow)
        }
        return try numbers(data, overflow, from: Self.headerBytes, byteCount: dataBytes)
    }

    private func numbers(
        _ page: [UInt8], _ number: UInt64, from start: Int, byteCount: Int
    ) throws -> [UInt64] {
        guard byteCount >= 8, start + byteCount <= page.count else { throw badFreeList(number) }
        let count = page.integer(at: start, as: UInt64.self)
        guard count <= UInt64(byteCount / 8 - 1) else { throw badFreeList(number) }
        return (0..<Int(count)).map { page.integer(at: start + 8 + 8 * $0, as: UInt64.self) }
    }

    private func page(_ number: UInt64, count: Int) throws -> [UInt8] {
        let pageCount = byteCount / pageBytes
        guard count <= pageCount, number <= UInt64(pageCount - count) else {
            throw badFreeList(number)
        }
        let bytes = try read(at: Int(number) * pageBytes, byteCount: count * pageBytes)
        guard bytes.count == count * pageBytes else { throw badFreeList(number) }
        return bytes
    }

    private func badFreeList(_ page: UInt64) -> StateError {
        damaged(
            "it is shorter than its pages, and its list of free pages breaks off at page \(page)")
    }
}
