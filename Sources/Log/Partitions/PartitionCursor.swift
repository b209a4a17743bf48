// Reads one partition forward, record by record. Belongs to one thread; owns the memory it reads into,
// which is reused, so that a record is looked at where it was read to.

/// A place in a partition, and the record there.
package final class PartitionCursor {
    package let partition: Partition
    private let isolation: Isolation
    /// The offset behind the last record taken; batches without records for this reader count as read.
    package private(set) var position: Offset

    private var memory: UnsafeMutableRawBufferPointer
    /// Bytes fetched, and how far batches of them were taken.
    private var fetched = 0
    private var batchStart = 0
    private var aborted: [AbortedRange] = []
    /// No batch at or above is taken from the bytes fetched.
    private var limit = Offset.zero
    private var mayHaveGaps = false

    /// The batch being read.
    private var records: BatchRecords?
    private var record: RecordView?

    package init(_ partition: Partition, from offset: Offset, isolation: Isolation) {
        self.partition = partition
        self.isolation = isolation
        position = offset
        memory = .allocate(byteCount: Limits.fetchBytes, alignment: 16)
    }

    deinit { memory.deallocate() }

    /// Whether a record is there to be taken now; reads on if need be. False at the end of what this
    /// reader may see; more may come later. Throws `corrupted` where the bytes are not a batch.
    package func hasRecord() throws -> Bool {
        while true {
            if record != nil { return true }
            if records != nil {
                try readRecord()
            } else if try !nextBatch() {
                return false
            }
        }
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
    }

    /// Finds the next record of the batch being read, or ends the batch.
    private func readRecord() throws {
        guard let header = records?.header else { return }
        do {
            guard let view = try records?.next() else {
                position = max(position, Offset(header.nextOffset))
                records = nil
                return
            }
            // A batch holds earlier records than asked for, when reading begins in its middle.
            if view.offset >= position { record = consume view }
        } catch {
            // Asked again, it says so again: the records behind are not to be taken for the next.
            seek(to: position)
            throw LogError(
                .corrupted,
                "\(partition.name) holds a damaged record in the batch at offset "
                    + "\(header.baseOffset): \(error)")
        }
    }

    /// Opens the next batch that this reader may see; false if there is none yet.
    private func nextBatch() throws -> Bool {
        while true {
            let rest = UnsafeRawBufferPointer(rebasing: memory[batchStart..<fetched])
            guard position < limit, let next = try wholeBatch(rest) else {
                guard try fetch() else { return false }
                continue
            }
            guard next.nextOffset > position.rawValue else {
                batchStart += next.batchByteCount
                continue
            }
            // The checksum leaves out the base offset: where nothing was compacted a gap is damage.
            guard next.baseOffset <= position.rawValue || mayHaveGaps else {
                throw damaged(.field("base offset is \(next.baseOffset)"))
            }
            if next.isControl || isAborted(next) {
                batchStart += next.batchByteCount
                position = Offset(next.nextOffset)
                continue
            }
            try requireReadable(next)
            batchStart += next.batchByteCount
            let batch = UnsafeRawBufferPointer(rebasing: rest.prefix(next.batchByteCount))
            records = BatchRecords(batch, next)
            return true
        }
    }

    /// The header of the batch at the start of `bytes`, checked with its sum; nil if it is not whole.
    private func wholeBatch(_ bytes: UnsafeRawBufferPointer) throws -> BatchHeader? {
        do {
            let header = try BatchHeader(bytes)
            guard header.batchByteCount <= bytes.count else { return nil }
            // Batches that were read before need no second look.
            if header.nextOffset > position.rawValue { try header.verify(bytes) }
            return header
        } catch MalformedBatch.cutShort {
            return nil
        } catch {
            throw damaged(error)
        }
    }

    private func damaged(_ damage: MalformedBatch) -> LogError {
        LogError(.corrupted, "\(partition.name) is damaged near offset \(position): \(damage)")
    }

    private func isAborted(_ header: BatchHeader) -> Bool {
        guard isolation != .readUncommitted, header.isTransactional, let producer = header.producer
        else { return false }
        return aborted.contains {
            $0.producerID == producer.id && $0.first.rawValue <= header.baseOffset
                && header.baseOffset <= $0.last.rawValue
        }
    }

    private func requireReadable(_ header: BatchHeader) throws {
        let codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
        let codec = header.attributes.compression
        guard codec == 0 else {
            let name = codec < codecs.count ? codecs[codec] : "number \(codec)"
            throw LogError(
                .newerFormat,
                "\(partition.name) holds a batch compressed with \(name) at offset "
                    + "\(header.baseOffset), which this version does not read")
        }
    }

    /// Reads the bytes at `position`, of its whole batch at least; false if there are none yet.
    private func fetch() throws -> Bool {
        fetched = 0
        batchStart = 0
        guard let plan = try partition.readPlan(from: position, isolation: isolation) else {
            return false
        }
        aborted = plan.aborted
        limit = plan.upTo
        mayHaveGaps = plan.mayHaveGaps
        var start = plan.position
        let end = plan.position + plan.byteCount
        while true {
            let wanted = min(end - start, memory.count)
            fetched = try plan.file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: memory[..<wanted]), at: start)
            let (skipped, needed) = try findBatch()
            if skipped + needed <= fetched {
                batchStart = skipped
                return true
            }
            // The index points before the batch, which is in memory in part only: read on from there.
            start += skipped
            let isProgress = skipped > 0 || needed > memory.count
            guard isProgress, start + needed <= end else {
                fetched = 0
                throw damaged(.cutShort)
            }
            if needed > memory.count {
                memory.deallocate()
                memory = .allocate(byteCount: needed, alignment: 16)
            }
        }
    }

    /// Where in the bytes fetched the batch with `position` begins, and how many bytes have to be there
    /// to read it, as far as is known.
    private func findBatch() throws -> (skipped: Int, needed: Int) {
        var skipped = 0
        while skipped < fetched {
            do {
                let header = try BatchHeader(
                    UnsafeRawBufferPointer(rebasing: memory[skipped..<fetched]))
                guard header.nextOffset <= position.rawValue else {
                    return (skipped, header.batchByteCount)
                }
                skipped += header.batchByteCount
            } catch MalformedBatch.cutShort {
                break
            } catch { throw damaged(error) }
        }
        return (skipped, BatchHeader.byteCount)
    }
}
