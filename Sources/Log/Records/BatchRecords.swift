/// Walks the records of one batch, from the first to the last.
package struct BatchRecords {
    package let header: BatchHeader
    private var reader: ByteReader
    private var left: Int

    /// - Parameter batch: A whole batch; it must outlive the walk and what it gives.
    package init(_ batch: UnsafeRawBufferPointer, _ header: BatchHeader) {
        self.header = header
        reader = ByteReader(batch, from: BatchHeader.byteCount)
        left = Int(header.recordsCount)
    }

    /// Nil behind the last record. Throws where a length cannot be true.
    package mutating func next() throws(MalformedBatch) -> RecordView? {
        guard left > 0 else { return nil }
        left -= 1
        return try RecordView.read(&reader, of: header)
    }
}
