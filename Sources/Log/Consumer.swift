// Reads partitions, each in its order, from places that its user chooses. What a record costs is a few
// inlined instructions: the loop over a batch is compiled into the caller, all else is once per batch.

/// Where a consumer begins to read a partition.
public enum Start: Sendable {
    /// The first record there is.
    case earliest
    /// Behind the last record there is now.
    case latest
    /// That record, or the next one there is behind it.
    case offset(Offset)
    /// So many offsets before the end, or the first record there is.
    case fromEnd(Int)
    /// The first record whose timestamp is that or later; behind the last where there is none.
    case time(Timestamp)
}

/// Reads partitions of the log. Belongs to one thread; only `wakeUp` may come from another.
///
/// ```swift
/// let consumer = try Consumer(log, topic: log.topic("flights"), from: .earliest)
/// while isRunning {
///     try consumer.poll(timeout: .seconds(1)) { partition, record in … }
/// }
/// ```
public final class Consumer {
    private let log: CommitLog
    private let isolation: Isolation
    private let fetchBytes: Int
    /// Notified with each append to a partition assigned.
    private let signal = AppendSignal()
    private let wakeUps = WakeUps()
    private var assigned: [Assigned] = []
    /// Whose turn it is, and bytes given of it in this turn: no partition starves the others.
    private var turn = 0
    private var turnBytes = 0
    /// Bytes of batches that this call of `poll` may still open.
    private var bytesLeft = 0
    /// Whose batch is being given, and whether the call has sought in it.
    private var opened: Assigned?
    private var isSought = false
    @usableFromInline var openedName = TopicPartition("", PartitionID(0))

    private final class Assigned {
        let partition: Partition
        let cursor: PartitionCursor
        var isPaused = false
        /// Records at or above are not given.
        var end: Offset?

        init(_ partition: Partition, _ cursor: PartitionCursor) {
            self.partition = partition
            self.cursor = cursor
        }
    }

    /// A consumer of nothing; partitions are given to it with `assign`.
    /// - Parameters:
    ///   - isolation: Whether records of transactions that are not committed are seen.
    ///   - fetchBytes: Bytes read at once (`max.partition.fetch.bytes`); a larger batch is read whole.
    public init(
        _ log: CommitLog, isolation: Isolation = .readCommitted, fetchBytes: Int = Limits.fetchBytes
    ) {
        self.log = log
        self.isolation = isolation
        self.fetchBytes = fetchBytes
    }

    /// A consumer of all partitions of a topic. Throws what `assign` throws.
    public convenience init(
        _ log: CommitLog, topic: Topic, from start: Start, isolation: Isolation = .readCommitted
    ) throws {
        self.init(log, isolation: isolation)
        for partition in topic.partitions { try assign(partition, from: start) }
    }

    deinit { for assigned in assigned { assigned.partition.removeSignal(signal) } }

    // MARK: Assignment

    /// The partitions assigned, in the order of their assignment.
    public var assignment: [TopicPartition] { assigned.map(\.partition.name) }

    /// Reads `name` as well, from `start`; one that is assigned already goes there. Throws `noSuchTopic`,
    /// `offsetOutOfRange`, and what reading throws.
    public func assign(_ name: TopicPartition, from start: Start) throws {
        if assigned.contains(where: { $0.partition.name == name }) {
            return try seek(name, to: start)
        }
        let partition = try log.partition(name)
        try partition.refresh()
        let cursor = PartitionCursor(
            partition, from: partition.startOffset, isolation: isolation, fetchBytes: fetchBytes)
        cursor.seek(to: try offset(of: start, for: cursor))
        partition.addSignal(signal)
        assigned.append(Assigned(partition, cursor))
    }

    /// Reads `name` no more; does nothing if it is not assigned.
    public func unassign(_ name: TopicPartition) {
        guard let index = assigned.firstIndex(where: { $0.partition.name == name }) else { return }
        assigned.remove(at: index).partition.removeSignal(signal)
        turn = 0
    }

