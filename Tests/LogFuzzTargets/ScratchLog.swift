// A small data directory that is made anew for each input, with some of its files replaced.

import Foundation
import StreamJobsChecksum
import StreamJobsLog

/// Removed with its last reference.
final class ScratchLog {
    static let name = TopicPartition("t", PartitionID(0))
    static let segmentBytes = 400
    let path: String

    /// The files of a closed log with topic t of one partition: four segments; keys, transactions that are
    /// committed, aborted and open.
    static let closed: [String: [UInt8]] = make {
        let partition = try $0.partition(name)
        for number in 0..<12 {
            let isTransactional = number % 3 == 1
            let producer = isTransactional ? ProducerStamp(id: 1, epoch: Int16(number)) : nil
            try append(number, producer, to: partition)
            if let producer, number < 10 {
                try partition.end(producer, with: number % 2 == 0 ? .commit : .abort)
            }
        }
    }
    /// The same with an empty partition.
    static let empty = make { _ in }

    private static func make(_ fill: (CommitLog) throws -> Void) -> [String: [UInt8]] {
        do {
            let scratch = try ScratchLog([:])
            let log = try scratch.owner()
            try log.createTopic("t", partitions: 1)
            try fill(log)
            try log.close()
            var files: [String: [UInt8]] = [:]
            for name in try FileManager.default.subpathsOfDirectory(atPath: scratch.path)
            where name != ".lock" {
                files[name] = FileManager.default.contents(atPath: scratch.path + "/" + name)
                    .map { Array($0) }
            }
            // Directories have contents of their own kind.
            return files.filter { $0.key != "t-0" }
        } catch { preconditionFailure("no scratch directory: \(error)") }
    }

    private static func append(
        _ number: Int, _ producer: ProducerStamp?, to partition: Partition
    ) throws {
        let batch = BatchBuilder()
        let value = Array("value \(number) \(String(repeating: "x", count: 30))".utf8)
        try value.withUnsafeBytes { value in
            for delta in 0..<2 {
                try batch.append(
                    key: value, value: value,
                    timestamp: Timestamp(milliseconds: Int64(1000 * number + delta)))
            }
        }
        _ = try withExtendedLifetime(batch) {
            try partition.append(batch.seal(producer: producer, isTransactional: producer != nil))
        }
    }

    init(_ files: [String: [UInt8]]) throws {
        path = "\(NSTemporaryDirectory())/streamjobs-fuzz-\(UUID().uuidString)"
        mkdir(path, 0o755)
        if files.keys.contains(where: { $0.hasPrefix("t-0/") }) { mkdir(path + "/t-0", 0o755) }
        for (name, bytes) in files { try write(bytes, to: name) }
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch { print("left behind: \(path): \(error)") }
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        let descriptor = open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        defer { close(descriptor) }
        guard descriptor >= 0, Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw Finding("cannot write \(path)/\(name)")
        }
    }

    func owner() throws -> CommitLog {
        var options = LogOptions()
        options.segmentBytes = Self.segmentBytes
        options.isMaintained = false
        return try CommitLog.open(path, as: .owner, options)
    }

    func observer() throws -> CommitLog { try CommitLog.open(path, as: .observer) }

    /// How many damages `log verify` finds.
    func damages() throws -> Int {
        var verifier = LogVerifier(path)
        return try verifier.verify { _ in }.damageCount
    }
}

/// What was read of a partition.
struct ReadRecords: Equatable {
    var offsets: [Int64] = []
    /// Whether reading ended with an error.
    var isDamaged = false
}

extension CommitLog {
    /// Reads the partition from its start and from its middle, and looks up times. What is read must be in
    /// order and below the end.
    func readAll(_ isolation: Isolation) throws -> ReadRecords {
        let partition = try partition(ScratchLog.name)
        let records = try partition.read(from: partition.startOffset, isolation)
        let end = partition.logEndOffset.rawValue
        let isInOrder = zip(records.offsets, records.offsets.dropFirst()).allSatisfy(<)
        try require(isInOrder, "offsets \(records.offsets)")
        try require(records.offsets.allSatisfy { $0 < end }, "\(records.offsets), end \(end)")
        let start = partition.startOffset.rawValue
        _ = try partition.read(from: Offset(start + (end - start) / 2), isolation)
        for time: Int64 in [-1, 0, 5000, .max / 2] {
            do {
                _ = try orRefused {
                    try partition.offset(atOrAfter: Timestamp(milliseconds: time))
                }
            } catch let error as LogError where error.code == .offsetOutOfRange {
                // By an index that has a right checksum and says what is not so.
            }
        }
        return records
    }
}

extension Partition {
    fileprivate func read(from offset: Offset, _ isolation: Isolation) throws -> ReadRecords {
        let cursor = PartitionCursor(self, from: offset, isolation: isolation)
        var records = ReadRecords()
        let isWhole: Void? = try orRefused {
            while try cursor.hasRecord() {
                try cursor.withRecord {
                    records.offsets.append($0.offset.rawValue)
                    _ = try $0.headers()
                }
                cursor.take()
            }
        }
        records.isDamaged = isWhole == nil
        return records
    }
}

/// `text` as the log's small text files have it: with the checksum behind it.
func checksummed(_ text: [UInt8]) -> [UInt8] {
    let checksum = text.withUnsafeBytes { CRC32C.checksum($0) }
    return text + Array("crc-32c \(String(checksum, radix: 16))\n".utf8)
}
