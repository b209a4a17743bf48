// Builders for the tests of compaction: keyed batches of any kind, and passes at a given time.

import StreamJobsCompression
import StreamJobsLog
import TestSupport
import Testing

/// A record to be appended: a key and a value, nil for a tombstone.
struct Keyed {
    var key: String
    var value: String?
    init(_ key: String, _ value: String?) {
        self.key = key
        self.value = value
    }
}

/// What a batch is like, but for its records.
struct BatchKind {
    var timestamp: Int64 = 0
    var producer: ProducerStamp?
    var isTransactional = false
    var sequence: Int32 = -1
    var codec = CompressionCodec.none
}

extension Partition {
    @discardableResult
    func put(_ records: [Keyed], _ kind: BatchKind = BatchKind()) throws -> Offset {
        let builder = BatchBuilder()
        for record in records {
            try builder.append(
                key: Array(record.key.utf8), value: record.value.map { Array($0.utf8) },
                timestamp: Timestamp(milliseconds: kind.timestamp),
                headers: [Header("of", Array(record.key.utf8))])
        }
        var batch = withExtendedLifetime(builder) {
            Array(
                builder.seal(
                    producer: kind.producer, baseSequence: kind.sequence,
                    isTransactional: kind.isTransactional))
        }
        if kind.codec != .none {
            let compressor = Compressor()
            let records = try batch[61...].withUnsafeBytes {
                Array(try compressor.compress($0, with: kind.codec))
            }
            batch.replaceSubrange(61..., with: records)
            let length = Int32(batch.count - 12)
            withUnsafeBytes(of: length.bigEndian) { batch.replaceSubrange(8..<12, with: $0) }
            batch[22] |= kind.codec.rawValue
            mendChecksum(&batch)
        }
        return try batch.withUnsafeMutableBytes { try append($0) }
    }

    /// One record without a producer.
    @discardableResult
    func put(_ key: String, _ value: String?, at timestamp: Int64 = 0) throws -> Offset {
        try put([Keyed(key, value)], BatchKind(timestamp: timestamp))
    }

    /// Ends the active segment.
    func fill(_ key: String = "filler", bytes: Int = 3000) throws {
        try put(key, String(repeating: "x", count: bytes))
    }

    /// One pass; gives where the dirty part begins then.
    @discardableResult
    func clean(at now: Int64 = 1000, from: Offset? = nil) throws -> Offset? {
        try compact(now: Timestamp(milliseconds: now), from: from)
    }

    /// Keys and values of what a reader of committed data sees, but for the filler.
    func pairs(_ isolation: Isolation = .readCommitted) throws -> [String] {
        try entries(isolation).compactMap { entry in
            let key = String(decoding: entry.key ?? [], as: UTF8.self)
            guard key != "filler" else { return nil }
            return key + "=" + (entry.value.map { String(decoding: $0, as: UTF8.self) } ?? "null")
        }
    }

    private func entries(_ isolation: Isolation) throws -> [Entry] {
        try entries(from: startOffset.rawValue, isolation)
    }
}

extension TestLog {
    /// A log whose topic is compacted whenever something is dirty.
    static func compacted(segmentBytes: Int = 3000, _ changes: [(String, String)] = []) throws
        -> TestLog
    {
        let log = try TestLog(segmentBytes: segmentBytes)
        try log.alter(
            [("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0")] + changes)
        return log
    }

    func alter(_ changes: [(String, String)]) throws {
        try withOwner { log, _ in
            try log.alterTopic("t", changes.map { (name: $0.0, value: $0.1) })
        }
    }

    var partitionDirectory: String { directory.path + "/t-0" }

    func batches() throws -> [ParsedBatch] {
        try SegmentParser.batches(inDirectory: partitionDirectory)
    }
}
