// What is to be known of a partition before any of it is rewritten: the last offset of each key in the part
// that was not cleaned yet, which transactions were aborted, and which batches have to stay for what they
// say of their producers. Reads and checks every batch of the range once.
//
//   ├── clean: keys are there once ──┤├── dirty: keys are gathered ──┤├─ not touched ─┤
//   start                    firstDirty                            end

/// The segments of one pass, and what it knows of transactions.
struct CleaningRange {
    /// From the partition's first one on: sealed, decided and flushed.
    let segments: [Segment]
    let firstDirty: Offset
    /// With those that begin in the range and end behind it.
    let aborted: [AbortedRange]
    /// Whose last batches stay: those that the partition has not forgotten.
    let producers: Set<Int64>
}

struct CleaningSurvey {
    let keys: KeyOffsets
    let firstDirty: Offset
    /// Records from here on are not compared: the map of keys was full.
    private(set) var end: Offset
    /// As many segments as are to be rewritten.
    private(set) var segmentCount = 0
    /// Base offsets of the batches that stay, without records if need be: the last of each producer, its
    /// last marker, and the first of each transaction that ends behind the range. So whoever reads the
    /// segments from the start comes to the same epochs, sequences and first offsets as before.
    private(set) var kept: Set<Int64> = []
    let aborted: AbortedTransactions

    /// - Parameter pause: Called after every few bytes read; what it throws ends the pass.
    /// - Parameter keyBytesMax: Bytes of memory for the map of keys.
    init(
        _ range: CleaningRange, keyBytesMax: Int = Limits.compactionKeysBytesMax,
        pause: () throws -> Void
    ) throws {
        keys = KeyOffsets(byteCountMax: keyBytesMax)
        firstDirty = range.firstDirty
        end = range.segments.last?.nextOffset ?? range.firstDirty
        aborted = AbortedTransactions(range.aborted)
        var producers = ProducerStates()
        var markers: [Int64: Int64] = [:]
        let reader = BatchRecordsReader()
        var isFull = false
        for segment in range.segments where !isFull {
            try pause()
            segmentCount += 1
            var step = 0
            try segment.scanCleanly { header, batch in
                step += batch.count
                if step >= Limits.compactionStepBytes {
                    step = 0
                    try pause()
                }
                _ = producers.batchAdded(header, batch)
                if header.isControl, let producer = header.producer {
                    markers[producer.id] = header.baseOffset
                }
                guard !isFull, header.nextOffset > firstDirty.rawValue else { return }
                isFull = try !add(header, batch, reader)
            }
        }
        keep(producers, markers, range.producers)
    }

    /// False where the map was full before the batch's end, which is then the survey's.
    private mutating func add(
        _ header: BatchHeader, _ batch: UnsafeRawBufferPointer, _ reader: BatchRecordsReader
    ) throws -> Bool {
        guard !header.isControl, !aborted.contain(header) else { return true }
        var walk = RecordWalk(try reader.records(of: batch, header), of: header)
        while let record = try walk.next() {
            let offset = header.baseOffset + record.offsetDelta
            guard let key = record.key, offset >= firstDirty.rawValue else { continue }
            guard keys.put(key, offset) else {
                end = Offset(offset)
                return false
            }
        }
        return true
    }

    private mutating func keep(
        _ states: ProducerStates, _ markers: [Int64: Int64], _ known: Set<Int64>
    ) {
        for id in known {
            if let batch = states.states[id]?.lastBatch { kept.insert(batch.firstOffset) }
            if let marker = markers[id] { kept.insert(marker) }
        }
        for transaction in states.openTransactions { kept.insert(transaction.first.rawValue) }
    }
}

/// Which batches belong to aborted transactions.
struct AbortedTransactions {
    /// By producer, in order.
    private let ranges: [Int64: [AbortedRange]]

    init(_ ranges: [AbortedRange]) {
        self.ranges = Dictionary(grouping: ranges, by: \.producerID)
            .mapValues { $0.sorted { $0.first < $1.first } }
    }

    func contain(_ header: BatchHeader) -> Bool {
        guard header.isTransactional, let id = header.producer?.id, let own = ranges[id] else {
            return false
        }
        let base = header.baseOffset
        var low = 0
        var high = own.count
        while low < high {
            let middle = (low + high) / 2
            if own[middle].first.rawValue <= base { low = middle + 1 } else { high = middle }
        }
        return low > 0 && base <= own[low - 1].last.rawValue
    }
}

extension Segment {
    /// Calls `body` with each batch. Throws `corrupted` where one is damaged or missing.
    func scanCleanly(_ body: (BatchHeader, UnsafeRawBufferPointer) throws -> Void) throws {
        let end = try BatchScanner.scan(
            try log(), from: 0, to: byteCount, nextOffset: baseOffset.rawValue,
            endOffset: nextOffset.rawValue, mayHaveGaps: true, body)
        guard end.damage == nil, end.position == byteCount else {
            let damage = end.damage.map { "\($0)" } ?? "it ends there"
            throw LogError(
                .corrupted,
                "\(path()) is damaged at byte \(end.position), so that it was not compacted: \(damage);"
                    + " put the file back from a copy")
        }
    }
}
