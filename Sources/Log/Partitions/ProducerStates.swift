// What a partition knows of its producers: the highest epoch of each, which have a transaction open and
// which offsets were aborted. A pure function of the batches in their order: the owner feeds it what it
// appends, recovery and observers what they scan, and all come to the same.

/// An aborted transaction in one partition: no reader of committed data sees `producerID`'s records
/// from `first` to `last`.
package struct AbortedRange {
    package let producerID: Int64
    package let first: Offset
    package let last: Offset

    package init(producerID: Int64, first: Offset, last: Offset) {
        self.producerID = producerID
        self.first = first
        self.last = last
    }
}

/// A transaction that has records in a partition and no marker yet.
package struct OpenTransaction: Sendable {
    package let producer: ProducerStamp
    package let first: Offset
}

package struct ProducerStates {
    private struct State {
        var epoch: Int16
        /// Set while a transaction is open.
        var firstOpen: Offset?
        /// The epoch of the last marker: KIP-890 lets no data of that epoch follow it.
        var endedEpoch: Int16 = -1
    }

    private var states: [Int64: State] = [:]
    package private(set) var aborted: [AbortedRange] = []

    package init() {}

    package var openTransactions: [OpenTransaction] {
        states.compactMap { id, state in
            state.firstOpen.map {
                OpenTransaction(producer: ProducerStamp(id: id, epoch: state.epoch), first: $0)
            }
        }
    }

    /// The first offset that is undecided.
    package var firstOpen: Offset? { states.values.lazy.compactMap(\.firstOpen).min() }

    package func epoch(of producerID: Int64) -> Int16? { states[producerID]?.epoch }

    package func isOpen(_ producer: ProducerStamp) -> Bool {
        guard let state = states[producer.id] else { return false }
        return state.firstOpen != nil && state.epoch == producer.epoch
    }

    /// Throws `producerFenced` if a batch of `producer` must not be appended any more.
    package func admit(
        _ producer: ProducerStamp, isTransactional: Bool, to partition: TopicPartition
    )
        throws
    {
        guard let state = states[producer.id] else { return }
        let isLate = isTransactional && producer.epoch <= state.endedEpoch
        guard producer.epoch >= state.epoch, !isLate else {
            throw LogError(
                .producerFenced,
                "\(producer) may not write to \(partition) any more: epoch \(state.epoch) has "
                    + "begun or its transaction has ended")
        }
        precondition(
            state.firstOpen == nil || producer.epoch == state.epoch,
            "\(producer) begins a transaction in \(partition) while epoch \(state.epoch) is open")
    }

    package mutating func dataAppended(
        _ producer: ProducerStamp, isTransactional: Bool, at offset: Offset
    ) {
        var state = states[producer.id] ?? State(epoch: producer.epoch)
        state.epoch = producer.epoch
        if isTransactional, state.firstOpen == nil { state.firstOpen = offset }
        states[producer.id] = state
    }

    package mutating func markerAppended(
        _ marker: TransactionMarker, _ producer: ProducerStamp, at offset: Offset
    ) {
        var state = states[producer.id] ?? State(epoch: producer.epoch)
        if let first = state.firstOpen, marker == .abort {
            aborted.append(AbortedRange(producerID: producer.id, first: first, last: offset))
        }
        state.epoch = producer.epoch
        state.endedEpoch = producer.epoch
        state.firstOpen = nil
        states[producer.id] = state
    }
}
