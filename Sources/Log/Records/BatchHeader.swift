// The header of Kafka's record batch, version 2 (Kafka: DefaultRecordBatch). All integers big-endian.
//
//  position  bytes  field
//         0      8  base offset            set by the log when it appends
//         8      4  batch length           bytes after this field
//        12      4  partition leader epoch set by the log when it appends
//        16      1  magic                  2
//        17      4  CRC-32C                of everything from `attributes` to the end of the batch
//        21      2  attributes             bits 0-2 compression, 3 timestamp type, 4 transactional,
//                                          5 control, 6 delete horizon (KIP-534)
//        23      4  last offset delta
//        27      8  base timestamp         with bit 6: when tombstones and markers may go
//        35      8  max timestamp
//        43      8  producer id            -1: none
//        51      2  producer epoch
//        53      4  base sequence          -1: none
//        57      4  records count
//        61         records
//
// The CRC leaves out what the log sets itself, so that a batch is stored without being checksummed
// again.

import StreamJobsChecksum
package import StreamJobsCompression

/// A checked copy of a batch's header. Sizes are validated before anything else believes them.
package struct BatchHeader {
    enum Position {
        static let baseOffset = 0
        static let batchLength = 8
        static let leaderEpoch = 12
        static let magic = 16
        static let crc = 17
        static let attributes = 21
        static let lastOffsetDelta = 23
        static let baseTimestamp = 27
        static let maxTimestamp = 35
        static let producerID = 43
        static let producerEpoch = 51
        static let baseSequence = 53
        static let recordsCount = 57
    }
    /// Bytes of the header, and so of the smallest batch.
    static let byteCount = 61
    /// Bytes that the batch length does not count.
    static let lengthOverhead = 12
    static let currentMagic: Int8 = 2

    package struct Attributes: OptionSet, Sendable {
        package let rawValue: Int16

        package init(rawValue: Int16) { self.rawValue = rawValue }

        static let logAppendTime = Attributes(rawValue: 1 << 3)
        static let transactional = Attributes(rawValue: 1 << 4)
        static let control = Attributes(rawValue: 1 << 5)
        static let deleteHorizon = Attributes(rawValue: 1 << 6)
        /// The bits that mean something.
        static let known = Attributes(rawValue: 0b111_1111)
    }

    package let baseOffset: Int64
    /// Bytes of the whole batch, header included.
    package let batchByteCount: Int
    package let leaderEpoch: Int32
    let crc: UInt32
    package let attributes: Attributes
    package let lastOffsetDelta: Int32
    package let baseTimestamp: Int64
    package let maxTimestamp: Int64
    package let producer: ProducerStamp?
    /// The producer's number of the first record; -1 where it does not count its records.
    package let baseSequence: Int32
    package let recordsCount: Int32

    /// The offset behind the batch, also where compaction has taken out its last records.
    package var nextOffset: Int64 { baseOffset + Int64(lastOffsetDelta) + 1 }
    package var isTransactional: Bool { attributes.contains(.transactional) }
    package var isControl: Bool { attributes.contains(.control) }
    /// Throws for the number of a codec that this version does not know.
    package var compression: CompressionCodec {
        get throws(MalformedBatch) {
            let number = UInt8(attributes.rawValue & 0b111)
            guard let codec = CompressionCodec(rawValue: number) else {
                throw .unknownCompression(Int(number))
            }
            return codec
        }
    }
    /// When compaction may take out tombstones and markers of this batch; nil before it has cleaned it.
    package var deleteHorizon: Timestamp? {
        attributes.contains(.deleteHorizon) ? Timestamp(milliseconds: baseTimestamp) : nil
    }

    /// Reads the header at the start of `bytes`; throws `MalformedBatch` where a field cannot be true.
    package init(_ bytes: UnsafeRawBufferPointer) throws(MalformedBatch) {
        guard bytes.count >= Self.byteCount else { throw .cutShort }
        let magic = bytes.loadBigEndian(Int8.self, at: Position.magic)
        let length = Int(bytes.loadBigEndian(Int32.self, at: Position.batchLength))
        guard magic == Self.currentMagic else {
            throw .field("magic is \(magic), not \(Self.currentMagic)")
        }
        batchByteCount = length + Self.lengthOverhead
        guard batchByteCount >= Self.byteCount else { throw .field("batch length is \(length)") }
        baseOffset = bytes.loadBigEndian(Int64.self, at: Position.baseOffset)
        leaderEpoch = bytes.loadBigEndian(Int32.self, at: Position.leaderEpoch)
        crc = bytes.loadBigEndian(UInt32.self, at: Position.crc)
        attributes = Attributes(
            rawValue: bytes.loadBigEndian(Int16.self, at: Position.attributes))
        lastOffsetDelta = bytes.loadBigEndian(Int32.self, at: Position.lastOffsetDelta)
        baseTimestamp = bytes.loadBigEndian(Int64.self, at: Position.baseTimestamp)
        maxTimestamp = bytes.loadBigEndian(Int64.self, at: Position.maxTimestamp)
        let producerID = bytes.loadBigEndian(Int64.self, at: Position.producerID)
        let epoch = bytes.loadBigEndian(Int16.self, at: Position.producerEpoch)
        producer = producerID < 0 ? nil : ProducerStamp(id: producerID, epoch: epoch)
        baseSequence = bytes.loadBigEndian(Int32.self, at: Position.baseSequence)
        recordsCount = bytes.loadBigEndian(Int32.self, at: Position.recordsCount)
        guard lastOffsetDelta >= 0 else { throw .field("last offset delta is \(lastOffsetDelta)") }
        // The checksum does not cover the base offset: what is behind it must be an offset as well.
        guard (0..<Int64.max - Int64(lastOffsetDelta)).contains(baseOffset) else {
            throw .field("base offset is \(baseOffset)")
        }
        guard (0...Int64(lastOffsetDelta) + 1).contains(Int64(recordsCount)) else {
            throw .field("records count is \(recordsCount)")
        }
    }
}

