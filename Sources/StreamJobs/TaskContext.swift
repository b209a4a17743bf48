public import StreamJobsLog

/// What a task may do during a call: send, set timers, ask for the time. Gone when the call returns.
public struct TaskContext: ~Copyable {
    @usableFromInline let core: TaskCore

    // The core's, lent for a batch of records or a timer: plain fields cost nothing.
    @usableFromInline var currentTimestamp = Timestamp.distantPast
    @usableFromInline var eventTime: Timestamp
    @usableFromInline var promise: Timestamp
    /// The next timer's time; the distant future where there is none.
    @usableFromInline var nextTimer: Timestamp
    @usableFromInline var lateCount: Int64
    /// A store of the task asks for the time.
    @usableFromInline let isTimeAsked: Bool
    /// The runner is asked something before the next record.
    @usableFromInline var isToPause = false
    @usableFromInline var keyBytes: [UInt8]
    @usableFromInline var valueBytes: [UInt8]

    /// Lends what is in `core` until `core.take(back:)`.
    init(_ core: TaskCore) {
        self.core = core
        eventTime = core.eventTime.watermark
        promise = core.promise
        nextTimer = core.timers.next?.time ?? .distantFuture
        lateCount = core.lateCount
        isTimeAsked = core.isTimeAsked
        keyBytes = core.lendKeyBytes()
        valueBytes = core.lendValueBytes()
    }

    /// The partition number of this task.
    public var partition: Int { core.partition }

    /// The event time of the record or timer that the task is called for.
    @inlinable public var timestamp: Timestamp { currentTimestamp }

    /// Event time: no record before it is expected any more. It never goes back.
    @inlinable public var watermark: Timestamp { eventTime }

    /// Whether the record came after event time had passed it by more than the allowed disorder.
    @inlinable public var isLate: Bool { currentTimestamp < eventTime }

    /// Notes that the task has left a record out because it was late; the run reports how many.
    @inlinable public mutating func countLate() { lateCount += 1 }

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
        keyBytes.removeAll(keepingCapacity: true)
        valueBytes.removeAll(keepingCapacity: true)
        let isKeyNull = key.map(output.key.isNull) ?? true
        if let key, !isKeyNull { try output.key.encode(key, &keyBytes) }
        let isValueNull = output.value.isNull(value)
        if !isValueNull { try output.value.encode(value, &valueBytes) }
        try emit(
            toOutput: output.number, named: output.topic, isKeyNull: isKeyNull,
            isValueNull: isValueNull, timestamp: timestamp ?? self.timestamp, headers: headers)
    }

    /// Asks for a commit after this call, before the task is called again. Other tasks of its thread commit with
    /// it. Tasks commit by themselves in time; this is for what is to be seen at once.
    public mutating func commit() {
        core.request(.commit)
        isToPause = true
    }

    /// Ends the run of the whole job after this call: all tasks commit what they have done. The next run goes on
    /// behind this record.
    public mutating func shutdown() {
        core.request(.shutdown)
        isToPause = true
    }

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
        nextTimer = min(nextTimer, time)
    }

    /// Sends what lies in `keyBytes` and `valueBytes`.
    @usableFromInline
    mutating func emit(
        toOutput number: Int, named topic: String, isKeyNull: Bool, isValueNull: Bool,
        timestamp: Timestamp, headers: [Header]
    ) throws {
        try keyBytes.withUnsafeBytes { key in
            try valueBytes.withUnsafeBytes { value in
                try core.emit(
                    toOutput: number, named: topic, key: isKeyNull ? nil : key,
                    value: isValueNull ? nil : value, timestamp: timestamp, promise: promise,
                    headers: headers)
            }
        }
        if core.sentTooMuch { isToPause = true }
    }

    // MARK: The loop over a batch

    /// The task is to be called for a record of that time.
    @inlinable @inline(__always)
    mutating func begin(_ timestamp: Timestamp) {
        currentTimestamp = timestamp
        promise = max(promise, eventTime)
        if isTimeAsked { core.toldTime = (watermark: eventTime, record: timestamp) }
    }

    /// Moves event time on, behind the record that was taken last. Whether something else comes before the
    /// next one: a timer that is due, or a commit.
    @inlinable @inline(__always)
    mutating func mustPause(after batch: borrowing RecordBatch) -> Bool {
        eventTime = max(eventTime, Timestamp(milliseconds: batch.watermark))
        if isToPause || eventTime >= nextTimer { return true }
        return batch.left & 63 == 0 && core.mustCommit
    }
}
