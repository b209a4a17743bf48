/// A named value beside a record's key and value; keys may repeat, null is not empty (KIP-82).
public struct Header: Hashable, Sendable {
    public let key: String
    public let value: [UInt8]?

    public init(_ key: String, _ value: [UInt8]?) {
        self.key = key
        self.value = value
    }

    /// Bytes of the header inside a record.
    var byteCount: Int {
        let keyCount = key.utf8.count
        let valueCount = value?.count ?? -1
        return Varint.byteCount(Int64(keyCount)) + keyCount
            + Varint.byteCount(Int64(valueCount)) + Swift.max(0, valueCount)
    }

    func write(to pointer: inout UnsafeMutableRawPointer) {
        var key = key
        key.withUTF8 { utf8 in
            Varint.write(Int64(utf8.count), to: &pointer)
            pointer.copy(UnsafeRawBufferPointer(utf8))
        }
        Varint.write(Int64(value?.count ?? -1), to: &pointer)
        value?.withUnsafeBytes { pointer.copy($0) }
    }
}