    /// Goes on from `start`. Throws `invalidArgument` for a partition that is not assigned, and as
    /// `assign`.
    public func seek(_ name: TopicPartition, to start: Start) throws {
        let assigned = try find(name)
        try assigned.partition.refresh()
        assigned.cursor.seek(to: try offset(of: start, for: assigned.cursor))
        if assigned === opened { isSought = true }
    }

    /// The offset that comes next: behind the last record given. Throws `invalidArgument` for a
    /// partition that is not assigned.
    public func position(of name: TopicPartition) throws -> Offset {
        try find(name).cursor.position
    }

    /// Gives no records of `name` until `resume`; its position stays. Throws as `position`.
    public func pause(_ name: TopicPartition) throws { try find(name).isPaused = true }
    public func resume(_ name: TopicPartition) throws { try find(name).isPaused = false }

    /// Makes `poll` stop at the records that are there now: later ones are not given.
    public func stopAtEnd() throws {
        for assigned in assigned {
            try assigned.partition.refresh()
            assigned.end = assigned.cursor.end
        }
    }

    /// Offsets between the positions and the ends now: no fewer than the records still to come.
    public func remaining() throws -> Int64 {
        try assigned.reduce(0) { sum, assigned in
            try assigned.partition.refresh()
            let end = assigned.end ?? assigned.cursor.end
            return sum + max(0, end.rawValue - assigned.cursor.position.rawValue)
        }
    }

    private func find(_ name: TopicPartition) throws -> Assigned {
        guard let found = assigned.first(where: { $0.partition.name == name }) else {
            throw LogError(
                .invalidArgument, "the partition \(name) is not assigned to this consumer")
        }
        return found
    }

    private func offset(of start: Start, for cursor: PartitionCursor) throws -> Offset {
        let partition = cursor.partition
        let first = partition.startOffset
        switch start {
        case .earliest: return first
        case .latest: return cursor.end
        case .fromEnd(let count):
            return Offset(max(first.rawValue, cursor.end.rawValue - Int64(max(0, count))))
        case .time(let time):
            return min(try partition.offset(atOrAfter: time) ?? cursor.end, cursor.end)
        case .offset(let offset):
            guard offset >= first, offset <= partition.logEndOffset else {
                throw LogError(
                    .offsetOutOfRange,
                    "offset \(offset) of \(partition.name) is out of range: it has offsets from "
                        + "\(first) to \(partition.logEndOffset)")
            }
            return offset
        }
    }

    // MARK: Polling

    /// Calls `body` for each record that is there, in each partition in order, and gives how many it was.
    /// Where there is none it waits, without using the processor, until there is; it wakes within a
    /// millisecond of an append. (The log of another process tells of no appends: it is looked at again
    /// and again, ever less often.)
    ///
    /// The view is valid during the call only. A record whose call throws is not given again. `body` may
    /// seek, pause and unassign, which is in force behind the batch that it is given; it may not poll.
    /// Throws `invalidArgument` for limits that let nothing be given, and what reading throws.
    /// - Parameters:
    ///   - timeout: How long to wait for a record; zero gives what is there.
    ///   - maxRecords: Of one call; 1 at least.
    ///   - maxBytes: No batch is begun when so many bytes were read (`fetch.max.bytes`); 1 at least.
    ///   - minBytes: While fewer are there to be read it waits as well (`fetch.min.bytes`).
    @inlinable
    @discardableResult
    public func poll(
        timeout: Duration = .zero, maxRecords: Int = .max, maxBytes: Int = .max,
        minBytes: Int = 1, _ body: (TopicPartition, borrowing RecordView) throws -> Void
    ) throws -> Int {
        try requireRoom(maxRecords, maxBytes)
        var wait = PollWait(timeout)
        var count = 0
        repeat {
            try awaitBytes(minBytes, &wait, maxBytes: maxBytes)
            while count < maxRecords, var records = try open() {
                let name = openedName
                defer { close(records) }
                var left = min(records.left, maxRecords - count)
                while left > 0 {
                    let record: RecordView
                    do { record = try records.read() } catch { throw damaged(error, records) }
                    left -= 1
                    count += 1
                    try body(name, record)
                }
            }
        } while count == 0 && !wait.isOver
        return count
    }

