// compaction.cost, retention.cost

import BenchmarkSupport
import Foundation
import StreamJobsLog
import Synchronization

/// What the background work costs two producers that send at full speed meanwhile. The work is on another
/// topic of the same log, whose records are on the disk before, and becomes due while the producers run:
/// from its first step until it is done is measured, and the floor is without it, as long as the last pass
/// that was measured.
enum Cleaning {
    static func compaction(_ report: Report) throws {
        let work = Work(
            what: "a third is compacted, 4 records a key",
            records: 1_000_000, keys: 250_000, segmentBytes: 16 << 20,
            changes: [("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0")])
        try cost("compaction.cost", work, report) { path, _ in
            // Written when the pass is over.
            isThere(path + "/cleaner-offset-checkpoint")
        }
    }

    static func retention(_ report: Report) throws {
        let work = Work(
            what: "retention removes all but the last segments of a third",
            records: 4_000_000, keys: 4_000_000, segmentBytes: 1 << 20,
            changes: [("retention.bytes", "\(4 << 20)")])
        try cost("retention.cost", work, report) { _, segments in
            // The last of those that go; what is kept is two to five segments.
            let last = segments[segments.count - 6]
            return !isThere(last) && !isThere(last + ".deleted")
        }
    }

    /// The work that is prepared.
    private struct Work {
        let what: String
        /// Of 118 bytes.
        let records: Int
        let keys: Int
        let segmentBytes: Int
        /// What makes it due.
        let changes: [(name: String, value: String?)]
    }

    private static func cost(
        _ name: String, _ work: Work, _ report: Report,
        isOver: @escaping @Sendable (_ path: String, _ segments: [String]) -> Bool
    ) throws {
        var seconds: [Double] = []
        let (values, floors) = try alternate(3) {
            let run = try producersRate(work, isDue: true) { path, segments, _ in
                isOver(path, segments)
            }
            seconds.append(run.seconds)
            return run.rate
        } floor: {
            // The first one is not counted and may come before there is a time.
            let length = seconds.last ?? 0.5
            return try producersRate(work, isDue: false) { $2 >= length }.rate
        }
        let length = String(format: "%.2f", median(seconds))
        let bytes = (work.records * Workload.recordBytes) >> 20
        try report.add(
            name, median(values), "M records/s", floor: median(floors),
            "2 producers on 2 partitions while \(work.what) (\(bytes) MiB in segments of "
                + "\(work.segmentBytes >> 20) MiB, \(length) s); floor: without, as long as the pass before"
        )
    }

    /// What two producers send together, in millions of records a second, from the first step of the work
    /// until `isOver`, and how long that took.
    private static func producersRate(
        _ work: Work, isDue: Bool,
        until isOver: @escaping @Sendable (String, [String], Double) -> Bool
    ) throws -> (rate: Double, seconds: Double) {
        try Workspace.withDirectory { path in
            let segments = try prepare(work, path)
            let log = try CommitLog.open(path, as: .owner)
            let topics = try ["t0", "t1"].map { try log.topic($0) }
            let isDone = Atomic(false)
            let sent = Atomic(0)
            let result = Mutex((rate: 0.0, seconds: 0.0))
            let watch: @Sendable () throws -> Void = {
                defer { isDone.store(true, ordering: .relaxed) }
                try wait { sent.load(ordering: .relaxed) >= 20 * piece }
                if isDue {
                    try log.alterTopic("old", work.changes)
                    try wait { hasBegun(segments) }
                }
                let (start, before) = (ContinuousClock.now, sent.load(ordering: .relaxed))
                try wait { isOver(path, segments, (ContinuousClock.now - start) / .seconds(1)) }
                let seconds = (ContinuousClock.now - start) / .seconds(1)
                let count = sent.load(ordering: .relaxed) - before
                result.withLock { $0 = (Double(count) / seconds / 1e6, seconds) }
            }
            try inThreads(
                [watch]
                    + topics.map { topic in
                        {
                            let producer = Producer(log, acks: .written)
                            while !isDone.load(ordering: .relaxed) {
                                try Workload.send(piece, with: producer, to: topic)
                                sent.add(piece, ordering: .relaxed)
                            }
                        }
                    })
            return withExtendedLifetime(log) { result.withLock { $0 } }
        }
    }

    private static func wait(_ condition: () -> Bool) throws {
        let start = ContinuousClock.now
        while !condition() {
            try require(ContinuousClock.now - start < .seconds(30), "the work never ended")
            usleep(1000)
        }
    }

    /// A pass has made its first file, or removed one.
    private static func hasBegun(_ segments: [String]) -> Bool {
        guard let first = segments.first, isThere(first) else { return true }
        let directory = URL(fileURLWithPath: first).deletingLastPathComponent().path
        let names = try? FileManager.default.contentsOfDirectory(atPath: directory)
        return names?.contains { $0.hasSuffix(".cleaned") } ?? false
    }

    /// Records between two looks at whether the work is over: a few milliseconds.
    private static let piece = 20_000

    /// A closed log with the work in topic `old` and two empty topics; gives the segments of the work.
    private static func prepare(_ work: Work, _ path: String) throws -> [String] {
        let log = try CommitLog.open(path, as: .owner)
        var settings = TopicSettings()
        settings.segmentBytes = work.segmentBytes
        let old = try log.createTopic("old", partitions: 1, settings: settings)
        for name in ["t0", "t1"] { try log.createTopic(name, partitions: 1) }
        let producer = Producer(log, acks: .flushed)
        let value = [UInt8](repeating: UInt8(ascii: "v"), count: Workload.valueBytes)
        try value.withUnsafeBytes { value in
            for number in 0..<work.records {
                try withUnsafeBytes(of: UInt64(number % work.keys)) { key in
                    try producer.sendBytes(
                        value, key: key, to: old, timestamp: Workload.timestamp)
                }
            }
        }
        try producer.flush()
        try log.close()
        let directory = path + "/old-0"
        return try FileManager.default.contentsOfDirectory(atPath: directory)
            .filter { $0.hasSuffix(".log") }.sorted().map { directory + "/" + $0 }
    }

    private static func isThere(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
