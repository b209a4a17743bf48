// When a partition is compacted, how far, and how the background does it beside retention.

import StreamJobsLog
import TestSupport
import Testing

struct CompactionScheduleTests {
    private let log: TestLog

    init() throws { log = try TestLog.compacted() }

    @Test func `what is younger than the least lag stays, and what is behind it`() throws {
        try log.alter([("min.compaction.lag.ms", "100")])
        try log.withPartition { partition throws in
            for time in [10, 20, 500, 30] as [Int64] {
                try partition.put("a", "\(time)", at: time)
                try partition.put(
                    [Keyed("filler", String(repeating: "x", count: 2900))],
                    BatchKind(timestamp: time))
            }
            try partition.fill()
            #expect(try partition.clean(at: 125) == Offset(4))
            #expect(try partition.pairs() == ["a=20", "a=500", "a=30"])
            #expect(try partition.clean(at: 600) == Offset(8))
            #expect(try partition.pairs() == ["a=30"])
        }
    }

    @Test func `cleaning waits until enough is dirty, or some of it for too long`() throws {
        try log.alter([("min.cleanable.dirty.ratio", "0.5"), ("max.compaction.lag.ms", "1000")])
        try log.withPartition { partition throws in
            for number in 0..<4 { try partition.fill("\(number)") }
            let end = try #require(try partition.clean())
            #expect(end == Offset(3))
            try partition.put([Keyed("0", "new")], BatchKind(timestamp: 50))
            try partition.fill("4")
            #expect(try partition.clean(at: 1000, from: end) == nil, "two of five")
            #expect(try partition.clean(at: 1051, from: end) == Offset(5))
        }
    }

    @Test func `more keys than fit take several passes`() throws {
        try log.withPartition { partition throws in
            for number in 0..<6000 {
                try partition.put([Keyed("key \(number % 3000)", "\(number)"), Keyed("x", "y")])
            }
            try partition.fill()
            var end: Offset?
            var passes = 0
            while let next = try partition.compact(
                now: Timestamp(milliseconds: 0), from: end, keyBytesMax: 90_000)
            {
                #expect(next > end ?? .zero)
                end = next
                passes += 1
            }
            #expect(passes > 2)
            let keys = try partition.entries().compactMap(\.key)
            #expect(keys.count == 3002 && Set(keys).count == 3002)
        }
    }

    @Test func `a note that calls too much clean is noticed before a tombstone is believed`() throws
    {
        try log.withPartition { partition throws in
            try partition.put("a", "1")
            try partition.put("a", nil)
            try partition.fill()
            try partition.fill()
            try partition.fill()
            #expect(try partition.clean(from: Offset(3)) == Offset(4))
            #expect(try partition.pairs() == ["a=null"])
        }
        #expect(log.notices.all.contains { $0.contains("cleaner-offset-checkpoint") })
    }

    @Test func `the background cleans and notes how far`() throws {
        try log.withOwner { log, partition in
            for number in 0..<5 { try partition().fill("a", bytes: 2900 + number) }
            log.maintain(now: Timestamp(milliseconds: 1000))
            #expect(try partition().entries().map(\.offset) == [3, 4])
        }
        #expect(try log.directory.text("cleaner-offset-checkpoint") == "0\n1\nt 0 4\n")
        #expect(log.notices.all == [])
        _ = try log.directory.file("cleaner-offset-checkpoint", Array("rubbish".utf8))
        try log.withOwner { log, partition in
            try partition().fill("a")
            log.maintain(now: Timestamp(milliseconds: 1000))
            log.maintain(now: Timestamp(milliseconds: 1000))
            #expect(try partition().entries().map(\.offset) == [4, 5])
            try log.deleteTopic("t")
            #expect(try self.log.directory.text("cleaner-offset-checkpoint") == "0\n0\n")
            try log.createTopic("t", partitions: 1)
        }
    }

    @Test func `a topic may be compacted and deleted from`() throws {
        try log.alter([("cleanup.policy", "compact,delete"), ("retention.ms", "100")])
        try log.withOwner { log, partition in
            try partition().put("a", "1", at: 10)
            try partition().put("a", "2", at: 10)
            try partition().put("a", String(repeating: "x", count: 2900), at: 500)
            try partition().put("b", String(repeating: "x", count: 2900), at: 500)
            try partition().flush()
            log.maintain(now: Timestamp(milliseconds: 550))
            #expect(try partition().startOffset == Offset(2))
            #expect(try partition().entries(from: 2).map(\.offset) == [2, 3])
        }
    }

    @Test func `a record without key is refused, and an old one stays`() throws {
        try log.alter([("cleanup.policy", "delete")])
        try log.withOwner { log, partition in
            try partition().append("keyless")
            try partition().fill()
            try log.alterTopic("t", [(name: "cleanup.policy", value: "compact")])
            let error = #expect(throws: LogError.self) { try partition().append("keyless") }
            #expect(error?.code == .invalidRecord && error?.message.contains("t-0") == true)
            try partition().fill()
            try partition().clean()
            #expect(try partition().values().first == "keyless")
        }
    }
}
