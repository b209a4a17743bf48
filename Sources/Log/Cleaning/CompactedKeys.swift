// In a compacted topic every record has a key: without one it could be neither replaced nor deleted.

extension LogError {
    /// Of a record without key that is sent to a compacted topic.
    package static func keyMissing(in topic: String) -> LogError {
        LogError(
            .invalidRecord,
            "a record for the topic '\(topic)' has no key, but the topic is compacted "
                + "(cleanup.policy=compact); give every record a key")
    }
}

/// Looks at the beginning of each record only: every append to a compacted topic pays for it.
package enum NullKeys {
    /// A key's length of -1, as it is encoded.
    private static let null: UInt8 = 1

    /// The first record without key, counted from 0. Throws where a length cannot be true.
    package static func first(in records: UnsafeRawBufferPointer, of header: BatchHeader)
        throws(MalformedBatch) -> Int32?
    {
        guard header.recordsCount > 0, let base = records.baseAddress else { return nil }
        // Every read below is behind a comparison with `end`.
        let end = base + records.count
        var record = base
        for index in 0..<header.recordsCount {
            var length: UInt64 = 0
            var shift: UInt64 = 0
            while true {
                guard record < end, shift < 35 else { throw .cutShort }
                let byte = record.load(as: UInt8.self)
                record += 1
                length |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { break }
                shift += 7
            }
            // Lengths are zigzag numbers, so that odd ones are negative.
            let count = Int(length >> 1)
            guard length & 1 == 0, count <= end - record else { throw .cutShort }
            let next = record + count
            // Attributes, and behind them the deltas of timestamp and offset.
            var field = record + 1
            for _ in 0..<2 {
                while field < next, field.load(as: UInt8.self) >= 0x80 { field += 1 }
                field += 1
            }
            guard field < next else { throw .cutShort }
            if field.load(as: UInt8.self) == null { return index }
            record = next
        }
        return nil
    }
}

extension TopicSettings {
    /// How long the active segment may take records: what stays in it is not compacted (Kafka's LogConfig
    /// has the smaller of `segment.ms` and `max.compaction.lag.ms` as well).
    var activeSpanMax: Duration? {
        guard cleanupPolicy.contains(.compact), let lag = compactionLagMax else {
            return segmentSpan
        }
        return segmentSpan.map { min($0, lag) } ?? lag
    }
}
