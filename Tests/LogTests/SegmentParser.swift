// Segment files read by a second hand: from the layout of record batch v2 alone, with none of the log's
// own code but the checksum and the codecs.

import Foundation
import StreamJobsChecksum
import StreamJobsCompression
import StreamJobsLog

struct ParsedBatch: Equatable {
    var baseOffset: Int64
    var leaderEpoch: Int32
    var attributes: Int16
    var lastOffsetDelta: Int32
    var baseTimestamp: Int64
    var maxTimestamp: Int64
    var producerID: Int64
    var producerEpoch: Int16
    var baseSequence: Int32
    var records: [Entry]
    var bytes: [UInt8]

    var nextOffset: Int64 { baseOffset + Int64(lastOffsetDelta) + 1 }
    var isTransactional: Bool { attributes & 1 << 4 != 0 }
    var isControl: Bool { attributes & 1 << 5 != 0 }
    var deleteHorizon: Int64? { attributes & 1 << 6 != 0 ? baseTimestamp : nil }
}

struct Unparsable: Error {
    let what: String
    init(_ what: String) { self.what = what }
}

struct SegmentParser {
    private var bytes: [UInt8]
    private var position = 0

    /// All batches of a partition's directory, from the first segment to the last.
    static func batches(inDirectory directory: String) throws -> [ParsedBatch] {
        try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            .filter { $0.hasSuffix(".log") }
            .flatMap { try batches(ofFile: directory + "/" + $0) }
    }

    static func batches(ofFile path: String) throws -> [ParsedBatch] {
        var parser = SegmentParser(bytes: try readFile(path))
        var batches: [ParsedBatch] = []
        while parser.position < parser.bytes.count { batches.append(try parser.batch()) }
        return batches
    }

    private mutating func number<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        let count = MemoryLayout<T>.size
        guard position + count <= bytes.count else { throw Unparsable("cut short at \(position)") }
        defer { position += count }
        return bytes[position..<position + count].reduce(T(0)) {
            $0 << 8 | T(truncatingIfNeeded: $1)
        }
    }

    private mutating func varint() throws -> Int64 {
        var result: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            let byte = try number(UInt8.self)
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 {
                return Int64(bitPattern: result >> 1) ^ -Int64(bitPattern: result & 1)
            }
        }
        throw Unparsable("a number that never ends at \(position)")
    }

    private mutating func take(_ count: Int64) throws -> [UInt8]? {
        if count == -1 { return nil }
        guard count >= 0, position + Int(count) <= bytes.count else {
            throw Unparsable("a length of \(count) at \(position)")
        }
        defer { position += Int(count) }
        return Array(bytes[position..<position + Int(count)])
    }

    private mutating func batch() throws -> ParsedBatch {
        let start = position
        let baseOffset = try number(Int64.self)
        let end = Int(try number(Int32.self)) + 12 + start
        let leaderEpoch = try number(Int32.self)
        guard try number(Int8.self) == 2, end <= bytes.count else {
            throw Unparsable("no batch at \(start)")
        }
        let sum = try number(UInt32.self)
        guard sum == bytes[(start + 21)..<end].withUnsafeBytes({ CRC32C.checksum($0) }) else {
            throw Unparsable("a wrong checksum at \(start)")
        }
        var batch = ParsedBatch(
            baseOffset: baseOffset, leaderEpoch: leaderEpoch, attributes: try number(Int16.self),
            lastOffsetDelta: try number(Int32.self), baseTimestamp: try number(Int64.self),
            maxTimestamp: try number(Int64.self), producerID: try number(Int64.self),
            producerEpoch: try number(Int16.self), baseSequence: try number(Int32.self),
            records: [], bytes: Array(bytes[start..<end]))
        let count = try number(Int32.self)
        var records = SegmentParser(bytes: Array(bytes[position..<end]))
        let codec = CompressionCodec(rawValue: UInt8(batch.attributes & 7))
        if let codec, codec != .none {
            let decompressor = Decompressor()
            records.bytes = try records.bytes.withUnsafeBytes {
                Array(try decompressor.decompress($0, from: codec, limit: 1 << 24))
            }
        }
        for _ in 0..<count { batch.records.append(try records.record(of: batch)) }
        guard records.position == records.bytes.count else {
            throw Unparsable("bytes are left over")
        }
        position = end
        return batch
    }

    private mutating func record(of batch: ParsedBatch) throws -> Entry {
        let length = Int(try varint())
        let end = position + length
        _ = try number(Int8.self)
        let timestamp = batch.baseTimestamp &+ (try varint())
        let offset = batch.baseOffset + (try varint())
        let key = try take(try varint())
        let value = try take(try varint())
        var headers: [Header] = []
        for _ in 0..<(try varint()) {
            let name = try take(try varint()) ?? []
            headers.append(Header(String(decoding: name, as: UTF8.self), try take(try varint())))
        }
        guard position == end else {
            throw Unparsable("a record of \(length) bytes ends elsewhere")
        }
        let time = batch.attributes & 1 << 3 != 0 ? batch.maxTimestamp : timestamp
        return Entry(offset: offset, key: key, value: value, timestamp: time, headers: headers)
    }
}
