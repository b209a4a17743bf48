// What a partition knows of its producers: the epoch of each, its last batches, and which of them have a
// transaction open (Kafka: ProducerStateManager, ProducerAppendInfo). A pure function of the batches in
// their order: the owner feeds it what it appends, recovery and observers what they scan, and all come to
// the same. It decides what may be appended; it writes nothing.

package struct ProducerStates: Sendable {
    /// By producer id. `ProducerSnapshot.swift` reads and fills it.
    private(set) var states: [Int64: ProducerState] = [:]
    /// Ordered by first offset, so that the first undecided offset costs nothing to know.
    private var open: [OpenEntry] = []

    private struct OpenEntry {
        let first: Offset
        let producerID: Int64
    }

    package init() {}

    // MARK: What is known

    /// How many producers are known.
    package var count: Int { states.count }

    /// The first offset that is undecided; nil if no transaction is open.
    package var firstOpen: Offset? { open.first?.first }

    /// Ordered by first offset.
    package var openTransactions: [OpenTransaction] {
        open.map { entry in
            guard let state = states[entry.producerID] else {
                preconditionFailure("an open transaction has a producer")
            }
            return OpenTransaction(
                producer: ProducerStamp(id: entry.producerID, epoch: state.epoch),
                first: entry.first,
                lastTimestamp: Timestamp(milliseconds: state.lastTimestamp))
        }
    }

    /// The producer's current epoch: of its last batch, or the one that its last marker has begun.
    package func epoch(of producerID: Int64) -> Int16? { states[producerID]?.epoch }

    /// The sequence of the producer's last record in its current epoch; -1 if it has sent none.
    package func lastSequence(of producerID: Int64) -> Int32? { states[producerID]?.lastSequence }

    /// The highest id that is known; nil if none is.
    var highestID: Int64? { states.keys.max() }

    package func isOpen(_ producer: ProducerStamp) -> Bool {
        guard let state = states[producer.id] else { return false }
        return state.firstOpen != nil && state.epoch == producer.epoch
    }

    // MARK: Admission

    /// Whether a batch may be appended, or is already there. Changes nothing.
    ///
    /// Throws `producerFenced` for an epoch that is over, `outOfOrderSequence` for a batch that does not
    /// follow the producer's last one, and `invalidTransactionState` for one that would mix with an open
    /// transaction. A producer of which nothing is known may begin with any sequence: its records may
    /// have been deleted. Batches without sequence (-1) are held to the epoch alone.
    package func admit(_ header: BatchHeader, to partition: TopicPartition) throws -> Admission {
        guard let producer = header.producer, let state = states[producer.id] else {
            return .append
        }
        guard producer.epoch >= state.epoch else {
            throw LogError(
                .producerFenced,
                "\(producer) may not write to \(partition) any more: epoch \(state.epoch) has begun; "
                    + "begin a new producer")
        }
        if header.isControl { return .append }
        if let batch = state.duplicate(of: header, producer) {
            return .duplicate(first: Offset(batch.firstOffset), last: Offset(batch.lastOffset))
        }
        if let first = state.firstOpen {
            guard producer.epoch == state.epoch, header.isTransactional else {
                throw LogError(
                    .invalidTransactionState,
                    "\(producer) may not write to \(partition) outside of its transaction that is open "
                        + "there since offset \(first) in epoch \(state.epoch); end that one first")
            }
        }
        try requireInSequence(header, producer, state, partition)
        return .append
    }

    private func requireInSequence(
        _ header: BatchHeader, _ producer: ProducerStamp, _ state: ProducerState,
        _ partition: TopicPartition
    ) throws {
        guard header.baseSequence != ProducerSequence.none else { return }
        let expected =
            producer.epoch == state.epoch ? ProducerSequence.after(state.lastSequence, by: 1) : 0
        guard header.baseSequence == expected else {
            throw LogError(
                .outOfOrderSequence,
                "\(producer) sent sequence \(header.baseSequence) to \(partition) where \(expected) "
                    + "follows: a batch between was lost, or this one came too late to be told from a "
                    + "new one; begin a new producer")
        }
    }

    // MARK: Events

    /// Notes a data batch that lies in the log.
    package mutating func batchAppended(_ header: BatchHeader) {
        guard let producer = header.producer else { return }
        let begins = states[producer.id, default: ProducerState(producer.epoch)]
            .batchAppended(header, producer)
        // Offsets rise: the end is the place.
        guard begins else { return }
        open.append(OpenEntry(first: Offset(header.baseOffset), producerID: producer.id))
    }

    /// Notes a marker that lies in the log. The producer's epoch is the marker's from then on: one above
    /// that of the transaction (KIP-890), which fences its late writes and begins sequences anew; or the
    /// same one, in logs of older producers, whose sequences go on.
    ///
    /// Gives what belongs in the transaction index, if this aborts a transaction that is open.
    @discardableResult
    package mutating func markerAppended(
        _ marker: TransactionMarker, _ header: BatchHeader, coordinatorEpoch: Int32
    ) -> AbortedTransaction? {
        guard let producer = header.producer else { return nil }
        let first = states[producer.id, default: ProducerState(producer.epoch)]
            .markerAppended(header, producer, coordinatorEpoch: coordinatorEpoch)
        guard let first else { return nil }
        removeOpen(first)
        guard marker == .abort else { return nil }
        let last = Offset(header.baseOffset)
        return AbortedTransaction(
            producerID: producer.id, first: first, last: last, lastStable: firstOpen ?? last + 1)
    }

    private mutating func removeOpen(_ first: Offset) {
        var low = 0
        var high = open.count
        while low < high {
            let middle = (low + high) / 2
            if open[middle].first < first { low = middle + 1 } else { high = middle }
        }
        precondition(low < open.count && open[low].first == first, "the transaction is not open")
        open.remove(at: low)
    }

    // MARK: Expiry

    /// Forgets producers whose last record is from before `time` and which have appended nothing since
    /// the call before this one (record timestamps may be of another year); those that ever wrote in a
    /// transaction stay, for their epochs fence (Kafka: producer.id.expiration.ms).
    package mutating func expire(idleSince time: Timestamp) {
        states = states.filter { _, state in
            state.isTransactional || state.hasWritten || state.lastTimestamp >= time.milliseconds
        }
        for index in states.values.indices { states.values[index].hasWritten = false }
    }

    /// Whether these are `others` as they may be after `expire`.
    func areExpired(from others: ProducerStates) -> Bool {
        let kept = others.states.filter { states[$0.key] != nil }
        guard
            others.states.allSatisfy({ states[$0.key] != nil || !$0.value.isTransactional }),
            let expected = ProducerStates(restored: kept)
        else { return false }
        return snapshot() == expected.snapshot()
    }

    // MARK: Snapshots

    /// Nil where two transactions begin at the same offset.
    init?(restored: [Int64: ProducerState]) {
        states = restored
        open = restored.compactMap { id, state in
            state.firstOpen.map { OpenEntry(first: $0, producerID: id) }
        }
        open.sort { $0.first < $1.first }
        for (entry, next) in zip(open, open.dropFirst()) where entry.first == next.first {
            return nil
        }
    }
}

