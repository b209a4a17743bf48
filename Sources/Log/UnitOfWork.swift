/// What a piece of work has to say, gathered in memory: published as one transaction when the work has
/// succeeded, forgotten when it has not. `TransactionalProducer.transaction` gives one. Not copyable: a copy
/// would share the batches, and take back nothing.
public struct UnitOfWork: ~Copyable {
    private let log: CommitLog
    var records: GatheredRecords

    init(_ log: CommitLog, _ settings: TransactionalProducerSettings) {
        self.log = log
        records = GatheredRecords(settings)
    }

    /// How many records were gathered.
    public var count: Int { records.recordCount }

    /// Gathers a record. Nothing is written until the work is done.
    ///
    /// Throws `noSuchTopic`, also for a partition that is not there, `invalidArgument` for the log's own
    /// topics, `invalidRecord` for a null key in a compacted topic, and `recordTooLarge` for a record over
    /// the limit or where the work has gathered more than `Limits.unitOfWorkBytesMax`.
    ///
    /// - Parameters:
    ///   - value: nil is a tombstone, which is not an empty value.
    ///   - key: Chooses the partition by its hash; records without a key go to one partition together.
    ///   - partition: nil is the partitioner's choice.
    ///   - timestamp: nil is the time of the call.
    public mutating func send(
        _ value: [UInt8]?, key: [UInt8]? = nil, to topic: String, partition: PartitionID? = nil,
        timestamp: Timestamp? = nil, headers: [Header] = []
    ) throws {
        guard records.byteCount <= Limits.unitOfWorkBytesMax else {
            throw LogError(
                .recordTooLarge,
                "a unit of work holds at most \(Limits.unitOfWorkBytesMax) bytes, and this one has "
                    + "\(records.byteCount); divide it, or use begin, send and commit")
        }
        try records.add(
            value, key: key, to: topic, of: log, partition: partition, timestamp: timestamp,
            headers: headers)
    }

    /// The same with text.
    public mutating func send(_ value: String, key: String? = nil, to topic: String) throws {
        try send(Array(value.utf8), key: key.map { Array($0.utf8) }, to: topic)
    }
}
