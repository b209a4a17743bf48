/// A record copied out of a batch, without its headers, to be kept.
package struct OwnedRecord: Sendable {
    package let offset: Offset
    package let timestamp: Timestamp
    private let bytes: [UInt8]
    /// Bytes of the key; -1 for a null one. Likewise the value.
    private let keyCount: Int
    private let valueCount: Int

    package init(_ record: borrowing RecordView) {
        offset = record.offset
        timestamp = record.timestamp
        keyCount = record.key?.count ?? -1
        valueCount = record.value?.count ?? -1
        var bytes: [UInt8] = []
        bytes.reserveCapacity(max(0, keyCount) + max(0, valueCount))
        if let key = record.key { bytes.append(contentsOf: key) }
        if let value = record.value { bytes.append(contentsOf: value) }
        self.bytes = bytes
    }

    /// Bytes that keeping it takes, nearly.
    package var byteCount: Int { bytes.count + MemoryLayout<OwnedRecord>.size }

    package func withView<R>(_ body: (borrowing RecordView) throws -> R) rethrows -> R {
        try bytes.withUnsafeBytes { bytes in
            let keyEnd = max(0, keyCount)
            let key = UnsafeRawBufferPointer(rebasing: bytes[..<keyEnd])
            let value = UnsafeRawBufferPointer(rebasing: bytes[keyEnd...])
            return try body(
                RecordView(
                    offset: offset, timestamp: timestamp,
                    key: keyCount < 0 ? nil : key, value: valueCount < 0 ? nil : value))
        }
    }
}
