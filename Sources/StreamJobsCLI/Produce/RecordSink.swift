// Where `produce` sends records: a batching producer, or transactions of so many records each.

import StreamJobsLog

/// How records are sent. Belongs to one thread.
final class RecordSink {
    private enum Producing {
        case plain(Producer)
        case transactions(TransactionalProducer, size: Int)
    }

    private let topic: Topic
    private let partition: PartitionID?
    private let producing: Producing
    /// Records of the open transaction.
    private var openCount = 0
    /// Records of transactions that are committed.
    private var committedCount = 0

    init(
        _ log: CommitLog, _ topic: Topic, partition: PartitionID?, _ settings: ProducerSettings
    ) throws {
        self.topic = topic
        self.partition = partition
        producing = .plain(try Producer(log, settings))
    }

    /// - Parameter size: Records of a transaction.
    init(
        _ log: CommitLog, _ topic: Topic, partition: PartitionID?, transactionalID: String,
        _ settings: TransactionalProducerSettings, size: Int
    ) throws {
        self.topic = topic
        self.partition = partition
        producing = .transactions(
            try TransactionalProducer(log, transactionalID: transactionalID, settings), size: size)
    }

    /// Records that readers of committed data see, or will see without anything being done.
    var writtenCount: Int {
        switch producing {
        case .plain(let producer): producer.writtenCount
        case .transactions: committedCount
        }
    }

    /// With acks none: records that could not be written.
    var droppedCount: Int {
        switch producing {
        case .plain(let producer): producer.droppedCount
        case .transactions: 0
        }
    }

    var isTransactional: Bool {
        if case .transactions = producing { true } else { false }
    }

    func send(_ value: [UInt8]?, key: [UInt8]?, timestamp: Timestamp?, headers: [Header]) throws {
        switch producing {
        case .plain(let producer):
            try producer.send(
                value, key: key, to: topic, partition: partition, timestamp: timestamp,
                headers: headers)
        case .transactions(let producer, let size):
            if openCount == 0 { try producer.begin() }
            openCount += 1
            try producer.send(
                value, key: key, to: topic.name, partition: partition, timestamp: timestamp,
                headers: headers)
            if openCount == size { try commit(producer) }
        }
    }

    /// What was sent is in the log as the acks say. An open transaction stays open: only whole ones are
    /// seen.
    func flush() throws {
        if case .plain(let producer) = producing { try producer.flush() }
    }

    /// As `flush`, and commits what is left.
    func finish() throws {
        try flush()
        if case .transactions(let producer, _) = producing, openCount > 0 { try commit(producer) }
    }

    /// Aborts what is left.
    func abandon() throws {
        if case .transactions(let producer, _) = producing { try producer.abort() }
    }

    private func commit(_ producer: TransactionalProducer) throws {
        try producer.commit()
        committedCount += openCount
        openCount = 0
    }
}
