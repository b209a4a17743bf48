// What an input of a repartition topic keeps of one upstream task while it waits for the others: records
// that lay one behind the other in a batch, copied as they stand, so that none is taken apart before its
// turn.

import StreamJobsLog

final class QueuedRecords {
    /// Those still to be taken; valid as long as this object.
    var records: BatchRecords
    private let memory: UnsafeMutableRawBufferPointer

    /// Copies the records from `start` to before `end`, both places in one batch that is being read.
    init(from start: BatchRecords, upTo end: BatchRecords) {
        memory = .allocate(byteCount: start.byteCount(upTo: end), alignment: 16)
        records = start.copied(upTo: end, to: memory)
    }

    deinit { memory.deallocate() }

    /// Bytes that keeping it takes, nearly.
    var byteCount: Int { memory.count + 64 }
}
