public import StreamJobsLog

/// What a task may do during a call: send, set timers, ask for the time. Gone when the call returns.
public struct TaskContext: ~Copyable {
    @usableFromInline let core: TaskCore

    init(_ core: TaskCore) { self.core = core }

    /// The partition number of this task.
    public var partition: Int { core.partition }

    /// The event time of the record or timer that the task is called for.
    public var timestamp: Timestamp { core.currentTimestamp }

    /// Event time: no record before it is expected any more. It never goes back.
    public var watermark: Timestamp { core.eventTime.watermark }

    /// Whether the record came after event time had passed it by more than the allowed disorder.
    public var isLate: Bool { core.currentTimestamp < core.eventTime.watermark }

    @usableFromInline var recordPartition: PartitionID { core.currentPartition }

    /// Notes that the task has left a record out because it was late; the run reports how many.
    public mutating func countLate() { core.lateCount += 1 }

    /// Sends a value. The record becomes visible with the next commit, or never.
    /// - Parameters:
    ///   - key: Chooses the partition, as Kafka's default partitioner does. Null stays null.
    ///   - timestamp: That of the record or timer the task is called for, unless given.
    /// - Throws: `SerdeError` if key or value cannot be encoded, `recordTooLarge`.
    @inlinable
    public mutating func send<Key, Value>(
        _ value: Value, to output: Output<Key, Value>, key: Key?, timestamp: Timestamp? = nil,
        headers: [Header] = []
    ) throws {
        core.keyBytes.removeAll(keepingCapacity: true)
        core.valueBytes.removeAll(keepingCapacity: true)
        let isKeyNull = key.map(output.key.isNull) ?? true
        if let key, !isKeyNull { try output.key.encode(key, &core.keyBytes) }
        let isValueNull = output.value.isNull(value)
        if !isValueNull { try output.value.encode(value, &core.valueBytes) }
        try core.emit(
            toOutput: output.number, named: output.topic, isKeyNull: isKeyNull,
            isValueNull: isValueNull, timestamp: timestamp ?? self.timestamp, headers: headers)
    }

    /// Asks for a commit after this call, before the task is called again. Other tasks of its thread commit with
    /// it. Tasks commit by themselves in time; this is for what is to be seen at once.
    public mutating func commit() { core.request(.commit) }

    /// Ends the run of the whole job after this call: all tasks commit what they have done. The next run goes on
    /// behind this record.
    public mutating func shutdown() { core.request(.shutdown) }

    /// Sends a value to another task of the job, grouped by `key`.
    @inlinable
    public mutating func send<Key, Value>(
        _ value: Value, to topic: Repartition<Key, Value>, key: Key, timestamp: Timestamp? = nil
    ) throws {
        try send(value, to: topic.output, key: key, timestamp: timestamp)
    }

    /// Calls `timerFired` once when event time reaches `time`; at once, after this call, if it has. The
    /// same time and key set twice is one timer. Kept over crashes with the task's state. Throws for a key
    /// of more than 400 bytes.
    public mutating func setTimer(at time: Timestamp, key: String) throws {
        guard key.utf8.count <= Limits.timerKeyBytes else {
            throw JobError(
                .refused,
                "a timer's key has at most \(Limits.timerKeyBytes) bytes, not \(key.utf8.count)")
        }
        core.timers.set(EventTimer(time: time, key: key))
    }
}
