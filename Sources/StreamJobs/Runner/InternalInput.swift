// One partition of a repartition topic. Several upstream tasks write it, their records interleaved as
// their commits fell; a bounded run undoes that by merging them by (timestamp, upstream task, sequence),
// so that the same input gives the same output whatever the threads; its event time follows from the
// records merged, not from when upstream tasks have committed. Positions are kept per upstream
// task, since the merge takes one task's records far ahead of another's.
//
//  the partition      A1 B1 A2 A3 B2 …            one cursor, read once
//  a queue per task   A: A2 A3     B: B1 B2       bounded in bytes; behind its bound a task's records
//                                                 are skipped and read again when its queue is empty
//
// A queue holds stretches of batches as they stand: a task's outputs lie one behind the other in its batches.

import DequeModule
package import StreamJobsLog

package final class InternalInput: TaskInput {
    package let route: Int
    package let partition: any JobLogPartition
    private let cursor: any JobLogCursor
    private let source: RecordSource
    private let mode: RunMode
    private let queueBytesMax: Int
    /// Records from there on are left alone.
    private let end: Offset
    private var upstreams: [Upstream]
    private let indexOfTask: [UInt32: Int]
    /// How many items were ever put into a queue.
    private var queuedCount = 0
    /// The upstream whose first record `state` has found.
    private var chosen: Int?
    /// Of a bounded run, with that record: no upstream sends earlier ones behind it.
    private var mergedWatermark = Timestamp.distantPast
    /// The lowest promise of the others' first records, when a batch was opened.
    private var othersPromise = Timestamp.distantFuture

    private struct Upstream {
        let task: UInt32
        var position: InputPosition
        var queue = Deque<Item>()
        var queueBytes = 0
        /// The first record, if that is what the queue begins with.
        var head: Head?
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

    private enum Item {
        case records(QueuedRecords)
        case marks(InternalRecord.Marks, at: Offset)

        /// Bytes that keeping it takes, nearly.
        var byteCount: Int {
            switch self {
            case .records(let records): records.byteCount
            case .marks: MemoryLayout<Item>.size
            }
        }
    }

    private struct Head {
        let offset: Offset
        let promise: Timestamp
        /// What records are merged by: the timestamp, but of a late one its task's promise, since that
        /// may have been told already. In a live run records come as they lie.
        let order: Timestamp
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
        source = RecordSource(partition.name, of: partition.name.topic)
    }

    package var isFirst: Bool { false }
    package var isCounted: Bool { false }

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
        if let chosen { return .ready(head(chosen).order) }
        return upstreams.allSatisfy(hasEnded) ? .ended : .waiting
    }

    package func open(upTo timeMax: Timestamp, limit: Int, othersWatermark: Timestamp)
        -> RecordBatch
    {
        guard let chosen, case .records(let queued) = upstreams[chosen].queue.first else {
            preconditionFailure("state() has found no record")
        }
        upstreams[chosen].isIdle = false
        var bounds = RecordBatch.Bounds(timeMax: timeMax, othersWatermark: othersWatermark)
        othersPromise = .distantFuture
        for (index, upstream) in upstreams.enumerated() where index != chosen {
            if let head = upstream.head {
                othersPromise = min(othersPromise, head.promise)
                bound(&bounds, by: head, isBefore: index < chosen)
            } else if mode != .live, !hasEnded(upstream) {
                // It may still send a record from that time on.
                bounds.timeMax = min(bounds.timeMax, upstream.position.time.milliseconds - 1)
            }
        }
        if mode == .live {
            // Told by marks, not by records.
            bounds.movesEventTime = false
            bounds.othersWatermark = min(othersWatermark, watermark ?? .distantFuture).milliseconds
        } else {
            bounds.followsPromises = true
            bounds.othersWatermark = min(othersWatermark, othersPromise).milliseconds
        }
        return RecordBatch(
            queued.records, left: limit, bounds: bounds, latest: .distantPast, from: source)
    }

    /// No record is taken that comes after another upstream's first one.
    private func bound(_ bounds: inout RecordBatch.Bounds, by other: Head, isBefore: Bool) {
        guard mode != .live else {
            bounds.offsetEnd = min(bounds.offsetEnd, other.offset.rawValue)
            return
        }
        // Of equal times the task named first comes first.
        let time = other.order.milliseconds - (isBefore ? 1 : 0)
        bounds.timeMax = min(bounds.timeMax, time)
    }

    package func close(_ batch: borrowing RecordBatch) {
        guard batch.taken > 0 else { return }
        guard let chosen, case .records(let queued) = upstreams[chosen].queue.first else {
            preconditionFailure("no batch was opened")
        }
        if mode != .live {
            mergedWatermark = min(Timestamp(milliseconds: batch.latest), othersPromise)
        }
        queued.records = batch.records
        upstreams[chosen].position.offset = Offset(batch.records.position)
        if batch.records.left == 0 { removeFirst(of: chosen) } else { findHead(of: chosen) }
        self.chosen = nil
    }

    package func damagedRecord(_ damage: MalformedBatch) -> any Error {
        cursor.damagedRecord(damage)
    }

    private func removeFirst(of index: Int) {
        guard let item = upstreams[index].queue.popFirst() else { return }
        upstreams[index].queueBytes -= item.byteCount
        findHead(of: index)
    }

    private func findHead(of index: Int) {
        upstreams[index].head = nil
        guard case .records(let queued) = upstreams[index].queue.first else { return }
        var records = queued.records
        guard let record = try? records.read() else {
            preconditionFailure("queued records were read before")
        }
        let promise = InternalRecord.promise(of: record)
        upstreams[index].head = Head(
            offset: record.offset, promise: promise,
            order: mode == .live ? record.timestamp : max(record.timestamp, promise))
    }

    // MARK: Choosing

    /// The upstream whose first record comes next; nil if that is not known yet.
    private func choose() -> Int? {
        let heads = upstreams.indices.filter { upstreams[$0].head != nil }
        guard mode != .live else {
            return heads.min { head($0).offset < head($1).offset }
        }
        guard let first = heads.min(by: { (head($0).order, $0) < (head($1).order, $1) })
        else { return nil }
        let time = head(first).order
        // A task without a record here may still send one that comes before.
        let isDecided = upstreams.allSatisfy { upstream in
            upstream.head != nil || hasEnded(upstream) || time < upstream.position.time
        }
        guard isDecided else { return nil }
        // Upstreams without a record here promise more than `time`: as if theirs were known.
        mergedWatermark = heads.map { head($0).promise }.reduce(time, min)
        return first
    }

    private func head(_ index: Int) -> Head {
        guard let head = upstreams[index].head else {
            preconditionFailure("there is no first record")
        }
        return head
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
            while case .marks(let marks, let offset) = upstreams[index].queue.first,
                let time = marks.watermark
            {
                upstreams[index].position.time = max(upstreams[index].position.time, time)
                upstreams[index].isIdle = marks.isIdle
                if let run = marks.endedRun { upstreams[index].position.endedRun = run }
                upstreams[index].position.offset = offset + 1
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
            while upstreams[index].queue.isEmpty, try enqueueBatch() {}
        }
        return queuedCount > queuedBefore
    }

    private func rewind(to offset: Offset) {
        cursor.seek(to: offset)
        for index in upstreams.indices {
            upstreams[index].isBehind = upstreams[index].resume < offset
        }
    }

    /// Puts the records of the next batch into their queues; false if there is none.
    private func enqueueBatch() throws -> Bool {
        guard let opened = try cursor.open() else { return false }
        var records = opened
        // Records of one task that lie one behind the other, up to `records`.
        var run: (index: Int, start: BatchRecords)?
        while records.left > 0 {
            let start = records
            let record: RecordView
            do { record = try records.read() } catch { throw cursor.damagedRecord(error) }
            let marks = try InternalRecord.marks(of: record, in: partition.name)
            let index = try self.index(of: marks, at: record.offset)
            if let begun = run, begun.index != index || marks.watermark != nil {
                enqueue(begun.start, upTo: start, of: begun.index)
                run = nil
            }
            guard run == nil, accepts(record.offset, of: index) else { continue }
            if marks.watermark == nil {
                run = (index, start)
            } else {
                add(.marks(marks, at: record.offset), upTo: record.offset + 1, of: index)
            }
        }
        if let run { enqueue(run.start, upTo: records, of: run.index) }
        cursor.close(records)
        return true
    }

    private func index(of marks: InternalRecord.Marks, at offset: Offset) throws -> Int {
        guard let index = indexOfTask[marks.task] else {
            throw JobError(
                .refused,
                "\(partition.name) offset \(offset) was written by a task that this job does not have "
                    + "(was a task type renamed, or the number of partitions changed?)")
        }
        return index
    }

    /// Whether a record of an upstream is to be queued; once one is not, for want of room, none behind it
    /// is before they are read again.
    private func accepts(_ offset: Offset, of index: Int) -> Bool {
        guard offset < end, offset >= upstreams[index].resume, !upstreams[index].isBehind else {
            return false
        }
        guard upstreams[index].queueBytes < queueBytesMax else {
            upstreams[index].isBehind = true
            return false
        }
        return true
    }

    private func enqueue(_ start: BatchRecords, upTo end: BatchRecords, of index: Int) {
        add(
            .records(QueuedRecords(from: start, upTo: end)), upTo: Offset(end.position), of: index)
    }

    private func add(_ item: Item, upTo end: Offset, of index: Int) {
        upstreams[index].queueBytes += item.byteCount
        upstreams[index].resume = end
        upstreams[index].queue.append(item)
        queuedCount += 1
        if upstreams[index].queue.count == 1 { findHead(of: index) }
    }
}
