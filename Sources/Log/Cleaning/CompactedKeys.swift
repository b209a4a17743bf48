// In a compacted topic every record has a key: without one it could be neither replaced nor deleted.

import StreamJobsCompression

extension Partition {
    /// Throws `invalidRecord` for a batch with a null key in a compacted topic.
    func requireKeys(_ batch: UnsafeRawBufferPointer) throws {
        guard settings.cleanupPolicy.contains(.compact) else { return }
        do {
            let header = try BatchHeader(batch)
            guard !header.isControl else { return }
            let reader = BatchRecordsReader()
            var walk = RecordWalk(try reader.records(of: batch, header), of: header)
            while let record = try walk.next() {
                guard record.key == nil else { continue }
                throw LogError(
                    .invalidRecord,
                    "record \(record.offsetDelta) of a batch for \(name) has no key, but the topic is "
                        + "compacted (cleanup.policy=compact); give every record a key")
            }
        } catch let damage as MalformedBatch {
            throw LogError(.invalidRecord, "a batch for \(name) cannot be read: \(damage)")
        }
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
