// What compaction makes of one batch: it stays byte for byte, goes, or is written anew with fewer records
// (Kafka: Cleaner.cleanInto, MemoryRecords.filterTo). What stays of a batch keeps its offsets: the base
// offset and the last offset delta do not change, whatever goes.
//
// A tombstone or a marker that nothing needs any more stays until its delete horizon, so that a reader who
// has seen what it ends sees it as well. The horizon is set when a pass first finds it so: attribute bit 6,
// and the base timestamp is the horizon from then on (KIP-534). A tombstone with a horizon so says that no
// older record of its key is left.

import StreamJobsChecksum
import StreamJobsCompression

/// Belongs to one thread; to be given the batches of one pass in their order.
final class BatchCleaner {
    enum Outcome {
        case keep
        case drop
        /// A whole batch, valid until the next call.
        case replace(UnsafeRawBufferPointer)
    }

    private let survey: CleaningSurvey
    private let now: Timestamp
    private let newHorizon: Timestamp
    /// What batches that are written anew get; nil: what they have.
    private let topicCodec: CompressionCodec?
    private let reader = BatchRecordsReader()
    private lazy var compressor = Compressor()
    /// Producers of which a batch stays whose transaction has not ended yet.
    private var inTransaction: Set<Int64> = []
    /// The new batch, not compressed; and as it is written, if that is something else.
    private var memory = GrowingBytes()
    private var compressed = GrowingBytes()

    init(_ survey: CleaningSurvey, now: Timestamp, _ settings: TopicSettings) {
        self.survey = survey
        self.now = now
        newHorizon = now.advanced(by: settings.deleteRetention)
        topicCodec = settings.compression.codec
    }

    /// - Parameter isLast: It says where its segment ends, and stays for that.
    /// Throws `MalformedBatch`, or `StaleCleanerOffset`.
    func clean(_ header: BatchHeader, _ batch: UnsafeRawBufferPointer, isLast: Bool) throws
        -> Outcome
    {
        let isKept = isLast || survey.kept.contains(header.baseOffset)
        if header.isControl { return try cleanMarker(header, batch, isKept: isKept) }
        let outcome = try cleanData(header, batch, isKept: isKept)
        if header.isTransactional, let id = header.producer?.id {
            if case .drop = outcome {} else { inTransaction.insert(id) }
        }
        return outcome
    }

    private func cleanMarker(
        _ header: BatchHeader, _ batch: UnsafeRawBufferPointer, isKept: Bool
    ) throws -> Outcome {
        // Control records of kinds that this version does not know stay.
        guard let id = header.producer?.id, ProducerStates.marker(header, batch) != nil,
            inTransaction.remove(id) == nil
        else { return .keep }
        if let horizon = header.deleteHorizon {
            return horizon <= now && !isKept ? .drop : .keep
        }
        guard header.nextOffset <= survey.end.rawValue else { return .keep }
        let records = try reader.records(of: batch, header)
        return try replace(header, batch, records, horizon: newHorizon) { _ in true }
    }

    private func cleanData(
        _ header: BatchHeader, _ batch: UnsafeRawBufferPointer, isKept: Bool
    ) throws -> Outcome {
        if survey.aborted.contain(header) {
            if header.recordsCount == 0, isKept { return .keep }
            return isKept ? .replace(empty(header, batch)) : .drop
        }
        if header.recordsCount == 0 { return isKept ? .keep : .drop }
        guard header.baseOffset < survey.end.rawValue else { return .keep }
        let records = try reader.records(of: batch, header)
        let count = try count(header, records)
        if count.staying == 0 { return isKept ? .replace(empty(header, batch)) : .drop }
        let needsHorizon =
            count.hasTombstones && header.deleteHorizon == nil
            && header.nextOffset <= survey.end.rawValue
        if needsHorizon, header.nextOffset <= survey.firstDirty.rawValue {
            throw StaleCleanerOffset()
        }
        if count.staying == header.recordsCount, !needsHorizon { return .keep }
        return try replace(
            header, batch, records, horizon: needsHorizon ? newHorizon : nil
        ) { stays($0, header) }
    }

    private func count(_ header: BatchHeader, _ records: UnsafeRawBufferPointer) throws -> (
        staying: Int32, hasTombstones: Bool
    ) {
        var walk = RecordWalk(records, of: header)
        var staying: Int32 = 0
        var hasTombstones = false
        while let record = try walk.next() {
            guard stays(record, header) else { continue }
            staying += 1
            if record.isTombstone, record.key != nil { hasTombstones = true }
        }
        return (staying, hasTombstones)
    }

    private func stays(_ record: RecordParts, _ header: BatchHeader) -> Bool {
        let offset = header.baseOffset + record.offsetDelta
        // Of what has no key nothing is newer: records from before the topic was compacted.
        guard offset < survey.end.rawValue, let key = record.key else { return true }
        if let last = survey.keys.offset(of: key), offset < last { return false }
        guard record.isTombstone, let horizon = header.deleteHorizon else { return true }
        return horizon > now
    }

    // MARK: New batches

    /// The batch with its offsets and its producer, without records.
    private func empty(_ header: BatchHeader, _ batch: UnsafeRawBufferPointer)
        -> UnsafeRawBufferPointer
    {
        memory.reserve(BatchHeader.byteCount)
        var pointer = memory.pointer
        pointer.copy(UnsafeRawBufferPointer(rebasing: batch[..<BatchHeader.byteCount]))
        var attributes = header.attributes
        attributes.remove(.deleteHorizon)
        attributes = BatchHeader.Attributes(rawValue: attributes.rawValue & ~0b111)
        memory.pointer.storeBigEndian(attributes.rawValue, at: BatchHeader.Position.attributes)
        // As Kafka's: there is nothing that it is the base of.
        memory.pointer.storeBigEndian(Int64(-1), at: BatchHeader.Position.baseTimestamp)
        return Self.finish(memory.pointer, byteCount: BatchHeader.byteCount, recordsCount: 0)
    }

