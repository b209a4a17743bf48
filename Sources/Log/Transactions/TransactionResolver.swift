// Transactions whose producer has no transactional id belong to somebody who decides elsewhere: a job's
// are decided by its state alone. The log cannot know; it asks.

/// What has become of a transaction that the log itself does not decide.
package enum TransactionDecision: Sendable {
    /// It is committed, and its marker will be written.
    case decided
    /// Its owner is known and has not decided it.
    case undecided
    /// Nobody knows its owner.
    case unknown
}

/// Given to the log by whoever runs jobs on it. Any thread may call.
package protocol TransactionResolver: Sendable {
    func decision(on transaction: OpenTransaction, in partition: TopicPartition) throws
        -> TransactionDecision
}
