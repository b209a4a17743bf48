// Reads the partitions that a group's member holds, and waits for more. With GroupStore.swift the only
// file of consumer groups that knows how the log is read. Belongs to one thread.

/// The partitions of one member and its places in them.
final class GroupReader {
    private struct Held {
        let name: TopicPartition
        let cursor: PartitionCursor
        var isPaused = false
    }

    private let log: CommitLog
    private let isolation: Isolation
    private var held: [Held] = []
    /// Where polling goes on, so that no partition is starved.
    private var turn = 0
    /// Rises with each partition that is given up, paused or resumed, which a poll's call may do.
    private var changes = 0
    /// While a record is looked at: its partition, and where the call wants to go on.
    private var reading: PartitionCursor?
    private var sought: Offset?

    /// Notified with each append to a partition that is held.
    private let signal: AppendSignal

    init(_ log: CommitLog, isolation: Isolation, signal: AppendSignal) {
        self.log = log
        self.isolation = isolation
        self.signal = signal
    }

    deinit {
        for held in held { held.cursor.partition.removeSignal(signal) }
    }

    var partitions: [TopicPartition] { held.map(\.name) }

    /// Begins to read at `offset`.
    func assign(_ name: TopicPartition, at offset: Offset) throws {
        let cursor = PartitionCursor(
            try log.partition(name), from: offset, isolation: isolation)
        cursor.partition.addSignal(signal)
        held.append(Held(name: name, cursor: cursor))
        held.sort { TopicPartition.isBefore($0.name, $1.name) }
    }

    func unassign(_ names: some Collection<TopicPartition>) {
        for gone in held where names.contains(gone.name) {
            gone.cursor.partition.removeSignal(signal)
        }
        held.removeAll { names.contains($0.name) }
        turn = 0
        changes += 1
    }

    /// The next offset to be read; nil for a partition that is not held.
    func position(of name: TopicPartition) -> Offset? {
        guard let cursor = cursor(of: name) else { return nil }
        return cursor === reading ? sought ?? cursor.position : cursor.position
    }

    /// False for a partition that is not held.
    func seek(_ name: TopicPartition, to offset: Offset) -> Bool {
        guard let cursor = cursor(of: name) else { return false }
        // The record that is being looked at lies in the cursor.
        if cursor === reading { sought = offset } else { cursor.seek(to: offset) }
        return true
    }

    func setPaused(_ isPaused: Bool, _ names: some Collection<TopicPartition>) {
        for index in held.indices where names.contains(held[index].name) {
            held[index].isPaused = isPaused
        }
        changes += 1
    }

    /// The leader epoch of the record before the position; nil where there is none.
    func leaderEpoch(before offset: Offset, in name: TopicPartition) -> Int32? {
        guard let partition = cursor(of: name)?.partition, offset > partition.startOffset else {
            return nil
        }
        return partition.leaderEpoch(at: Offset(offset.rawValue - 1))
    }

    /// Its topic was deleted, though there may be another one of the name.
    func isDeleted(_ name: TopicPartition) -> Bool {
        cursor(of: name)?.partition.isDeleted ?? false
    }

    private func cursor(of name: TopicPartition) -> PartitionCursor? {
        held.first { $0.name == name }?.cursor
    }

    /// Whether a poll's call is under way.
    var isReading: Bool { reading != nil }

    /// Calls `body` for each record that is there, at most `maxRecords`; gives how many it was. A record
    /// whose call throws is not taken: it comes again. The call may give partitions up, pause and seek.
    func poll(
        maxRecords: Int, _ body: (TopicPartition, borrowing RecordView) throws -> Void
    ) throws -> Int {
        var count = 0
        for _ in held.indices {
            guard turn < held.count else { break }
            let current = held[turn]
            let seen = changes
            while !current.isPaused, count < maxRecords, changes == seen,
                try hasRecord(current)
            {
                try read(current, body)
                count += 1
            }
            guard count < maxRecords else { break }
            turn = turn + 1 < held.count ? turn + 1 : 0
        }
        return count
    }

    private func hasRecord(_ current: Held) throws -> Bool {
        do {
            return try current.cursor.hasRecord()
        } catch let error as LogError where error.code == .noSuchTopic {
            // Its topic was deleted: the group shares out what is left with its next generation.
            return false
        }
    }

    private func read(
        _ current: Held, _ body: (TopicPartition, borrowing RecordView) throws -> Void
    ) throws {
        reading = current.cursor
        defer {
            if let sought { current.cursor.seek(to: sought) }
            reading = nil
            sought = nil
        }
        try current.cursor.withRecord { try body(current.name, $0) }
        if sought == nil { current.cursor.take() }
    }
}
