// One partition of a repartition topic. Several upstream tasks write it, their records interleaved as
// their commits fell; a bounded run undoes that by merging them by (timestamp, upstream task, sequence),
// so that the same input gives the same output whatever the threads; its event time follows from the
// records merged, not from when upstream tasks have committed. Positions are kept per upstream
// task, since the merge takes one task's records far ahead of another's.
//
//  the partition      A1 B1 A2 A3 B2 …            one cursor, read once
//  a queue per task   A: A2 A3     B: B1 B2       bounded in bytes; behind its bound a task's records
//                                                 are skipped and read again when its queue is empty

import DequeModule
package import StreamJobsLog

package final class InternalInput: TaskInput {
    package let route: Int
    package let partition: any JobLogPartition
    private let cursor: any JobLogCursor
    private let mode: RunMode
    private let queueBytesMax: Int
    /// Records from there on are left alone.
    private let end: Offset
    private var upstreams: [Upstream]
    private let indexOfTask: [UInt32: Int]
    /// How many records and marks were ever put into a queue.
    private var queuedCount = 0
    /// The upstream whose first record `state` has found.
    private var chosen: Int?
    /// Of a bounded run, with that record: no upstream sends earlier ones behind it.
    private var mergedWatermark = Timestamp.distantPast

    private struct Upstream {
        let task: UInt32
        var position: InputPosition
        var queue = Deque<Item>()
        var queueBytes = 0
        /// Records below were queued; those at or above are still to be read.
        var resume: Offset
        /// It has said that it has nothing to read, and nothing since.
        var isIdle = false
        /// Whether some of its records were skipped: the queue does not reach up to the cursor.
        var isBehind = false

        init(task: UInt32, position: InputPosition) {
            self.task = task
            self.position = position
            resume = position.offset
        }
    }

    private struct Item {
        let record: OwnedRecord
        let marks: InternalRecord.Marks
    }

    /// - Parameter upstreams: The tasks that write the topic, in the order of the plan, and what was
    ///   committed of each.
    package init(
        _ partition: any JobLogPartition, route: Int,
        upstreams: [(task: UInt32, position: InputPosition)], mode: RunMode,
        end: Offset = Offset(.max), queueBytesMax: Int = Limits.upstreamQueueBytes
    ) {
        self.partition = partition
        self.route = route
        self.mode = mode
        self.end = end
        self.queueBytesMax = queueBytesMax
        self.upstreams = upstreams.map { Upstream(task: $0.task, position: $0.position) }
        indexOfTask = Dictionary(
            uniqueKeysWithValues: upstreams.enumerated().map { ($1.task, $0) })
        let first = upstreams.map(\.position.offset).min() ?? partition.startOffset
        cursor = partition.makeCursor(from: first)
    }

    package var isFirst: Bool { false }

    package var watermark: Timestamp? {
        guard mode == .live else {
            return upstreams.allSatisfy(hasEnded) ? nil : mergedWatermark
        }
        return upstreams.lazy.filter { !$0.isIdle }.map(\.position.time).min()
    }

    package var positions: [(PositionKey, InputPosition)] {
        upstreams.map { upstream in
            let key = PositionKey(
                topicID: partition.topicID, partition: partition.name.partition,
                upstream: upstream.task)
            return (key, upstream.position)
        }
    }

    private func hasEnded(_ upstream: Upstream) -> Bool {
        mode == .bounded(run: upstream.position.endedRun)
    }

    package func state() throws -> InputState {
        if chosen == nil {
            takeMarks()
            chosen = choose()
        }
        if chosen == nil {
            try fill()
            chosen = choose()
        }
        if let chosen { return .ready(order(chosen)) }
        return upstreams.allSatisfy(hasEnded) ? .ended : .waiting
    }

    package func take(_ body: (borrowing RecordView) throws -> Void) throws {
        guard let chosen, let item = upstreams[chosen].queue.first else {
            preconditionFailure("state() has found no record")
        }
        try item.record.withView(body)
        upstreams[chosen].isIdle = false
        removeFirst(of: chosen)
        self.chosen = nil
    }

    private func removeFirst(of index: Int) {
        guard let item = upstreams[index].queue.popFirst() else { return }
        upstreams[index].queueBytes -= item.record.byteCount
        upstreams[index].position.offset = item.record.offset + 1
    }

    // MARK: Choosing

    /// The upstream whose first record comes next; nil if that is not known yet.
    private func choose() -> Int? {
        let heads = upstreams.indices.filter { !upstreams[$0].queue.isEmpty }
        guard mode != .live else {
            return heads.min { head($0).record.offset < head($1).record.offset }
        }
        guard let first = heads.min(by: { (order($0), $0) < (order($1), $1) })
        else { return nil }
        let time = order(first)
        // A task without a record here may still send one that comes before.
        let isDecided = upstreams.allSatisfy { upstream in
            !upstream.queue.isEmpty || hasEnded(upstream) || time < upstream.position.time
        }
        guard isDecided else { return nil }
        // Upstreams without a record here promise more than `time`: as if theirs were known.
        mergedWatermark = heads.map { head($0).marks.promise }.reduce(time, min)
        return first
    }

    private func head(_ index: Int) -> Item { upstreams[index].queue[0] }

    /// What records are merged by: the timestamp, but of a late one its task's promise, since that may
    /// have been told already.
    private func order(_ index: Int) -> Timestamp {
        let item = head(index)
        guard mode != .live else { return item.record.timestamp }
        return max(item.record.timestamp, item.marks.promise)
    }

    // MARK: Reading

    /// Takes the marks at the front of the queues, and reads on while a queue is empty.
    private func fill() throws {
        repeat { takeMarks() } while try readOn()
        for index in upstreams.indices
        where upstreams[index].queue.isEmpty && !upstreams[index].isBehind {
            // Up to the cursor there is nothing of this task: a restart need not look again.
            let position = max(upstreams[index].position.offset, cursor.position)
            upstreams[index].position.offset = position
            upstreams[index].resume = max(upstreams[index].resume, position)
        }
    }

    private func takeMarks() {
        for index in upstreams.indices {
            while let marks = upstreams[index].queue.first?.marks, let time = marks.watermark {
                upstreams[index].position.time = max(upstreams[index].position.time, time)
                upstreams[index].isIdle = marks.isIdle
                if let run = marks.endedRun { upstreams[index].position.endedRun = run }
                removeFirst(of: index)
            }
        }
    }

    /// Reads on for the queues that are empty; whether anything was put into any queue.
    private func readOn() throws -> Bool {
        let queuedBefore = queuedCount
        for index in upstreams.indices
        where upstreams[index].queue.isEmpty && !hasEnded(upstreams[index]) {
            if upstreams[index].isBehind { rewind(to: upstreams[index].resume) }
            while upstreams[index].queue.isEmpty, try cursor.hasRecord() {
                try cursor.withRecord(enqueue)
                cursor.take()
            }
        }
        return queuedCount > queuedBefore
    }

    private func rewind(to offset: Offset) {
        cursor.seek(to: offset)
        for index in upstreams.indices {
            upstreams[index].isBehind = upstreams[index].resume < offset
        }
    }

    private func enqueue(_ record: borrowing RecordView) throws {
        guard record.offset < end else { return }
        let marks = try InternalRecord.marks(of: record, in: partition.name)
        guard let index = indexOfTask[marks.task] else {
            throw JobError(
                .refused,
                "\(partition.name) offset \(record.offset) was written by a task that this job does "
                    + "not have (was a task type renamed, or the number of partitions changed?)")
        }
        guard record.offset >= upstreams[index].resume, !upstreams[index].isBehind else { return }
        guard upstreams[index].queueBytes < queueBytesMax else {
            upstreams[index].isBehind = true
            return
        }
        let item = Item(record: OwnedRecord(record), marks: marks)
        upstreams[index].queueBytes += item.record.byteCount
        upstreams[index].resume = record.offset + 1
        upstreams[index].queue.append(item)
        queuedCount += 1
    }
}
