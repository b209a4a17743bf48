// The records behind a batch's header, decompressed where they are compressed.

import StreamJobsCompression

/// Keeps the memory and the codecs' contexts between calls; belongs to one thread.
final class BatchRecordsReader {
    // Most logs have no compressed batches.
    private lazy var decompressor = Decompressor()

    /// Valid until the next call, and as long as `batch`. Throws `MalformedBatch`.
    func records(of batch: UnsafeRawBufferPointer, _ header: BatchHeader) throws(MalformedBatch)
        -> UnsafeRawBufferPointer
    {
        let records = UnsafeRawBufferPointer(
            rebasing: batch[BatchHeader.byteCount..<header.batchByteCount])
        let codec = try header.compression
        guard codec != .none, header.recordsCount > 0 else { return records }
        do {
            return try decompressor.decompress(
                records, from: codec, limit: Limits.decompressedBatchBytesMax)
        } catch { throw .field("its records cannot be decompressed: \(error)") }
    }
}
