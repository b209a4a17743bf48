// The records behind a batch's header, decompressed where they are compressed.

import StreamJobsCompression

extension BatchHeader {
    /// Throws for the number of a codec that this version does not know.
    var codec: CompressionCodec {
        get throws(MalformedBatch) {
            let number = UInt8(attributes.rawValue & 0b111)
            guard let codec = CompressionCodec(rawValue: number) else {
                throw .field("compression \(number) is none that this version knows")
            }
            return codec
        }
    }
}

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
        let codec = try header.codec
        guard codec != .none, header.recordsCount > 0 else { return records }
        do {
            return try decompressor.decompress(
                records, from: codec, limit: Limits.decompressedBatchBytesMax)
        } catch { throw .field("its records cannot be decompressed: \(error)") }
    }
}
