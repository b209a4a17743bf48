// One partition of a topic: appends, flushes and reads. The owner of the data directory appends; an
// observer only follows the files. Any thread may call; one lock guards the ends and the segment list,
// reading bytes takes none.

import Synchronization

package final class Partition: Sendable {
    package let name: TopicPartition
    package let topicID: TopicID
    let directory: String
    let access: CommitLog.Access
    /// Bytes of a segment at which the next one begins.
    private let segmentBytes: Int
    private let signals = AppendSignals()
    private let state: Mutex<State>
    /// Held while flushing: the kernel reports a failed write-back once, so that a second flush beside
    /// the one that is told would hear that all is well. Taken before `state`.
    private let flushing = Mutex<Void>(())

    struct State {
        var segments: [Segment]
        var ends: EndOffsets
        var producers = ProducerStates()
        var leaderEpochs = LeaderEpochs()
        /// Set by a failed flush or an undo that failed: what is on the disk is unknown from then on.
        var failure: LogError?
        /// The log was closed in order: a write would make its note of that a lie.
        var isClosed = false
    }

    init(
        _ name: TopicPartition, topicID: TopicID, directory: String, access: CommitLog.Access,
        segmentBytes: Int, recovered: consuming sending State
    ) {
        self.name = name
        self.topicID = topicID
        self.directory = directory
        self.access = access
        self.segmentBytes = segmentBytes
        state = Mutex(recovered)
    }

    // MARK: Ends

    package var logEndOffset: Offset { state.withLock { $0.ends.logEnd } }
    package var lastStableOffset: Offset { state.withLock { $0.ends.lastStable } }
    package var flushedOffset: Offset { state.withLock { $0.ends.flushed } }
    package var startOffset: Offset { state.withLock { $0.ends.start } }

    /// The leader epoch that the record at `offset` was written in.
    package func leaderEpoch(at offset: Offset) -> Int32 {
        state.withLock { $0.leaderEpochs.epoch(at: offset) }
    }

    package var openTransactions: [OpenTransaction] {
        state.withLock { $0.producers.openTransactions }
    }

    /// The highest epoch of a producer that has written here; nil if it never has.
    package func epoch(of producerID: Int64) -> Int16? {
        state.withLock { $0.producers.epoch(of: producerID) }
    }

    // MARK: Waiting

    /// Notifies `signal` with each append from now on, until it is removed.
    package func addSignal(_ signal: AppendSignal) { signals.add(signal) }
    package func removeSignal(_ signal: AppendSignal) { signals.remove(signal) }

    // MARK: Appending

    /// Appends a sealed batch; sets its base offset and leader epoch. When it returns the batch is
    /// written (it survives the process, not a power loss). Nothing is changed where it throws.
    @discardableResult
    package func append(_ batch: UnsafeMutableRawBufferPointer) throws -> Offset {
        let offset = try state.withLock { state in
            try requireWritable(state)
            guard !state.isClosed else {
                throw LogError(.readOnly, "\(name) takes no more writes: the log was closed")
            }
            let offset = state.ends.logEnd
            let header = BatchHeader.place(
                batch, at: offset, leaderEpoch: state.leaderEpochs.current)
            if let producer = header.producer, !header.isControl {
                try state.producers.admit(
                    producer, isTransactional: header.isTransactional, to: name)
            }
            try write(UnsafeRawBufferPointer(batch), header, &state)
            state.batchAdded(header, UnsafeRawBufferPointer(batch))
            return offset
        }
        signals.notify()
        return offset
    }

    /// Ends `producer`'s transaction here; does nothing if it has none open. When it returns the
    /// marker is written.
    package func end(_ producer: ProducerStamp, with marker: TransactionMarker) throws {
        let isOpen = state.withLock { $0.producers.isOpen(producer) }
        guard isOpen else { return }
        let batch = BatchBuilder.sealMarker(marker, of: producer)
        // The bytes belong to the builder, which may go after its last use.
        try withExtendedLifetime(batch) { _ = try append(batch.sealed) }
    }

    /// When it returns everything appended before the call survives a power loss. A failure refuses all
    /// further writes: the kernel has dropped the pages, and a second flush would lie.
    package func flush() throws {
        try flushing.withLock { _ in
            let (file, end) = try state.withLock { state in
                try requireWritable(state)
                let isFlushed = state.ends.flushed == state.ends.logEnd
                return (isFlushed ? nil : state.segments.last?.file, state.ends.logEnd)
            }
            guard let file else { return }
            do {
                try file.flush()
            } catch let failure as LogError {
                state.withLock { $0.failure = failure }
                throw failure
            }
            try state.withLock { state in
                // Beginning a segment flushes as well, and may have been told of the failure.
                try requireWritable(state)
                if state.ends.flushed < end { state.ends.advance(flushed: end) }
            }
        }
    }

    /// Refuses further appends and flushes what there is.
    func close() throws {
        state.withLock { $0.isClosed = true }
        try flush()
    }

    private func requireWritable(_ state: borrowing State) throws {
        guard access == .owner else {
            throw LogError(.readOnly, "\(name) was opened for reading only")
        }
        if let failure = state.failure {
            throw LogError(
                failure.code,
                "\(name) takes no more writes after a failure (\(failure.message)); start again")
        }
    }

    /// Writes at the end of the last segment, beginning a new one where it is full.
    private func write(
        _ batch: UnsafeRawBufferPointer, _ header: BatchHeader, _ state: inout State
    ) throws {
        let last = state.segments[state.segments.count - 1]
        let isFull =
            last.byteCount + batch.count > segmentBytes
            || !last.canHold(header)
        // A batch that is larger than a segment has one of its own.
        if isFull, last.byteCount > 0 { try roll(at: Offset(header.baseOffset), &state) }
        state.segments[state.segments.count - 1].preallocate(for: batch.count)
        let segment = state.segments[state.segments.count - 1]
        do {
            try segment.file.write(batch, at: segment.byteCount)
        } catch let failure as LogError {
            do {
                try segment.file.truncate(to: segment.byteCount)
            } catch { state.failure = failure }
            // A full disk may have room again; after any other failure nobody knows what is written.
            if failure.code != .noSpace { state.failure = failure }
            throw failure
        }
    }

    /// Flushes the last segment and begins the next: only the last one is ever unflushed.
    private func roll(at offset: Offset, _ state: inout State) throws {
        do {
            try state.segments[state.segments.count - 1].file.flush()
        } catch let failure as LogError {
            state.failure = failure
            throw failure
        }
        // A full disk here changes nothing: the next append tries again.
        let file = try File(directory + "/" + Segment.fileName(offset), .readWrite, create: true)
        do {
            try Directory.flush(directory)
        } catch let failure as LogError {
            // The file may be there or not: a batch in the segment before would leave a hole.
            state.failure = failure
            throw failure
        }
        state.segments.append(Segment(baseOffset: offset, file: file))
    }

    // MARK: Reading

    /// Where the bytes for a fetch are, how far it may read, and what was aborted there.
    struct ReadPlan {
        let file: File
        let position: Int
        /// Bytes of checked batches from `position` on.
        let byteCount: Int
        /// Readers stop before this offset.
        let upTo: Offset
        let aborted: [AbortedRange]
        /// Where the next segment begins; nil in the last one.
        let nextSegment: Offset?
    }

    /// Nil if there is nothing at `offset` yet. Throws `offsetOutOfRange` for one that is not there
    /// and never will be.
    func readPlan(from offset: Offset, isolation: Isolation) throws -> ReadPlan? {
        if access == .observer { try refresh() }
        return try state.withLock { state in
            let upTo = isolation == .readCommitted ? state.ends.lastStable : state.ends.logEnd
            guard offset >= state.ends.start, offset <= state.ends.logEnd else {
                throw LogError(
                    .offsetOutOfRange,
                    "offset \(offset) of \(name) is out of range: it has offsets from "
                        + "\(state.ends.start) to \(state.ends.logEnd)")
            }
            guard offset < upTo else { return nil }
            let index = (state.segments.lastIndex { $0.baseOffset <= offset }) ?? 0
            let segment = state.segments[index]
            let position = segment.position(atOrBefore: offset)
            return ReadPlan(
                file: segment.file, position: position, byteCount: segment.byteCount - position,
                upTo: upTo, aborted: state.hidden(from: offset, isolation),
                nextSegment: index + 1 < state.segments.count
                    ? state.segments[index + 1].baseOffset : nil)
        }
    }

    /// An observer's look at what the owner has appended since.
    package func refresh() throws {
        guard access == .observer else { return }
        try state.withLock { state in
            try PartitionRecovery.follow(directory, name: name, &state)
        }
    }
}