    /// Makes a `poll` that waits, or the next one, return. Any thread may call.
    public var wakeUp: @Sendable () -> Void {
        { [signal, wakeUps] in
            wakeUps.request()
            signal.notify()
        }
    }

    /// With none to be given a poll would neither give any nor wait.
    @usableFromInline
    func requireRoom(_ maxRecords: Int, _ maxBytes: Int) throws {
        guard maxRecords > 0, maxBytes > 0 else {
            throw LogError(
                .invalidArgument,
                "a poll gives one record and one batch at least, not \(maxRecords) records of "
                    + "\(maxBytes) bytes; give maxRecords and maxBytes that are more than 0")
        }
    }

    /// Waits until there may be `minBytes` to read, or the time is over.
    @usableFromInline
    func awaitBytes(_ minBytes: Int, _ wait: inout PollWait, maxBytes: Int) throws {
        // Another batch would be read over the one that is being given.
        guard opened == nil else {
            throw LogError(
                .invalidArgument, "a consumer was polled from within the call of its own poll")
        }
        bytesLeft = maxBytes
        while !wait.isOver {
            let seen = signal.count
            if wakeUps.take() {
                wait.isOver = true
                return
            }
            if try isReady(minBytes) { break }
            guard let left = wait.left() else { return }
            for assigned in assigned { assigned.cursor.releaseMemory() }
            // Nobody notifies an observer: the wait is a pause, longer each time.
            signal.wait(
                after: seen, timeout: log.access == .owner ? left : min(left, wait.nextPause()))
        }
    }

    private func isReady(_ minBytes: Int) throws -> Bool {
        var bytes = 0
        for assigned in assigned where !assigned.isPaused {
            try assigned.partition.refresh()
            guard assigned.cursor.mayHaveMore else { continue }
            if let end = assigned.end, assigned.cursor.position >= end { continue }
            if minBytes <= 1 { return true }
            bytes += try assigned.cursor.availableBytes()
            if bytes >= minBytes { return true }
        }
        return false
    }

    /// The records of the next batch of the partition whose turn it is, or of the next one that has any.
    @usableFromInline
    func open() throws -> BatchRecords? {
        guard bytesLeft > 0 else { return nil }
        if turnBytes >= fetchBytes { passTurn() }
        for _ in assigned.indices {
            if turn >= assigned.count { turn = 0 }
            let next = assigned[turn]
            let isAtEnd = next.end.map { next.cursor.position >= $0 } ?? false
            if !next.isPaused, !isAtEnd {
                let before = next.cursor.bytesRead
                if let records = try next.cursor.open() {
                    if let end = next.end, records.baseOffset >= end.rawValue {
                        // Compaction has taken out what lay below.
                        next.cursor.seek(to: end)
                        passTurn()
                        continue
                    }
                    let bytes = next.cursor.bytesRead - before
                    bytesLeft -= bytes
                    turnBytes += bytes
                    opened = next
                    openedName = next.partition.name
                    return records
                }
            }
            passTurn()
        }
        return nil
    }

    private func passTurn() {
        turnBytes = 0
        turn = turn + 1 < assigned.count ? turn + 1 : 0
    }

    @usableFromInline
    func close(_ records: BatchRecords) {
        if !isSought { opened?.cursor.close(records) }
        isSought = false
        opened = nil
    }

    @usableFromInline
    func damaged(_ damage: MalformedBatch, _ records: BatchRecords) -> LogError {
        guard let cursor = opened?.cursor else {
            return LogError(.corrupted, damage.description)
        }
        close(records)
        return cursor.damagedRecord(damage)
    }
}
