// What the coordinator knows of one transactional id, and how it goes on from one state to the next
// (Kafka: TransactionMetadata). A value without I/O.
//
//   Empty ──► Ongoing ──► PrepareCommit ──► CompleteCommit ──► Ongoing …
//                    └──► PrepareAbort  ──► CompleteAbort  ──► Ongoing …
//
// A flushed Prepare record is the decision. It carries the next epoch already, which the markers then
// write into every partition (KIP-890).

/// The state of a plain producer's transaction, by Kafka's names and numbers.
public enum TransactionState: Int8, Sendable, Hashable, CustomStringConvertible {
    case empty = 0
    case ongoing = 1
    /// Decided: it is committed, and markers are being written.
    case prepareCommit = 2
    case prepareAbort = 3
    case completeCommit = 4
    case completeAbort = 5

    public var description: String {
        switch self {
        case .empty: "Empty"
        case .ongoing: "Ongoing"
        case .prepareCommit: "PrepareCommit"
        case .prepareAbort: "PrepareAbort"
        case .completeCommit: "CompleteCommit"
        case .completeAbort: "CompleteAbort"
        }
    }

    /// The marker that ends, or has ended, the transaction in its partitions.
    var marker: TransactionMarker? {
        switch self {
        case .prepareCommit, .completeCommit: .commit
        case .prepareAbort, .completeAbort: .abort
        case .empty, .ongoing: nil
        }
    }

    /// Decided, and not yet known to be marked everywhere.
    var isPrepared: Bool { self == .prepareCommit || self == .prepareAbort }
}

package struct TransactionMetadata: Hashable, Sendable {
    package let transactionalID: String
    /// Whose markers are written, or who may write. In a Prepare state the epoch is the next one already.
    package var producer: ProducerStamp
    /// The producer id before this one, where epochs had run out; -1 if there was none.
    package var previousProducerID: Int64 = -1
    /// The producer id that takes over when the transaction is complete; -1 if this one goes on.
    package var nextProducerID: Int64 = -1
    package var timeout: Duration
    package var state = TransactionState.empty
    /// Where the transaction has, or may have, records without a marker.
    package var partitions: Set<TopicPartition> = []
    package var lastUpdate: Timestamp
    /// Of the last transaction; -1 if there was none.
    package var start = Timestamp(milliseconds: -1)

    package init(
        transactionalID: String, producer: ProducerStamp, timeout: Duration, lastUpdate: Timestamp
    ) {
        self.transactionalID = transactionalID
        self.producer = producer
        self.timeout = timeout
        self.lastUpdate = lastUpdate
    }

    /// Whether the next epoch is the last one, which is kept for the marker.
    var isExhausted: Bool { producer.epoch >= Limits.producerEpochMax }

    /// For a new holder of the transactional id: a stamp that nobody has had.
    mutating func handOver(to stamp: ProducerStamp, timeout: Duration, at time: Timestamp) {
        precondition(state != .ongoing && !state.isPrepared, "a transaction is open")
        if stamp.id != producer.id { previousProducerID = producer.id }
        producer = stamp
        self.timeout = timeout
        state = .empty
        partitions = []
        lastUpdate = time
        start = Timestamp(milliseconds: -1)
    }

    mutating func add(_ added: Set<TopicPartition>, at time: Timestamp) {
        precondition(!state.isPrepared, "the transaction is decided")
        if state != .ongoing {
            state = .ongoing
            partitions = []
            start = time
        }
        partitions.formUnion(added)
        lastUpdate = time
    }

    /// - Parameter nextProducerID: Needed where epochs have run out.
    mutating func prepare(_ marker: TransactionMarker, nextProducerID: Int64?, at time: Timestamp) {
        precondition(state == .ongoing, "there is no transaction to be decided")
        state = marker == .commit ? .prepareCommit : .prepareAbort
        self.nextProducerID = nextProducerID ?? -1
        producer = producer.next
        lastUpdate = time
    }

    mutating func complete(at time: Timestamp) {
        precondition(state.isPrepared, "the transaction is not decided")
        state = state == .prepareCommit ? .completeCommit : .completeAbort
        partitions = []
        if nextProducerID >= 0 {
            previousProducerID = producer.id
            producer = ProducerStamp(id: nextProducerID, epoch: 0)
            nextProducerID = -1
        }
        lastUpdate = time
    }

    /// Whether `stamp` is the one whose transaction was ended last, by the marker of the present state.
    func wasEnded(by stamp: ProducerStamp) -> Bool {
        guard state.marker != nil else { return false }
        if stamp.next == producer { return true }
        // The producer id before was left at its last epoch; earlier ones were fenced long ago.
        return producer.epoch == 0 && stamp.id == previousProducerID
            && stamp.epoch >= Limits.producerEpochMax
    }
}