extension Partition.State {
    /// What a reader from `offset` on must not see below the end it reads to.
    fileprivate borrowing func hidden(from offset: Offset, _ isolation: Isolation) -> [AbortedRange]
    {
        let aborted = producers.aborted.filter { $0.last >= offset }
        guard isolation == .readDecided else { return aborted }
        return aborted
            + producers.openTransactions.map {
                AbortedRange(producerID: $0.producer.id, first: $0.first, last: ends.logEnd)
            }
    }

    /// Notes a batch that lies at the end of the last segment.
    mutating func batchAdded(_ header: BatchHeader, _ batch: UnsafeRawBufferPointer) {
        let last = segments.count - 1
        segments[last].batchAdded(baseOffset: header.baseOffset, byteCount: header.batchByteCount)
        let base = Offset(header.baseOffset)
        if let producer = header.producer {
            if !header.isControl {
                producers.dataAppended(
                    producer, isTransactional: header.isTransactional, at: base)
            } else if let marker = Self.marker(header, batch) {
                producers.markerAppended(marker, producer, at: base)
            }
        }
        let logEnd = Offset(header.nextOffset)
        ends.advance(lastStable: producers.firstOpen ?? logEnd, logEnd: logEnd)
    }

    private static func marker(_ header: BatchHeader, _ batch: UnsafeRawBufferPointer)
        -> TransactionMarker?
    {
        var records = BatchRecords(batch, header)
        do {
            guard let record = try records.next() else { return nil }
            return record.key.flatMap(TransactionMarker.init(key:))
        } catch {
            // A control record of a kind that this version does not know ends no transaction.
            return nil
        }
    }
}

/// Which records a reader sees.
public enum Isolation: Sendable {
    /// Those of committed transactions and of none, in order, up to the first undecided one.
    case readCommitted
    /// As `readCommitted`, but undecided transactions are left out rather than waited for: what comes
    /// behind them is seen, and they themselves are not seen later.
    case readDecided
    /// All that is written.
    case readUncommitted
}
