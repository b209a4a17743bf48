/// Reads all partitions of a topic, each in its order. Belongs to one thread.
public final class Consumer {
    public enum Start: Sendable {
        /// The first record there is.
        case earliest
        /// Behind the last record there is now.
        case latest
    }

    private let partitions: [Partition]
    private let cursors: [PartitionCursor]
    private let isolation: Isolation
    /// Where polling goes on, so that no partition is starved.
    private var turn = 0
    private var pollEnds: [Offset]?

    public init(
        _ log: CommitLog, topic: Topic, from start: Start, isolation: Isolation = .readCommitted
    ) throws {
        let partitions = try topic.partitions.map { try log.partition($0) }
        for partition in partitions { try partition.refresh() }
        self.partitions = partitions
        self.isolation = isolation
        cursors = partitions.map { partition in
            let end =
                isolation == .readCommitted ? partition.lastStableOffset : partition.logEndOffset
            return PartitionCursor(
                partition, from: start == .earliest ? partition.startOffset : end,
                isolation: isolation)
        }
    }

    /// Makes `poll` stop at the records that are there now: later ones are not given.
    public func stopAtEnd() throws {
        for partition in partitions { try partition.refresh() }
        pollEnds = partitions.map(end(of:))
    }

    /// Calls `body` for each record that is there, at most `maxRecords`, and gives how many it was. The
    /// view is valid during the call only. A record whose call throws is not given again.
    public func poll(
        maxRecords: Int, _ body: (PartitionID, borrowing RecordView) throws -> Void
    ) throws -> Int {
        var count = 0
        for _ in cursors.indices {
            let cursor = cursors[turn]
            let last = pollEnds.map { $0[turn] }
            while count < maxRecords, try cursor.hasRecord() {
                if let last, let offset = cursor.recordOffset, offset >= last { break }
                defer { cursor.take() }
                try cursor.withRecord { try body(partitions[turn].name.partition, $0) }
                count += 1
            }
            guard count < maxRecords else { break }
            turn = (turn + 1) % cursors.count
        }
        return count
    }

    /// Offsets between the positions and the ends now: no fewer than the records still to come.
    public func remaining() throws -> Int64 {
        for partition in partitions { try partition.refresh() }
        return zip(cursors, partitions.indices).reduce(0) { sum, pair in
            let end = pollEnds?[pair.1] ?? end(of: partitions[pair.1])
            return sum + max(0, end.rawValue - pair.0.position.rawValue)
        }
    }

    private func end(of partition: Partition) -> Offset {
        isolation == .readCommitted ? partition.lastStableOffset : partition.logEndOffset
    }
}