    /// The batch with the records that stay, and the delete horizon where one is given.
    private func replace(
        _ header: BatchHeader, _ batch: UnsafeRawBufferPointer, _ records: UnsafeRawBufferPointer,
        horizon: Timestamp?, where stays: (RecordParts) -> Bool
    ) throws -> Outcome {
        // A record grows by less than a longer length and a longer timestamp delta. How many there are is
        // only claimed where nobody has walked them yet, but each has a byte at least.
        let recordsMax = min(Int(header.recordsCount), records.count)
        memory.reserve(
            BatchHeader.byteCount + records.count + recordsMax * 2 * Varint.byteCountMax)
        var pointer = memory.pointer + BatchHeader.byteCount
        var count: Int32 = 0
        var latest = Int64.min
        var walk = RecordWalk(records, of: header)
        while let record = try walk.next() {
            guard stays(record) else { continue }
            count += 1
            // Wraps as reading does: the sum is the record's time again.
            let time = header.baseTimestamp &+ record.timestampDelta
            latest = max(latest, time)
            guard let horizon else {
                pointer.copy(record.bytes)
                continue
            }
            record.write(timestampDelta: time &- horizon.milliseconds, to: &pointer)
        }
        let byteCount = pointer - memory.pointer
        precondition(byteCount <= memory.count, "the room was computed wrongly")
        let isTooLarge =
            byteCount - BatchHeader.byteCount > Limits.decompressedBatchBytesMax
        // Neither markers nor what readers would not decompress.
        let codec = header.isControl || isTooLarge ? .none : try topicCodec ?? header.compression
        let (start, wholeCount) = try compress(byteCount, with: codec)
        copyHeader(header, batch, codec, horizon: horizon, latest: latest, to: start)
        return .replace(Self.finish(start, byteCount: wholeCount, recordsCount: count))
    }

    /// The records in `memory` as they are written, behind room for a header.
    private func compress(_ byteCount: Int, with codec: CompressionCodec) throws -> (
        UnsafeMutableRawPointer, byteCount: Int
    ) {
        guard codec != .none else { return (memory.pointer, byteCount) }
        let records = UnsafeRawBufferPointer(
            start: memory.pointer + BatchHeader.byteCount,
            count: byteCount - BatchHeader.byteCount)
        let bytes = try compressor.compress(records, with: codec)
        compressed.reserve(BatchHeader.byteCount + bytes.count)
        var pointer = compressed.pointer + BatchHeader.byteCount
        pointer.copy(bytes)
        return (compressed.pointer, BatchHeader.byteCount + bytes.count)
    }

    /// - Parameter latest: The largest timestamp of the records that stay; the batch's own stays where it
    /// was the log that gave it, for it is each record's.
    private func copyHeader(
        _ header: BatchHeader, _ batch: UnsafeRawBufferPointer, _ codec: CompressionCodec,
        horizon: Timestamp?, latest: Int64, to start: UnsafeMutableRawPointer
    ) {
        var pointer = start
        pointer.copy(UnsafeRawBufferPointer(rebasing: batch[..<BatchHeader.byteCount]))
        if !header.attributes.contains(.logAppendTime) {
            start.storeBigEndian(latest, at: BatchHeader.Position.maxTimestamp)
        }
        let rest = BatchHeader.Attributes(rawValue: header.attributes.rawValue & ~0b111)
        let attributes = rest.union(.init(rawValue: Int16(codec.rawValue)))
        start.storeBigEndian(
            (horizon == nil ? attributes : attributes.union(.deleteHorizon)).rawValue,
            at: BatchHeader.Position.attributes)
        guard let horizon else { return }
        start.storeBigEndian(horizon.milliseconds, at: BatchHeader.Position.baseTimestamp)
    }

    /// Sets what follows from the records: length, count and checksum.
    private static func finish(
        _ start: UnsafeMutableRawPointer, byteCount: Int, recordsCount: Int32
    ) -> UnsafeRawBufferPointer {
        typealias Position = BatchHeader.Position
        start.storeBigEndian(
            Int32(byteCount - BatchHeader.lengthOverhead), at: Position.batchLength)
        start.storeBigEndian(recordsCount, at: Position.recordsCount)
        let covered = UnsafeRawBufferPointer(
            start: start + Position.attributes, count: byteCount - Position.attributes)
        start.storeBigEndian(CRC32C.checksum(covered), at: Position.crc)
        return UnsafeRawBufferPointer(start: start, count: byteCount)
    }
}

/// The part that counts as clean holds a tombstone that no pass has seen: the note of what is clean is of
/// another log. What it calls dirty must begin at the start.
struct StaleCleanerOffset: Error {}

/// Memory that is kept for the next use; what it holds is not kept when it grows.
private final class GrowingBytes {
    private(set) var pointer: UnsafeMutableRawPointer
    private(set) var count = 4096

    init() { pointer = .allocate(byteCount: count, alignment: 16) }
    deinit { pointer.deallocate() }

    func reserve(_ byteCount: Int) {
        guard byteCount > count else { return }
        pointer.deallocate()
        count = max(byteCount, 2 * count)
        pointer = .allocate(byteCount: count, alignment: 16)
    }
}