/// What becomes of a batch.
package enum Admission: Equatable, Sendable {
    case append
    /// It is in the log already, at these offsets: a retry.
    case duplicate(first: Offset, last: Offset)
}

/// A transaction that has records in a partition and no marker yet.
package struct OpenTransaction: Sendable {
    package let producer: ProducerStamp
    package let first: Offset
    /// The largest timestamp of its last batch.
    package let lastTimestamp: Timestamp
}

/// An entry of the transaction index (Kafka: AbortedTxn).
package struct AbortedTransaction: Equatable, Sendable {
    package let producerID: Int64
    package let first: Offset
    /// The marker's offset.
    package let last: Offset
    /// Below it everything was decided once the marker was there.
    package let lastStable: Offset

    package init(producerID: Int64, first: Offset, last: Offset, lastStable: Offset) {
        self.producerID = producerID
        self.first = first
        self.last = last
        self.lastStable = lastStable
    }
}

/// An aborted transaction in one partition: no reader of committed data sees `producerID`'s records
/// from `first` to `last`.
package struct AbortedRange: Sendable {
    package let producerID: Int64
    package let first: Offset
    package let last: Offset

    package init(producerID: Int64, first: Offset, last: Offset) {
        self.producerID = producerID
        self.first = first
        self.last = last
    }

    package init(_ aborted: AbortedTransaction) {
        self.init(producerID: aborted.producerID, first: aborted.first, last: aborted.last)
    }
}
