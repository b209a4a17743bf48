// Logs and files to measure on, each in a directory of its own that goes when it is done.

package import CFloors
import Foundation
package import StreamJobsLog

package struct FloorFailed: Error, CustomStringConvertible {
    let code: Int32
    package var description: String { "a floor failed: \(String(cString: strerror(code)))" }
}

package func check(_ code: Int32) throws {
    guard code == 0 else { throw FloorFailed(code: code) }
}

/// Where the measured files lie: BENCH_DIR, or the system's temporary directory.
package enum Workspace {
    package static let root =
        ProcessInfo.processInfo.environment["BENCH_DIR"]
        ?? FileManager.default.temporaryDirectory.path

    package static func withDirectory<R>(_ body: (String) throws -> R) throws -> R {
        let path = root + "/streamjobs-bench-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer {
            // The thread of a log that was left, not closed, may still make a file there.
            for _ in 0..<100 where access(path, F_OK) == 0 {
                do {
                    try FileManager.default.removeItem(atPath: path)
                } catch { usleep(10_000) }
            }
            if access(path, F_OK) == 0 {
                FileHandle.standardError.write(Data("left behind: \(path)\n".utf8))
            }
        }
        return try body(path)
    }

    /// Opens a log that was left without being closed: its thread may still hold the directory.
    package static func openWhenFree(_ path: String) throws -> CommitLog {
        while true {
            do {
                return try CommitLog.open(path, as: .owner)
            } catch let error as LogError where error.code == .directoryInUse { continue }
        }
    }

    /// A new log with one topic `t`; it is closed without a flush of what was only written.
    package static func withLog<R>(partitions: Int, _ body: (CommitLog, Topic, String) throws -> R)
        throws
        -> R
    {
        try withDirectory { path in
            let log = try CommitLog.open(path, as: .owner)
            let topic = try log.createTopic("t", partitions: partitions)
            return try withExtendedLifetime(log) { try body(log, topic, path) }
        }
    }
}

/// The records of all benchmarks: an 8-byte key and a value of 100 bytes, one timestamp.
package enum Workload {
    package static let valueBytes = 100
    package static let batchBytes = 256 * 1024
    package static let timestamp = Timestamp(milliseconds: 1_700_000_000_000)
    /// Bytes of a record in a batch of the workload, nearly.
    package static let recordBytes = 118

    /// Spreads the numbers over all keys there are, none twice (the end of splitmix64).
    package static func key(_ number: Int) -> UInt64 {
        var bits = UInt64(number) &* 0x9e37_79b9_7f4a_7c15
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31)
    }

    /// Sends `count` records to the partition and flushes each time `flushBytes` were sent.
    package static func send(
        _ count: Int, with producer: Producer, to topic: Topic, flushBytes: Int? = nil
    ) throws {
        let value = [UInt8](repeating: UInt8(ascii: "v"), count: valueBytes)
        var sent = 0
        try value.withUnsafeBytes { value in
            for number in 0..<UInt64(count) {
                try withUnsafeBytes(of: number) { key in
                    try producer.sendBytes(value, key: key, to: topic, timestamp: timestamp)
                }
                sent += recordBytes
                if let flushBytes, sent >= flushBytes {
                    sent = 0
                    try producer.flush()
                }
            }
        }
        try producer.flush()
    }

    /// The same with the floor.
    package static func floorJob<R>(
        _ count: Int, path: String, flushBytes: Int = 0, _ body: (floor_append_job) throws -> R
    ) rethrows -> R {
        try path.withCString { path in
            try body(
                floor_append_job(
                    path: path, records: Int64(count), value_bytes: Int32(valueBytes),
                    batch_bytes: Int32(batchBytes), flush_bytes: Int64(flushBytes)))
        }
    }
}