/// Why bytes are no batch.
@usableFromInline
package enum MalformedBatch: Error, CustomStringConvertible {
    /// The bytes end before the batch does.
    case cutShort
    case field(String)
    case checksum(stored: UInt32, computed: UInt32)
    case unknownCompression(Int)

    @usableFromInline package var description: String {
        switch self {
        case .cutShort: "the batch is cut short"
        case .field(let text): text
        case .unknownCompression(let number):
            "it is compressed with codec number \(number), which this version does not know; it knows "
                + CompressionCodec.allCases.map(\.name).joined(separator: ", ")
        case .checksum(let stored, let computed):
            "the checksum is \(String(computed, radix: 16)), not \(String(stored, radix: 16))"
        }
    }
}

extension BatchHeader {
    /// Gives a sealed batch its place in a partition, and its header as it is then. The checksum leaves
    /// these fields out.
    package static func place(
        _ batch: UnsafeMutableRawBufferPointer, at offset: Offset, leaderEpoch: Int32
    ) -> BatchHeader {
        guard let memory = batch.baseAddress else { preconditionFailure("a batch has bytes") }
        memory.storeBigEndian(offset.rawValue, at: Position.baseOffset)
        memory.storeBigEndian(leaderEpoch, at: Position.leaderEpoch)
        do {
            return try BatchHeader(UnsafeRawBufferPointer(batch))
        } catch { preconditionFailure("a sealed batch is well-formed: \(error)") }
    }

    /// Makes `time` the timestamp of all records of a sealed batch (`message.timestamp.type`), and its
    /// checksum right again.
    static func stamp(_ batch: UnsafeMutableRawBufferPointer, _ time: Timestamp) {
        guard let memory = batch.baseAddress else { preconditionFailure("a batch has bytes") }
        let bytes = UnsafeRawBufferPointer(batch)
        let attributes = Attributes(
            rawValue: bytes.loadBigEndian(Int16.self, at: Position.attributes))
        memory.storeBigEndian(
            attributes.union(.logAppendTime).rawValue, at: Position.attributes)
        memory.storeBigEndian(time.milliseconds, at: Position.maxTimestamp)
        let covered = UnsafeRawBufferPointer(rebasing: bytes[Position.attributes...])
        memory.storeBigEndian(CRC32C.checksum(covered), at: Position.crc)
    }

    /// What stands behind the batch's header: its records, as they were compressed.
    func recordBytes(of batch: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            rebasing: batch[Self.byteCount..<Swift.min(batchByteCount, batch.count)])
    }

    /// Throws unless `batch`, which this is the header of, is whole and its checksum right.
    func verify(_ batch: UnsafeRawBufferPointer) throws(MalformedBatch) {
        guard batch.count >= batchByteCount else { throw .cutShort }
        let covered = UnsafeRawBufferPointer(rebasing: batch[Position.attributes..<batchByteCount])
        let computed = CRC32C.checksum(covered)
        guard computed == crc else { throw .checksum(stored: crc, computed: computed) }
    }
}
