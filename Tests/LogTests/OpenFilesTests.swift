// How many files a log keeps open: the active segments', and of the sealed ones those read last.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

struct OpenFilesTests {
    /// Each batch has a segment of its own.
    private let log: TestLog
    private static let segmentCount = 250

    init() throws {
        log = try TestLog(segmentBytes: 100)
        try log.withPartition { partition in
            for number in 0..<Self.segmentCount { try partition.append("\(number)") }
        }
        #expect(try log.segments.count == Self.segmentCount)
    }

    private var values: [String] { (0..<Self.segmentCount).map(String.init) }

    /// Files of the partition that this process has open.
    private func openCount() throws -> Int {
        let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        return descriptors.count { descriptor in
            // Those of other tests come and go.
            let path = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/self/fd/" + descriptor)
            return path?.hasPrefix(log.directory.path + "/t-0/") ?? false
        }
    }

    @Test func `a long scan leaves few files open, and so does the next`() throws {
        try log.withPartition { partition throws in
            for _ in 0..<2 {
                #expect(try partition.values() == values)
                #expect(try openCount() < 150)
            }
        }
    }

    @Test func `opening without a checkpoint leaves few files open`() throws {
        try log.directory.remove("t-0/segments")
        try log.withPartition(isClean: false) { partition throws in
            #expect(try openCount() < 150)
            #expect(try partition.values() == values)
            #expect(try openCount() < 150)
        }
    }

    @Test func `an observer's scan leaves few files open`() throws {
        for hasManifest in [true, false] {
            if !hasManifest { try log.directory.remove("t-0/segments") }
            let observer = try log.observer()
            #expect(try observer.values() == values)
            #expect(try openCount() < 150)
        }
    }

    @Test func `segments that were flushed and checkpointed need not stay open`() throws {
        try log.withPartition { partition throws in
            for number in 0..<Self.segmentCount { try partition.append("\(number)") }
            try partition.checkpoint()
            #expect(try partition.values() == values + values)
            #expect(try openCount() < 150)
        }
    }

    @Test func `a reader goes on in a segment whose file was closed meanwhile`() throws {
        try log.withPartition { partition throws in
            let cursor = PartitionCursor(partition, from: .zero, isolation: .readCommitted)
            #expect(try cursor.hasRecord())
            #expect(try partition.values().count == Self.segmentCount)
            for value in values {
                #expect(try cursor.hasRecord())
                var seen: [UInt8]?
                try cursor.withRecord { seen = try Entry($0).value }
                #expect(seen == Array(value.utf8))
                cursor.take()
            }
        }
    }
}
