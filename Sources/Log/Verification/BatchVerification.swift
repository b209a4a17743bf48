// What a reader would believe of a batch that has the right checksum: its fields, and every record in it.

import StreamJobsCompression

/// Checks batches as they lie in a log. Belongs to one thread.
package struct BatchVerification {
    private let decompressor = Decompressor()

    package init() {}

    /// Throws `MalformedBatch` where a field or a record cannot be true. Gives the number of records.
    /// - Parameter mayHaveGaps: Compaction may have taken out records.
    package func verify(
        _ batch: UnsafeRawBufferPointer, _ header: BatchHeader, mayHaveGaps: Bool
    ) throws -> Int {
        // The largest delta has no 32-bit number above it.
        guard mayHaveGaps || Int64(header.recordsCount) == Int64(header.lastOffsetDelta) + 1
        else {
            throw MalformedBatch.field(
                "records count is \(header.recordsCount) and last offset delta "
                    + "\(header.lastOffsetDelta)")
        }
        var records = try BatchRecords(batch, header, decompressor)
        var count = 0
        while let record = try records.next() {
            let delta = record.offset.rawValue - header.baseOffset
            guard mayHaveGaps || delta == Int64(count) else {
                throw MalformedBatch.field("a record's offset delta is \(delta), not \(count)")
            }
            try record.validateHeaders()
            count += 1
        }
        return count
    }
}

/// Goes through the records of batches, compressed or not. Belongs to one thread.
package struct BatchRecordWalk {
    private let decompressor = Decompressor()

    package init() {}

    /// Calls `body` with each record, which is valid during the call. Throws `MalformedBatch`, and what
    /// `body` throws.
    package func forEachRecord(
        of batch: UnsafeRawBufferPointer, _ header: BatchHeader,
        _ body: (consuming RecordView) throws -> Void
    ) throws {
        var records = try BatchRecords(batch, header, decompressor)
        while let record = try records.next() { try body(record) }
    }
}

extension BatchHeader {
    /// The codec's name, or its number where it is unknown.
    package var codecName: String {
        do {
            return try compression.name
        } catch { return "\(attributes.rawValue & 0b111)" }
    }

    /// The log has given the records the time of their append.
    package var isAppendTime: Bool { attributes.contains(.logAppendTime) }

    /// As it is stored.
    package var checksum: UInt32 { crc }
}
