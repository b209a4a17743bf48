// One partition of a topic that somebody else writes.

import StreamJobsLog

final class SourceInput: TaskInput {
    let route: Int
    let partition: any JobLogPartition
    private let cursor: any JobLogCursor
    private let isBootstrap: Bool
    /// Whether its records count in progress and summary: of an input that every task reads, one does.
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
    }

    var isFirst: Bool { isBootstrap }

    var watermark: Timestamp? {
        if isBootstrap { return nil }
        switch mode {
        case .bounded:
            if hasEnded { return nil }
        case .live:
            let isIdle = ContinuousClock.now - lastActive > Limits.idleTimeout
            if isIdle, cursor.recordOffset == nil { return nil }
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
        guard try cursor.hasRecord(), let timestamp = cursor.recordTimestamp else {
            return hasEnded ? .ended : .waiting
        }
        if mode != .live, let offset = cursor.recordOffset, offset >= end {
            // Only records that came after the run began are left.
            cursor.seek(to: end)
            return .ended
        }
        return .ready(timestamp)
    }

    func take(_ body: (borrowing RecordView) throws -> Void) throws {
        if let timestamp = cursor.recordTimestamp, timestamp > latest { latest = timestamp }
        if mode == .live { lastActive = .now }
        try cursor.withRecord(body)
        cursor.take()
    }
}
