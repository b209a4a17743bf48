// All that a record has beside its bytes and its number. Records of one producer are mostly alike: of the
// same sizes, many in a millisecond. So their lengths are encoded once, and each record stores them with
// its own number added.
//
//  prefix (8 bytes at most): length │ attributes (0) │ timestamp delta │ offset delta │ length of the key
//  key │ length of the value │ value │ number of headers (0)

/// What records without headers have in common whose numbers take one or two bytes.
struct RecordForm {
    // What it is of. -1 is null; the form that fits nothing has no such count.
    private var keyCount = Int.min
    private var valueCount = 0
    private var timestamp: Int64 = 0
    /// The first number that takes more bytes.
    private var recordCountEnd = 0

    /// The prefix with the number 0, in the bytes that the number takes.
    private var prefix: UInt64 = 0
    /// Bits before the number.
    private var numberShift: UInt64 = 0
    private(set) var prefixBytes = 0
    private(set) var valueField: UInt16 = 0
    private(set) var valueFieldBytes = 0
    private(set) var keyBytes = 0
    private(set) var valueBytes = 0
    /// Of the whole record.
    private(set) var byteCount = 0

    /// Fits no record.
    init() {}

    /// Of a record that is not the first of its batch; nil where it is the first, or its numbers are longer.
    @inline(never)
    init?(
        _ keyCount: Int, _ valueCount: Int, _ timestamp: Int64, _ baseTimestamp: Int64,
        _ recordCount: Int
    ) {
        let time = Varint.zigzag(timestamp &- baseTimestamp)
        let number = Varint.zigzag(Int64(recordCount))
        let key = Varint.zigzag(Int64(keyCount))
        let value = Varint.zigzag(Int64(valueCount))
        guard time | number | key | value < Varint.shortMax, recordCount > 0 else { return nil }
        self.keyCount = keyCount
        self.valueCount = valueCount
        self.timestamp = timestamp
        keyBytes = max(0, keyCount)
        valueBytes = max(0, valueCount)
        valueField = UInt16(truncatingIfNeeded: Varint.shortBytes(value))
        valueFieldBytes = Varint.shortByteCount(value)
        let numberBytes = Varint.shortByteCount(number)
        // A number is the zigzag of a count, twice as much.
        recordCountEnd = Int(numberBytes == 1 ? Varint.byteMax : Varint.shortMax) / 2
        let bodyCount =
            1 + Varint.shortByteCount(time) + numberBytes + Varint.shortByteCount(key) + keyBytes
            + valueFieldBytes + valueBytes + 1
        let length = Varint.zigzag(Int64(bodyCount))
        guard length < Varint.shortMax else { return nil }
        byteCount = Varint.shortByteCount(length) + bodyCount
        append(Varint.shortBytes(length), Varint.shortByteCount(length))
        append(0, 1)
        append(Varint.shortBytes(time), Varint.shortByteCount(time))
        numberShift = UInt64(8 * prefixBytes)
        append(0, numberBytes)
        guard prefixBytes + Varint.shortByteCount(key) <= MemoryLayout<UInt64>.size else {
            return nil
        }
        append(Varint.shortBytes(key), Varint.shortByteCount(key))
    }

    private mutating func append(_ bytes: UInt64, _ count: Int) {
        prefix |= bytes << UInt64(8 * prefixBytes)
        prefixBytes += count
    }

    /// Whether it is that of the record with these sizes.
    @inline(__always)
    func fits(_ keyCount: Int, _ valueCount: Int, _ timestamp: Int64, _ recordCount: Int) -> Bool {
        let difference =
            (keyCount ^ self.keyCount) | (valueCount ^ self.valueCount)
            | Int(truncatingIfNeeded: timestamp ^ self.timestamp)
        return difference == 0 && recordCount < recordCountEnd
    }

    /// What the record with this number begins with.
    @inline(__always)
    func prefix(_ recordCount: Int) -> UInt64 {
        prefix | Varint.shortBytes(UInt64(truncatingIfNeeded: recordCount &* 2)) &<< numberShift
    }
}
