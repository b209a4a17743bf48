// Builders that the tests of the log share: a directory of their own, records in and out of a
// partition, surgery on its files, and numbers that a seed repeats.

import Foundation
import StreamJobsChecksum
import StreamJobsLog
import Synchronization
import TestSupport
import Testing

/// A log with one topic `t` of one partition. Closed or left by the test; opened again at will.
struct TestLog {
    let directory: TemporaryDirectory
    let segmentBytes: Int
    static let name = TopicPartition("t", PartitionID(0))

    init(segmentBytes: Int = 1 << 30) throws {
        directory = try TemporaryDirectory()
        self.segmentBytes = segmentBytes
        try withOwner { log, _ in try log.createTopic("t", partitions: 1) }
    }

    /// What the log's owner was told of.
    let notices = Notices()

    /// An owner's log that does nothing in the background.
    func open(_ files: FileSystem = .live) throws -> CommitLog {
        try openOwner(directory.path) { options in
            options.segmentBytes = segmentBytes
            options.files = files
            options.notify = { [notices] in notices.add($0) }
        }
    }

    /// Opens as the owner for the call; a stop that is not clean is as after kill -9. (A closure whose
    /// only `try` is within `#expect` must say `throws`: the compiler does not look into macros.)
    @discardableResult
    func withOwner<R>(isClean: Bool = true, _ body: (CommitLog, () throws -> Partition) throws -> R)
        throws -> R
    {
        let log = try open()
        let result = try withExtendedLifetime(log) {
            try body(log) { try log.partition(Self.name) }
        }
        if isClean { try log.close() }
        return result
    }

    @discardableResult
    func withPartition<R>(isClean: Bool = true, _ body: (Partition) throws -> R) throws -> R {
        try withOwner(isClean: isClean) { _, partition in try body(partition()) }
    }

    func observer() throws -> Partition {
        try CommitLog.open(directory.path, as: .observer).partition(Self.name)
    }

    /// The segments' paths in order.
    var segments: [String] {
        get throws {
            let folder = directory.path + "/t-0"
            return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
                .filter { $0.hasSuffix(".log") }.map { folder + "/" + $0 }
        }
    }

    /// Every file but the lock, with its bytes.
    func contents() throws -> [String: Data] {
        var contents: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: directory.path)
        where name != ".lock" {
            contents[name] = FileManager.default.contents(atPath: directory.path + "/" + name)
        }
        return contents
    }

    /// The error of an owner that may not open; fails the test if it opens.
    func refusal() -> LogError? {
        #expect(throws: LogError.self) {
            _ = try open()
        }
    }
}

/// An owner's log that does nothing in the background, so that it is gone with its last reference: as
/// after kill -9.
func openOwner(_ directory: String, _ change: (inout LogOptions) -> Void = { _ in }) throws
    -> CommitLog
{
    var options = LogOptions()
    options.isMaintained = false
    change(&options)
    return try CommitLog.open(directory, as: .owner, options)
}

final class Notices: Sendable {
    private let texts = Mutex<[String]>([])
    func add(_ text: String) { texts.withLock { $0.append(text) } }
    var all: [String] { texts.withLock { $0 } }
}

func readFile(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
}

func writeFile(_ path: String, _ bytes: [UInt8]) throws {
    // In place: a reader that has the file open sees it.
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    try file.truncate(atOffset: 0)
    try file.write(contentsOf: Data(bytes))
    try file.close()
}

/// A record as a test expects it.
struct Entry: Equatable, CustomStringConvertible {
    var offset: Int64
    var key: [UInt8]?
    var value: [UInt8]?
    var timestamp: Int64 = 0
    var headers: [Header] = []

    var description: String {
        "\(offset): \(text(key))=\(text(value)) at \(timestamp) \(headers)"
    }

    private func text(_ bytes: [UInt8]?) -> String {
        bytes.map { $0.count > 40 ? "\($0.count) bytes" : String(decoding: $0, as: UTF8.self) }
            ?? "null"
    }
}

extension Entry {
    init(_ record: borrowing RecordView) throws {
        offset = record.offset.rawValue
        timestamp = record.timestamp.milliseconds
        key = record.withKey { $0.map { Array($0) } }
        value = record.withValue { $0.map { Array($0) } }
        headers = try record.headers()
    }
}

extension BatchBuilder {
    func append(_ value: String) throws {
        try append(key: nil, value: Array(value.utf8), timestamp: Timestamp(milliseconds: 0))
    }

