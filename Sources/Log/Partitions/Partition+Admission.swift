// What a topic's settings ask of a batch before it is appended: keys where it is compacted, and the codec
// that it is stored with. A producer that knows the topic has done both already (`BatchBuilder.seal(for:)`);
// a batch from elsewhere is looked into here, outside of the partition's lock.

import StreamJobsChecksum
import StreamJobsCompression

extension Partition {
    /// What is appended in the place of `batch`; nil where that is itself. Throws `invalidRecord` for a
    /// null key in a compacted topic, and for a batch that cannot be read.
    func prepare(_ batch: UnsafeRawBufferPointer) throws -> RecodedBatch? {
        let settings = settings
        let codec = settings.compression.codec
        guard codec != nil || settings.requiresKeys else { return nil }
        do {
            let header = try BatchHeader(batch)
            // Markers are never compressed, and empty batches have nothing that could be.
            guard !header.isControl, header.recordsCount > 0 else { return nil }
            let isOther = try codec.map { try $0 != header.compression } ?? false
            guard isOther || settings.requiresKeys else { return nil }
            let reader = BatchRecordsReader()
            // `records` may lie in its memory.
            defer { withExtendedLifetime(reader) {} }
            let records = try reader.records(of: batch, header)
            if settings.requiresKeys { try requireKeys(records, header) }
            // What readers would not decompress stays as it is.
            guard let codec, isOther,
                codec == .none || records.count <= Limits.decompressedBatchBytesMax
            else { return nil }
            let recoded = RecodedBatch(header, batch, records, codec)
            guard let recoded, recoded.bytes.count > settings.batchBytesMax else { return recoded }
            // One that fits only as it is stays so.
            return batch.count <= settings.batchBytesMax ? nil : recoded
        } catch let damage as MalformedBatch {
            throw LogError(.invalidRecord, "a batch for \(name) cannot be read: \(damage)")
        }
    }

    private func requireKeys(_ records: UnsafeRawBufferPointer, _ header: BatchHeader) throws {
        guard let index = try NullKeys.first(in: records, of: header) else { return }
        throw LogError(
            .invalidRecord,
            "record \(index) of a batch for \(name) has no key, but the topic is compacted "
                + "(cleanup.policy=compact); give every record a key")
    }
}

/// A batch with its records in another codec (Kafka: LogValidator), in memory of its own.
final class RecodedBatch {
    // Allocated in init, freed in deinit; whoever uses it holds this object.
    let bytes: UnsafeMutableRawBufferPointer

    /// Nil where the codec's library has no memory.
    /// - Parameter records: Those of `batch`, decompressed.
    init?(
        _ header: BatchHeader, _ batch: UnsafeRawBufferPointer, _ records: UnsafeRawBufferPointer,
        _ codec: CompressionCodec
    ) {
        let compressor = Compressor()
        guard let body = try? compressor.compress(records, with: codec) else { return nil }
        let byteCount = BatchHeader.byteCount + body.count
        bytes = .allocate(byteCount: byteCount, alignment: 16)
        guard let memory = bytes.baseAddress else { preconditionFailure("a batch has bytes") }
        var pointer = memory
        pointer.copy(UnsafeRawBufferPointer(rebasing: batch[..<BatchHeader.byteCount]))
        pointer.copy(body)
        typealias Position = BatchHeader.Position
        let attributes = header.attributes.rawValue & ~0b111 | Int16(codec.rawValue)
        memory.storeBigEndian(
            Int32(byteCount - BatchHeader.lengthOverhead), at: Position.batchLength)
        memory.storeBigEndian(attributes, at: Position.attributes)
        let covered = UnsafeRawBufferPointer(rebasing: bytes[Position.attributes...])
        memory.storeBigEndian(CRC32C.checksum(covered), at: Position.crc)
        // The compressor's memory, which `body` lies in, may go after its last use.
        withExtendedLifetime(compressor) {}
    }

    deinit { bytes.deallocate() }
}
