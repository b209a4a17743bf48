// Owners that live shorter than a round of the background: closing does what is due.

import StreamJobsLog
import TestSupport
import Testing

struct ShortOwnerTests {
    private let log: TestLog

    init() throws { log = try TestLog(segmentBytes: 3000) }

    /// As a short command: opens with a background, writes four segments and closes.
    private func produce(closingWork: Duration? = nil) throws {
        var options = LogOptions()
        options.segmentBytes = 3000
        // All that is done is done by closing.
        options.maintenanceInterval = .seconds(3600)
        if let closingWork { options.closingWork = closingWork }
        let owner = try CommitLog.open(log.directory.path, as: .owner, options)
        let partition = try owner.partition(TestLog.name)
        for _ in 0..<4 {
            try partition.put("k", String(repeating: "x", count: 2000), at: 100)
            try partition.flush()
        }
        try owner.close()
    }

    private func left() throws -> [Int64] {
        try log.withPartition { partition throws in
            try partition.entries(from: partition.startOffset.rawValue).map(\.offset)
        }
    }

    @Test func `retention removes what is too old when the owner closes`() throws {
        try log.alter([("retention.ms", "1000")])
        try produce()
        #expect(try left() == [])
    }

    @Test func `compaction cleans what is dirty when the owner closes`() throws {
        try log.alter([("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0")])
        try produce()
        #expect(try left() == [2, 3], "the last of the sealed segments, and the active one")
    }

    @Test func `closing works no longer than it may`() throws {
        try log.alter([("retention.ms", "1000")])
        try produce(closingWork: .zero)
        #expect(try left() == [0, 1, 2, 3])
    }
}
