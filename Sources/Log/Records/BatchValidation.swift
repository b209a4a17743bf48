// Batches from outside, before they are appended: everything that a reader would believe is checked, once,
// so that what lies in the log can be read (Kafka: LogValidator). The log stays unchanged where one is
// refused.

package import StreamJobsCompression

/// What a batch from outside may be.
package struct BatchValidation {
    /// Bytes of the largest batch: the topic's `max.message.bytes`.
    package var bytesMax = Limits.batchBytesMax
    /// Bytes that its records may have when decompressed.
    package var decompressedBytesMax = Limits.decompressedBatchBytesMax
    /// Whether it may be a control batch: only the log's own coordinator writes those.
    package var allowsControl = false

    package init() {}

    /// Checks `batch`, which must be one whole batch and nothing else: sizes, magic, checksum, attributes,
    /// counts, each record's lengths, offset deltas from 0 upwards without a gap, and headers. Gives its
    /// header. Throws `MalformedBatch` where it is not a batch, and `recordTooLarge` where it is over the
    /// limit.
    package func validate(
        _ batch: UnsafeRawBufferPointer, _ decompressor: Decompressor
    ) throws -> BatchHeader {
        let header = try BatchHeader(batch)
        guard header.batchByteCount <= batch.count else { throw MalformedBatch.cutShort }
        guard header.batchByteCount == batch.count else {
            throw MalformedBatch.field(
                "\(batch.count - header.batchByteCount) bytes follow the batch")
        }
        guard batch.count <= bytesMax else {
            throw LogError(
                .recordTooLarge,
                "a batch of \(batch.count) bytes is over the limit of \(bytesMax) bytes")
        }
        try header.verify(batch)
        try validateFields(header)
        try validateRecords(
            try BatchRecords(batch, header, decompressor, limit: decompressedBytesMax))
        return header
    }

    private func validateFields(_ header: BatchHeader) throws(MalformedBatch) {
        _ = try header.compression
        let unknown = header.attributes.subtracting(.known)
        guard unknown.isEmpty else {
            throw .field("attributes have unknown bits: \(String(unknown.rawValue, radix: 2))")
        }
        guard !header.attributes.contains(.deleteHorizon) else {
            throw .field("a delete horizon is the log's to set")
        }
        guard !header.attributes.contains(.logAppendTime) else {
            throw .field("an append time is the log's to set")
        }
        guard allowsControl || !header.isControl else { throw .field("it is a control batch") }
        // The largest delta has no 32-bit number above it.
        guard Int64(header.recordsCount) == Int64(header.lastOffsetDelta) + 1 else {
            throw .field(
                "records count is \(header.recordsCount) and last offset delta "
                    + "\(header.lastOffsetDelta)")
        }
        try validateProducer(header)
    }

    private func validateProducer(_ header: BatchHeader) throws(MalformedBatch) {
        guard let producer = header.producer else {
            guard !header.isTransactional else { throw .field("a transaction needs a producer id") }
            guard header.baseSequence == -1 else {
                throw .field("base sequence is \(header.baseSequence) without a producer id")
            }
            return
        }
        guard producer.epoch >= 0 else { throw .field("producer epoch is \(producer.epoch)") }
        // Those of jobs are transactional and not numbered; markers never are.
        guard header.baseSequence >= 0 || header.isTransactional && header.baseSequence == -1 else {
            throw .field("base sequence is \(header.baseSequence)")
        }
    }

    private func validateRecords(_ records: BatchRecords) throws(MalformedBatch) {
        var records = records
        var expected: Int64 = 0
        while let record = try records.next() {
            guard records.lastDelta == expected else {
                throw .field("a record's offset delta is \(records.lastDelta), not \(expected)")
            }
            expected += 1
            try record.validateHeaders()
        }
    }
}
