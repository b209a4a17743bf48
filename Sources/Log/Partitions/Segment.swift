// One file of a partition: whole record batches, one behind the other, named after the offset of its
// first record. The sparse index says where to begin looking for an offset; it is kept in memory and
// made by whoever reads or appends the batches (decision 0002).

/// A segment's file and what is known of it. Guarded by its partition's lock; the file's bytes below
/// `byteCount` never change, so that they are read without the lock.
struct Segment {
    let baseOffset: Offset
    let file: File
    /// Bytes of whole, checked batches.
    private(set) var byteCount = 0
    /// Up to where room on the disk was asked for.
    private var preallocatedEnd = 0
    private var index: [IndexEntry] = []
    private var bytesSinceIndexEntry = Limits.indexIntervalBytes

    private struct IndexEntry {
        let relativeOffset: UInt32
        let position: UInt32
    }

    init(baseOffset: Offset, file: File) {
        self.baseOffset = baseOffset
        self.file = file
    }

    static func fileName(_ baseOffset: Offset) -> String {
        let digits = String(baseOffset.rawValue)
        return String(repeating: "0", count: 20 - digits.utf8.count) + digits + ".log"
    }

    /// The base offset in the name of a segment's file; nil for other files.
    static func baseOffset(ofFileNamed name: String) -> Offset? {
        guard name.utf8.count == 24, name.hasSuffix(".log"), let number = Int64(name.prefix(20)),
            number >= 0
        else { return nil }
        return Offset(number)
    }

    /// Asks for room for the bytes to come, as much as there is in the file already: of a small partition
    /// little, of a large one not too much.
    mutating func preallocate(for count: Int) {
        guard byteCount >= Limits.preallocationBytesMin, byteCount + count > preallocatedEnd else {
            return
        }
        let wanted = max(count, min(byteCount, Limits.preallocationBytesMax))
        file.preallocate(wanted, at: byteCount)
        preallocatedEnd = byteCount + wanted
    }

    /// Whether a batch can lie at the end of the file: the index counts offsets and positions in 32 bits.
    func canHold(_ header: BatchHeader) -> Bool {
        header.nextOffset - baseOffset.rawValue <= Int64(UInt32.max)
            && byteCount + header.batchByteCount <= Int(UInt32.max)
    }

    /// Notes that a batch lies at the end of the file.
    mutating func batchAdded(baseOffset: Int64, byteCount: Int) {
        if bytesSinceIndexEntry >= Limits.indexIntervalBytes {
            index.append(
                IndexEntry(
                    relativeOffset: UInt32(baseOffset - self.baseOffset.rawValue),
                    position: UInt32(self.byteCount)))
            bytesSinceIndexEntry = 0
        }
        self.byteCount += byteCount
        bytesSinceIndexEntry += byteCount
    }

    /// A position of a batch that begins at or before `offset`, at most an index interval before it.
    func position(atOrBefore offset: Offset) -> Int {
        let wanted = Int64(offset.rawValue - baseOffset.rawValue)
        var low = 0
        var high = index.count
        while low < high {
            let middle = (low + high) / 2
            if Int64(index[middle].relativeOffset) <= wanted {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low == 0 ? 0 : Int(index[low - 1].position)
    }
}
