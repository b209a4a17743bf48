package import StreamJobs
import StreamJobsCompression
package import StreamJobsLog
import Synchronization

package final class MemoryPartition: JobLogPartition {
    package let name: TopicPartition
    package let topicID: TopicID
    package let settings: TopicSettings
    private let signals = AppendSignals()
    private let state = Mutex(State())

    private struct State {
        var batches: [StoredBatch] = []
        var producers = ProducerStates()
        var aborted: [AbortedRange] = []
        var logEnd = Offset.zero
        var lastStable: Offset { producers.firstOpen ?? logEnd }
    }

    /// A batch's bytes, which do not change once it is appended.
    final class StoredBatch: Sendable {
        // Written in init only, freed in deinit.
        nonisolated(unsafe) let bytes: UnsafeRawBufferPointer
        let header: BatchHeader

        init(_ batch: UnsafeMutableRawBufferPointer, at offset: Offset) {
            let copy = UnsafeMutableRawBufferPointer.allocate(
                byteCount: batch.count, alignment: 16)
            copy.copyMemory(from: UnsafeRawBufferPointer(batch))
            header = BatchHeader.place(copy, at: offset, leaderEpoch: 0)
            bytes = UnsafeRawBufferPointer(copy)
        }

        deinit { bytes.deallocate() }
    }

    init(_ name: TopicPartition, topicID: TopicID, settings: TopicSettings) {
        self.name = name
        self.topicID = topicID
        self.settings = settings
    }

    package var startOffset: Offset { .zero }
    package var logEndOffset: Offset { state.withLock { $0.logEnd } }
    package var flushedOffset: Offset { logEndOffset }
    package var lastStableOffset: Offset { state.withLock { $0.lastStable } }
    package var openTransactions: [OpenTransaction] {
        state.withLock { $0.producers.openTransactions }
    }
    package func leaderEpoch(at offset: Offset) -> Int32 { 0 }
    package func epoch(of producerID: Int64) -> Int16? {
        state.withLock { $0.producers.epoch(of: producerID) }
    }

    @discardableResult
    package func append(_ batch: UnsafeMutableRawBufferPointer) throws -> Offset {
        defer { signals.notify() }
        return try state.withLock { state in
            let offset = state.logEnd
            let stored = StoredBatch(batch, at: offset)
            if case .duplicate(let first, _) = try state.producers.admit(stored.header, to: name) {
                return first
            }
            state.producers.batchAppended(stored.header)
            state.batches.append(stored)
            state.logEnd = Offset(stored.header.nextOffset)
            return offset
        }
    }

    package func end(_ producer: ProducerStamp, with marker: TransactionMarker) throws {
        defer { signals.notify() }
        state.withLock { state in
            guard state.producers.isOpen(producer) else { return }
            let offset = state.logEnd
            let batch = BatchBuilder.sealMarker(marker, of: producer.next)
            let stored = withExtendedLifetime(batch) { StoredBatch(batch.sealed, at: offset) }
            let ended = state.producers.markerAppended(
                marker, stored.header, coordinatorEpoch: 0)
            if let ended { state.aborted.append(AbortedRange(ended)) }
            state.batches.append(stored)
            state.logEnd = Offset(stored.header.nextOffset)
        }
    }

    package func flush() throws {}

    package func addSignal(_ signal: AppendSignal) { signals.add(signal) }
    package func removeSignal(_ signal: AppendSignal) { signals.remove(signal) }

    package func makeCursor(from offset: Offset, _ isolation: Isolation) -> any JobLogCursor {
        MemoryCursor(self, from: offset, isolation)
    }

    /// The first batch that ends behind `offset`, if readers of that isolation may look at it, and
    /// whether they may see its records.
    func batch(behind offset: Offset, _ isolation: Isolation) -> (StoredBatch, isVisible: Bool)? {
        state.withLock { state in
            let stored = state.batches.first { $0.header.nextOffset > offset.rawValue }
            let end = isolation == .readCommitted ? state.lastStable : state.logEnd
            guard let stored, stored.header.baseOffset < end.rawValue else {
                return nil
            }
            var hidden = isolation == .readUncommitted ? [] : state.aborted
            if isolation == .readDecided {
                hidden += state.producers.openTransactions.map {
                    AbortedRange(producerID: $0.producer.id, first: $0.first, last: end)
                }
            }
            let isHidden = hidden.contains {
                $0.producerID == stored.header.producer?.id
                    && $0.first.rawValue <= stored.header.baseOffset
                    && stored.header.baseOffset <= $0.last.rawValue
            }
            return (stored, !stored.header.isControl && !isHidden)
        }
    }
}

final class MemoryCursor: JobLogCursor {
    private let partition: MemoryPartition
    private let isolation: Isolation
    private(set) var position: Offset
    private var batch: MemoryPartition.StoredBatch?
    private var records: BatchRecords?
    private var record: RecordView?
    private lazy var decompressor = Decompressor()

    init(_ partition: MemoryPartition, from offset: Offset, _ isolation: Isolation) {
        self.partition = partition
        self.isolation = isolation
        position = offset
    }

    var recordTimestamp: Timestamp? { record?.timestamp }
    var recordOffset: Offset? { record?.offset }

    func hasRecord() throws -> Bool {
        while record == nil {
            guard var records = try open() else { return false }
            if let next = try records.next() {
                self.records = records
                record = consume next
            } else {
                close(records)
            }
        }
        return true
    }

    func open() throws -> BatchRecords? {
        while records == nil {
            guard let (stored, isVisible) = partition.batch(behind: position, isolation) else {
                return nil
            }
            batch = stored
            if isVisible {
                var opened = try BatchRecords(stored.bytes, stored.header, decompressor)
                try opened.skip(to: position)
                records = opened
            } else {
                position = Offset(stored.header.nextOffset)
            }
        }
        return records
    }

    func close(_ read: BatchRecords) {
        position = max(position, Offset(read.left == 0 ? read.nextOffset : read.position))
        records = read.left == 0 ? nil : read
    }

    func damagedRecord(_ damage: MalformedBatch) -> LogError {
        LogError(.corrupted, "\(partition.name) holds a damaged record: \(damage)")
    }

    func withRecord(_ body: (borrowing RecordView) throws -> Void) throws {
        guard record != nil else { preconditionFailure("hasRecord() was not asked") }
        try body(record!)
    }

    func take() {
        guard let offset = record?.offset else { preconditionFailure("there is no record to take") }
        position = offset + 1
        record = nil
    }

    func seek(to offset: Offset) {
        position = offset
        records = nil
        record = nil
    }
}