    func append(
        key: [UInt8]?, value: [UInt8]?, timestamp: Timestamp, headers: [Header] = []
    ) throws {
        try withBytes(key) { key in
            try withBytes(value) { value in
                try append(key: key, value: value, timestamp: timestamp, headers: headers)
            }
        }
    }

    private func withBytes(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) throws -> Void)
        throws
    {
        guard let bytes else { return try body(nil) }
        try bytes.withUnsafeBytes { try body($0) }
    }
}

extension Partition {
    /// Appends one batch of records with these values.
    @discardableResult
    func append(_ values: String..., producer: ProducerStamp? = nil) throws -> Offset {
        try append(values, producer: producer, isTransactional: producer != nil)
    }

    @discardableResult
    func append(_ values: [String], producer: ProducerStamp?, isTransactional: Bool) throws
        -> Offset
    {
        let batch = BatchBuilder()
        for value in values { try batch.append(value) }
        return try withExtendedLifetime(batch) {
            try append(batch.seal(producer: producer, isTransactional: isTransactional))
        }
    }

    /// A batch that its producer has numbered from `sequence` on.
    @discardableResult
    func append(_ values: [String], producer: ProducerStamp, sequence: Int32) throws -> Offset {
        let batch = BatchBuilder()
        for value in values { try batch.append(value) }
        return try withExtendedLifetime(batch) {
            try append(batch.seal(producer: producer, baseSequence: sequence))
        }
    }

    func entries(from offset: Int64 = 0, _ isolation: Isolation = .readCommitted) throws -> [Entry]
    {
        let cursor = PartitionCursor(self, from: Offset(offset), isolation: isolation)
        var entries: [Entry] = []
        while try cursor.hasRecord() {
            try cursor.withRecord { entries.append(try Entry($0)) }
            cursor.take()
        }
        return entries
    }

    func values(from offset: Int64 = 0, _ isolation: Isolation = .readCommitted) throws -> [String]
    {
        try entries(from: offset, isolation).map { String(decoding: $0.value ?? [], as: UTF8.self) }
    }
}

/// The length of the batch at `position`, from its bytes 8 to 11.
func batchByteCount(_ bytes: [UInt8], at position: Int) -> Int {
    bytes[position + 8..<position + 12].reduce(0) { $0 << 8 | Int($1) } + 12
}

/// A text file of ours with its last line.
func withChecksum(_ text: String) -> String {
    let checksum = Array(text.utf8).withUnsafeBytes { CRC32C.checksum($0) }
    return text + "crc-32c " + String(checksum, radix: 16) + "\n"
}

/// Gives a changed batch the checksum that it needs to be believed.
func mendChecksum(_ batch: inout [UInt8]) {
    let checksum = batch[21...].withUnsafeBytes { CRC32C.checksum($0) }
    withUnsafeBytes(of: checksum.bigEndian) { batch.replaceSubrange(17..<21, with: $0) }
}

/// Whether crashes and faults come at every place of their workloads and not at some: STREAMJOBS_CAMPAIGN.
let isCampaign = ProcessInfo.processInfo.environment["STREAMJOBS_CAMPAIGN"] != nil

/// A batch's header alone, as the log has placed it.
func header(
    id: Int64 = 7, epoch: Int16 = 0, sequence: Int32 = -1, at offset: Int64, count: Int = 1,
    timestamp: Int64 = -1, isTransactional: Bool = false, isControl: Bool = false
) throws -> BatchHeader {
    var bytes: [UInt8] = []
    func put(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.bigEndian) { bytes += $0 }
    }
    put(offset)
    put(Int32(61 - 12))
    put(Int32(0))
    put(Int8(2))
    put(UInt32(0))
    put(Int16((isTransactional || isControl ? 1 << 4 : 0) | (isControl ? 1 << 5 : 0)))
    put(Int32(count - 1))
    put(timestamp)
    put(timestamp)
    put(id)
    put(epoch)
    put(sequence)
    put(Int32(count))
    return try bytes.withUnsafeBytes { try BatchHeader($0) }
}

/// A clock that stands until the test moves it.
final class TestClock: Sendable {
    private let time = Mutex(ContinuousClock.now)

    var now: ContinuousClock.Instant { time.withLock { $0 } }
    func advance(by duration: Duration) { time.withLock { $0 += duration } }
}
