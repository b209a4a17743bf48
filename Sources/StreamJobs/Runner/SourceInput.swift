// One partition of a topic that somebody else writes.

import StreamJobsLog

final class SourceInput: TaskInput {
    let route: Int
    let partition: any JobLogPartition
    private let cursor: any JobLogCursor
    private let source: RecordSource
    /// The records that come next, and the first one's timestamp.
    private var head: (records: BatchRecords, timestamp: Timestamp)?
    private let isBootstrap: Bool
    /// Of an input that every task reads, one does.
    let isCounted: Bool
    private let disorder: Duration
    private let mode: RunMode
    /// Where a bounded run ends, and where bootstrapping does.
    private let end: Offset
    private var latest: Timestamp
    private var lastActive = ContinuousClock.now

    init(
        _ partition: any JobLogPartition, route: Int, isBootstrap: Bool, isCounted: Bool,
        disorder: Duration,
        from position: InputPosition, end: Offset, mode: RunMode
    ) {
        self.partition = partition
        self.route = route
        self.isBootstrap = isBootstrap
        self.isCounted = isCounted
        self.disorder = disorder
        self.mode = mode
        self.end = end
        latest = position.time
        cursor = partition.makeCursor(from: position.offset)
        source = RecordSource(partition.name, of: partition.name.topic)
    }

    var isFirst: Bool { isBootstrap }

    var watermark: Timestamp? {
        if isBootstrap { return nil }
        switch mode {
        case .bounded:
            if hasEnded { return nil }
        case .live:
            let isIdle = ContinuousClock.now - lastActive > Limits.idleTimeout
            if isIdle, head == nil { return nil }
        }
        return latest == .distantPast ? latest : latest.advanced(by: .zero - disorder)
    }

    private var hasEnded: Bool { mode != .live && cursor.position >= end }

    var positions: [(PositionKey, InputPosition)] {
        let key = PositionKey(
            topicID: partition.topicID, partition: partition.name.partition, upstream: 0)
        return [(key, InputPosition(offset: cursor.position, time: latest))]
    }

    /// Offsets up to the end that was taken when the run began.
    var remaining: Int { !isCounted ? 0 : max(0, Int(end.rawValue - cursor.position.rawValue)) }

    func state() throws -> InputState {
        if hasEnded { return .ended }
        while head == nil {
            guard let records = try cursor.open() else { return hasEnded ? .ended : .waiting }
            guard records.left > 0 else {
                cursor.close(records)
                continue
            }
            guard let first = try look(at: records) else { return .ended }
            head = (records, first)
        }
        return head.map { .ready($0.timestamp) } ?? .waiting
    }

    /// The timestamp of the first record; nil if it came after the bounded run began.
    private func look(at records: BatchRecords) throws -> Timestamp? {
        var next = records
        do {
            let record = try next.read()
            guard mode != .live, record.offset >= end else { return record.timestamp }
        } catch { throw cursor.damagedRecord(error) }
        cursor.seek(to: end)
        return nil
    }

    func open(upTo timeMax: Timestamp, limit: Int, othersWatermark: Timestamp) -> RecordBatch {
        guard let records = head?.records else {
            preconditionFailure("state() has found no record")
        }
        var bounds = RecordBatch.Bounds(timeMax: timeMax, othersWatermark: othersWatermark)
        if mode != .live { bounds.offsetEnd = end.rawValue }
        bounds.disorder = disorder.milliseconds
        if isBootstrap {
            bounds.movesEventTime = false
            if othersWatermark == .distantFuture { bounds.othersWatermark = .min }
        }
        return RecordBatch(records, left: limit, bounds: bounds, latest: latest, from: source)
    }

    func close(_ batch: borrowing RecordBatch) {
        guard batch.taken > 0 else { return }
        latest = Timestamp(milliseconds: batch.latest)
        if mode == .live { lastActive = .now }
        cursor.close(batch.records)
        head = nil
    }

    func damagedRecord(_ damage: MalformedBatch) -> any Error {
        head = nil
        return cursor.damagedRecord(damage)
    }
}
