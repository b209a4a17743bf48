// One producer in one partition (Kafka: ProducerStateEntry). A value of fixed size: nothing is allocated
// per batch.

struct ProducerState: Sendable {
    private(set) var epoch: Int16
    /// Of the coordinator that wrote the last marker; -1 if there was none.
    private(set) var coordinatorEpoch: Int32 = -1
    /// The largest timestamp of the last batch or marker, in milliseconds; -1 if there was none.
    private(set) var lastTimestamp: Int64 = -1
    /// Set while a transaction is open.
    private(set) var firstOpen: Offset?
    private var batches = RecentBatches()
    /// Something was appended since producers were last looked through for idle ones.
    var hasWritten = true

    init(_ epoch: Int16) { self.epoch = epoch }

    init(
        epoch: Int16, coordinatorEpoch: Int32, lastTimestamp: Int64, firstOpen: Offset?,
        lastBatch: SequencedBatch?
    ) {
        self.epoch = epoch
        self.coordinatorEpoch = coordinatorEpoch
        self.lastTimestamp = lastTimestamp
        self.firstOpen = firstOpen
        if let lastBatch { batches.append(lastBatch) }
    }

    /// Every transaction is open or was ended by a marker.
    var isTransactional: Bool { firstOpen != nil || coordinatorEpoch >= 0 }
    var lastBatch: SequencedBatch? { batches.last }
    var lastSequence: Int32 { batches.last?.lastSequence ?? ProducerSequence.none }

    /// The batch among the last ones of this epoch that has exactly the same sequences.
    func duplicate(of header: BatchHeader, _ producer: ProducerStamp) -> SequencedBatch? {
        guard producer.epoch == epoch, header.baseSequence >= 0 else { return nil }
        let last = ProducerSequence.after(header.baseSequence, by: header.lastOffsetDelta)
        return batches.first { $0.firstSequence == header.baseSequence && $0.lastSequence == last }
    }

    /// True if a transaction begins with the batch.
    mutating func batchAppended(_ header: BatchHeader, _ producer: ProducerStamp) -> Bool {
        begin(producer.epoch)
        batches.append(
            SequencedBatch(
                lastSequence: header.baseSequence < 0
                    ? ProducerSequence.none
                    : ProducerSequence.after(header.baseSequence, by: header.lastOffsetDelta),
                offsetDelta: header.lastOffsetDelta, lastOffset: header.nextOffset - 1))
        lastTimestamp = header.maxTimestamp
        hasWritten = true
        guard header.isTransactional, firstOpen == nil else { return false }
        firstOpen = Offset(header.baseOffset)
        return true
    }

    /// The first offset of the transaction that this has ended.
    mutating func markerAppended(
        _ header: BatchHeader, _ producer: ProducerStamp, coordinatorEpoch: Int32
    ) -> Offset? {
        begin(producer.epoch)
        self.coordinatorEpoch = coordinatorEpoch
        lastTimestamp = header.maxTimestamp
        hasWritten = true
        defer { firstOpen = nil }
        return firstOpen
    }

    private mutating func begin(_ epoch: Int16) {
        guard epoch != self.epoch else { return }
        self.epoch = epoch
        batches.removeAll()
    }
}

/// A batch that a retry is recognised by.
struct SequencedBatch: Sendable {
    /// -1: the batch has no sequences.
    let lastSequence: Int32
    let offsetDelta: Int32
    let lastOffset: Int64

    var firstOffset: Int64 { lastOffset - Int64(offsetDelta) }
    var firstSequence: Int32 {
        lastSequence < 0
            ? ProducerSequence.none : ProducerSequence.after(lastSequence, by: -offsetDelta)
    }
}

/// Sequence numbers count a producer's records in a partition: from 0 in each epoch, 31 bits, and from 0
/// again behind the last.
enum ProducerSequence {
    /// Of batches whose retries are not recognised.
    static let none: Int32 = -1

    static func after(_ sequence: Int32, by count: Int32) -> Int32 {
        Int32(truncatingIfNeeded: (Int64(sequence) + Int64(count)) & Int64(Int32.max))
    }
}

/// The last batches of a producer, as many as a client may have in flight.
private struct RecentBatches: Sendable {
    private static let empty = SequencedBatch(
        lastSequence: ProducerSequence.none, offsetDelta: 0, lastOffset: -1)
    /// A ring: `next` is where the next batch goes.
    private var ring = Limits.ProducerBatches(repeating: empty)
    private var next = 0
    private var count = 0

    var last: SequencedBatch? {
        first { _ in true }
    }

    mutating func append(_ batch: SequencedBatch) {
        ring[next] = batch
        next = (next + 1) % ring.count
        count = min(count + 1, ring.count)
    }

    mutating func removeAll() { count = 0 }

    /// Of the batches kept, newest first.
    func first(where matches: (SequencedBatch) -> Bool) -> SequencedBatch? {
        for age in 1...ring.count where age <= count {
            let batch = ring[(next + ring.count - age) % ring.count]
            if matches(batch) { return batch }
        }
        return nil
    }
}
