// Reads one partition forward, record by record or batch by batch. Belongs to one thread; owns the memory
// it reads into, which is reused, so that a record is looked at where it was read to.
//
// Offsets may have gaps: compaction takes out records and whole batches. So the next batch is the next
// one in the file, and what cannot be is a batch that begins below the end of the one before.

import StreamJobsCompression

/// A place in a partition, and the record there.
package final class PartitionCursor {
    package let partition: Partition
    private let isolation: Isolation
    /// Bytes to ask for at once; a larger batch is read whole all the same.
    private let fetchBytes: Int
    /// The offset behind the last record taken; batches without records for this reader count as read.
    package private(set) var position: Offset

    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    /// Bytes fetched, and how far batches of them were taken.
    private var fetched = 0
    private var batchStart = 0
    /// Transactions that were aborted, in the order of their beginnings, and of those that have begun the
    /// last of each producer, with its end.
    private var aborted: ArraySlice<AbortedRange> = []
    private var abortedEnds: [Int64: Offset] = [:]
    /// No batch at or above is taken from the bytes fetched.
    private var limit = Offset.zero
    /// Compaction may have taken something out of the bytes fetched.
    private var mayHaveGaps = false
    /// The end of the batch read last: the next one begins there or above. Nil after a seek, which may
    /// have gone into the midst of a batch.
    private var previousEnd: Int64?

    /// The batch being read.
    private var records: BatchRecords?
    private var record: RecordView?
    private var decompressor: Decompressor?
    /// Bytes in the file of the batches opened so far.
    package private(set) var bytesRead = 0

    package init(
        _ partition: Partition, from offset: Offset, isolation: Isolation,
        fetchBytes: Int = Limits.fetchBytes
    ) {
        self.partition = partition
        self.isolation = isolation
        self.fetchBytes = max(fetchBytes, BatchHeader.byteCount)
        position = offset
    }

    deinit { memory.deallocate() }

    // MARK: Record by record

    /// Whether a record is there to be taken now; reads on if need be. False at the end of what this
    /// reader may see; more may come later. Throws `corrupted` where the bytes are not a batch.
    package func hasRecord() throws -> Bool {
        while record == nil {
            if records == nil, try !nextBatch() { return false }
            try readRecord()
        }
        return true
    }

    /// The record that `hasRecord` has found; valid until `take`.
    package func withRecord(_ body: (borrowing RecordView) throws -> Void) throws {
        guard record != nil else { preconditionFailure("hasRecord() was not asked") }
        try body(record!)
    }

    package var recordTimestamp: Timestamp? { record?.timestamp }
    package var recordOffset: Offset? { record?.offset }

    /// Moves behind the record that `hasRecord` has found.
    package func take() {
        guard let offset = record?.offset else { preconditionFailure("there is no record to take") }
        position = offset + 1
        record = nil
    }

    /// Goes to `offset`; what was fetched is dropped.
    package func seek(to offset: Offset) {
        position = offset
        fetched = 0
        batchStart = 0
        records = nil
        record = nil
        previousEnd = nil
    }

    /// Finds the next record of the batch being read, or ends the batch.
    private func readRecord() throws {
        do {
            if let view = try records?.next() {
                record = consume view
            } else {
                endBatch()
            }
        } catch { throw damagedRecord(error) }
    }

    // MARK: Batch by batch

    /// The records that come next, of one batch: all of them or, where its reading was broken off or
    /// begins in its midst, the rest. Nil at the end of what this reader may see now. They are valid until
    /// the next call; what was read of them is to be given back to `close`. Throws as `hasRecord`. Not to
    /// be mixed with reading record by record.
    package func open() throws -> BatchRecords? {
        if records == nil, try !nextBatch() { return nil }
        if let records, records.left == 0, !records.isAtEnd {
            throw damagedRecord(.field("bytes follow the last record"))
        }
        return records
    }

    /// Takes note of how far the records of `open` were read.
    package func close(_ read: BatchRecords) {
        if read.left == 0, read.isAtEnd {
            endBatch()
        } else {
            records = read
            position = Offset(max(position.rawValue, read.position))
        }
    }

    /// The error for a record, of those that `open` gave, whose lengths cannot be true. Asked again, the
    /// cursor says so again: the records behind are not to be taken for the next.
    package func damagedRecord(_ damage: MalformedBatch) -> LogError {
        let base = records.map { " in the batch at offset \($0.baseOffset)" } ?? ""
        seek(to: position)
        return LogError(
            .corrupted, "\(partition.name) holds a damaged record\(base): \(damage)")
    }

    /// Whether there may be something to read now, without reading it.
    package var mayHaveMore: Bool { records != nil || position < end }

    /// Bytes there are to read now, as far as one look at the files tells.
    package func availableBytes() throws -> Int {
        let plan = try partition.readPlan(
            from: position, isolation: isolation, byteCount: fetchBytes)
        return plan?.byteCount ?? 0
    }

    /// Where this reader ends now.
    package var end: Offset {
        isolation == .readCommitted ? partition.lastStableOffset : partition.logEndOffset
    }

    private func endBatch() {
        if let records {
            position = max(position, Offset(records.nextOffset))
            previousEnd = records.nextOffset
        }
        records = nil
    }

    // MARK: Memory

    /// Bytes of memory held for what was read.
    package var heldBytes: Int { memory.count + (decompressor?.heldBytes ?? 0) }

    /// Gives back what a large batch has taken, for a reader that is going to wait, perhaps for long. Does
    /// nothing while a batch is being read.
    package func releaseMemory() {
        guard records == nil else { return }
        decompressor?.releaseMemory()
        guard memory.count > fetchBytes, batchStart == fetched else { return }
        memory.deallocate()
        memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        fetched = 0
        batchStart = 0
    }

    // MARK: Finding batches

    /// Opens the next batch that this reader may see; false if there is none yet.
    private func nextBatch() throws -> Bool {
        while true {
            let rest = UnsafeRawBufferPointer(rebasing: memory[batchStart..<fetched])
            guard position < limit, let next = try wholeBatch(rest) else {
                guard try fetch() else { return false }
                continue
            }
            try requireInOrder(next, rest)
            try open(UnsafeRawBufferPointer(rebasing: rest.prefix(next.batchByteCount)), next)
            batchStart += next.batchByteCount
            bytesRead += next.batchByteCount
            if records != nil { return true }
        }
    }

    /// Makes `header`'s batch the one being read, or passes over it where this reader sees none of it.
    private func open(_ batch: UnsafeRawBufferPointer, _ header: BatchHeader) throws {
        if header.isControl || header.recordsCount == 0 || isAborted(header) {
            position = Offset(header.nextOffset)
            previousEnd = header.nextOffset
            return
        }
        do {
            var records: BatchRecords
            if try header.compression == .none {
                records = BatchRecords(batch, header)
            } else {
                let decompressor = self.decompressor ?? Decompressor()
                self.decompressor = decompressor
                records = try BatchRecords(batch, header, decompressor)
            }
            self.records = records
            // A batch holds earlier records than asked for, when reading begins in its middle.
            if header.baseOffset < position.rawValue {
                try records.skip(to: position)
                self.records = records
            }
        } catch MalformedBatch.unknownCompression(let number) {
            throw LogError(
                .newerFormat,
                "\(partition.name) holds a batch at offset \(header.baseOffset): "
                    + MalformedBatch.unknownCompression(number).description)
        } catch { throw damagedRecord(error) }
    }

    /// The checksum leaves out the base offset: it must fit what lies before and behind.
    private func requireInOrder(_ header: BatchHeader, _ rest: UnsafeRawBufferPointer) throws {
        let base = header.baseOffset
        if let previousEnd {
            guard base != previousEnd else { return }
            guard base > previousEnd else { throw damaged(.field("base offset is \(base)")) }
        } else if base <= position.rawValue, header.nextOffset <= limit.rawValue {
            // Reading has begun here; what lies before is not known.
            return
        }
        // A gap: compaction has made it, or the offset is not what was written.
        guard mayHaveGaps else { throw damaged(.field("base offset is \(base)")) }
        let following = UnsafeRawBufferPointer(rebasing: rest.dropFirst(header.batchByteCount))
        var isBelowNext = true
        if following.count >= BatchHeader.byteCount {
            isBelowNext = try header.nextOffset <= self.header(following).baseOffset
        }
        guard header.nextOffset <= limit.rawValue, isBelowNext else {
            throw damaged(.field("base offset is \(base)"))
        }
    }

    private func header(_ bytes: UnsafeRawBufferPointer) throws -> BatchHeader {
        do { return try BatchHeader(bytes) } catch { throw damaged(error) }
    }

    /// The header of the batch at the start of `bytes`, checked with its sum; nil if it is not whole.
    private func wholeBatch(_ bytes: UnsafeRawBufferPointer) throws -> BatchHeader? {
        do {
            let header = try BatchHeader(bytes)
            guard header.batchByteCount <= bytes.count else { return nil }
            try header.verify(bytes)
            return header
        } catch MalformedBatch.cutShort {
            return nil
        } catch {
            throw damaged(error)
        }
    }

    private func damaged(_ damage: MalformedBatch) -> LogError {
        LogError(
            .corrupted,
            "\(partition.name) is damaged near offset \(position), in "
                + "\(partition.path(ofSegmentWith: position)): \(damage); 'log verify' names the byte; put "
                + "the file back from a copy, or read on behind it")
    }

    private func isAborted(_ header: BatchHeader) -> Bool {
        guard isolation != .readUncommitted, header.isTransactional, let producer = header.producer
        else { return false }
        // A producer has one transaction after the other.
        while let next = aborted.first, next.first.rawValue <= header.baseOffset {
            abortedEnds[next.producerID] = next.last
            aborted.removeFirst()
        }
        return abortedEnds[producer.id].map { header.baseOffset <= $0.rawValue } ?? false
    }

    // MARK: Fetching

    /// Reads the bytes at `position`, of its whole batch at least; false if there are none yet.
    private func fetch() throws -> Bool {
        fetched = 0
        batchStart = 0
        let plan = try partition.readPlan(
            from: position, isolation: isolation, byteCount: max(fetchBytes, memory.count))
        guard let plan else {
            releaseMemory()
            return false
        }
        aborted = plan.aborted.sorted { $0.first < $1.first }[...]
        abortedEnds.removeAll(keepingCapacity: true)
        limit = plan.upTo
        mayHaveGaps = plan.mayHaveGaps
        var start = plan.position
        let end = plan.position + plan.byteCount
        while start < end {
            let wanted = min(end - start, max(fetchBytes, memory.count))
            makeRoom(for: wanted)
            fetched = try plan.file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: memory[..<wanted]), at: start)
            let (skipped, needed) = try findBatch(
                start == plan.position ? plan.firstBatch : .unknown)
            if skipped + needed <= fetched {
                batchStart = skipped
                return true
            }
            // All that is there lies below `position`: the rest of the segment was compacted away.
            if start + skipped == end { break }
            // The index points before the batch, which is in memory in part only: read on from there.
            start += skipped
            guard skipped > 0 || needed > wanted, start + needed <= end else {
                fetched = 0
                throw damaged(.cutShort)
            }
            makeRoom(for: needed)
        }
        fetched = 0
        guard let next = plan.nextSegment, next > position else { throw damaged(.cutShort) }
        position = next
        return try fetch()
    }

    /// What was read is given up.
    private func makeRoom(for byteCount: Int) {
        guard memory.count < byteCount else { return }
        memory.deallocate()
        // Twice as much at least: a partition that grows from nothing is not copied at each fetch.
        let larger = max(byteCount, min(2 * memory.count, fetchBytes))
        memory = .allocate(byteCount: larger, alignment: 16)
    }

    /// Where in the bytes fetched the batch with `position` begins, and how many bytes have to be there
    /// to read it, as far as is known.
    private func findBatch(_ first: KnownBatch) throws -> (skipped: Int, needed: Int) {
        var skipped = 0
        var nextOffset: Int64 = 0
        while skipped < fetched {
            do {
                let header = try BatchHeader(
                    UnsafeRawBufferPointer(rebasing: memory[skipped..<fetched]))
                guard header.baseOffset >= nextOffset, skipped > 0 || first.isTrue(of: header)
                else {
                    throw MalformedBatch.field("base offset is \(header.baseOffset)")
                }
                nextOffset = header.nextOffset
                guard header.nextOffset <= position.rawValue else {
                    return (skipped, header.batchByteCount)
                }
                skipped += header.batchByteCount
            } catch MalformedBatch.cutShort {
                break
            } catch let damage as MalformedBatch { throw damaged(damage) }
        }
        return (skipped, BatchHeader.byteCount)
    }
}
