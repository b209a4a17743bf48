// Appending, transactions and their fences.

import StreamJobsLog
import TestSupport
import Testing

struct PartitionTests {
    private let log: TestLog
    private let first = ProducerStamp(id: 7, epoch: 0)
    private let second = ProducerStamp(id: 7, epoch: 1)

    init() throws { log = try TestLog() }

    @Test func `offsets rise by one from zero`() throws {
        try log.withPartition { partition throws in
            #expect(try partition.append("a", "b") == .zero)
            #expect(try partition.append("c") == Offset(2))
            #expect(partition.logEndOffset == Offset(3))
            #expect(try partition.entries().map(\.offset) == [0, 1, 2])
        }
    }

    @Test func `a flush moves the flushed offset, an append does not`() throws {
        try log.withPartition { partition in
            try partition.append("a")
            #expect(partition.flushedOffset == .zero)
            try partition.flush()
            #expect(partition.flushedOffset == Offset(1))
        }
    }

    @Test func `readers of committed data stop at the first undecided record`() throws {
        try log.withPartition { partition in
            try partition.append("plain")
            try partition.append("undecided", producer: first)
            try partition.append("behind")
            #expect(partition.lastStableOffset == Offset(1))
            #expect(try partition.values() == ["plain"])
            #expect(try partition.values(.readUncommitted) == ["plain", "undecided", "behind"])
            try partition.end(first, with: .commit)
            #expect(partition.lastStableOffset == Offset(4))
            #expect(try partition.values() == ["plain", "undecided", "behind"])
        }
    }

    @Test func `aborted records are not seen, after a reopen neither`() throws {
        try log.withPartition(isClean: false) { partition in
            try partition.append("aborted", producer: first)
            try partition.append("other", producer: ProducerStamp(id: 8, epoch: 0))
            try partition.append("aborted too", producer: first)
            try partition.end(first, with: .abort)
            try partition.end(ProducerStamp(id: 8, epoch: 0), with: .commit)
            try partition.append("next", producer: second)
            try partition.end(second, with: .commit)
            #expect(try partition.values() == ["other", "next"])
        }
        try log.withPartition { partition throws in
            #expect(try partition.values() == ["other", "next"])
            #expect(try partition.values(from: 2) == ["next"])
            #expect(
                try partition.values(.readUncommitted) == [
                    "aborted", "other", "aborted too", "next",
                ])
        }
    }

    @Test func `an open transaction is still open after a crash`() throws {
        try log.withPartition(isClean: false) { partition in
            try partition.append("undecided", producer: second)
        }
        try log.withPartition { partition in
            #expect(partition.openTransactions.map(\.producer) == [second])
            #expect(partition.openTransactions.map(\.first) == [.zero])
            #expect(partition.epoch(of: 7) == 1 && partition.epoch(of: 8) == nil)
            #expect(try partition.values().isEmpty)
            try partition.end(second, with: .commit)
            #expect(try partition.values() == ["undecided"])
        }
    }

    @Test func `an older epoch is fenced, and nothing is added`() throws {
        try log.withPartition { partition in
            try partition.append("new", producer: second)
            let error = #expect(throws: LogError.self) {
                try partition.append("late", producer: first)
            }
            #expect(error?.code == .producerFenced)
            #expect(error?.message.contains("t-0") == true)
            #expect(partition.logEndOffset == Offset(1))
        }
    }

    @Test(arguments: [TransactionMarker.commit, .abort])
    func `an epoch is over with its marker, after a reopen too`(marker: TransactionMarker) throws {
        try log.withPartition { partition in
            try partition.append("a", producer: first)
            try partition.end(first, with: marker)
            #expect(throws: LogError.self) { try partition.append("late", producer: first) }
        }
        try log.withPartition { partition in
            #expect(throws: LogError.self) { try partition.append("late", producer: first) }
            try partition.append("next", producer: second)
            #expect(partition.openTransactions.count == 1)
        }
    }

    @Test func `ending what is not open writes nothing`() throws {
        try log.withPartition { partition in
            try partition.end(first, with: .commit)
            try partition.append("a", producer: second)
            try partition.end(first, with: .abort)
            #expect(partition.logEndOffset == Offset(1))
            #expect(partition.openTransactions.count == 1)
        }
    }

    @Test func `a read outside the partition is refused with its range`() throws {
        try log.withPartition { partition in
            try partition.append("a")
            let error = #expect(throws: LogError.self) { try partition.entries(from: 2) }
            #expect(error?.code == .offsetOutOfRange)
            #expect(error?.message.contains("from 0 to 1") == true)
            #expect(try partition.entries(from: 1).isEmpty)
        }
    }

    @Test func `segments roll, and reading goes over their borders from every offset`() throws {
        let log = try TestLog(segmentBytes: 200)
        try log.withPartition { partition in
            for number in 0..<20 { try partition.append("value \(number)") }
        }
        let segments = try log.segments
        #expect(segments.count > 5)
        #expect(segments[0].hasSuffix("/00000000000000000000.log"))
        for isClean in [false, true] {
            try log.withPartition(isClean: isClean) { partition throws in
                for start in 0...20 {
                    let expected = (start..<20).map { "value \($0)" }
                    #expect(try partition.values(from: Int64(start)) == expected)
                }
            }
        }
        #expect(try log.segments == segments)
    }

    @Test func `a batch larger than a segment has one of its own`() throws {
        let log = try TestLog(segmentBytes: 100)
        let large = String(repeating: "x", count: 300)
        try log.withPartition { partition in
            for _ in 0..<3 { try partition.append(large) }
        }
        #expect(try log.segments.count == 3)
        #expect(try log.withPartition { try $0.values() } == [large, large, large])
    }

    @Test func `an observer's partition refuses writes`() throws {
        let partition = try log.observer()
        #expect(throws: LogError.self) { try partition.append("a") }
        #expect(throws: LogError.self) { try partition.flush() }
    }

    @Test func `bytes that are not one batch are not appended`() async throws {
        let path = log.directory.path
        await #expect(processExitsWith: .failure) { [path = path as String] in
            let owner = try openOwner(path)
            let partition = try owner.partition(TestLog.name)
            let builder = BatchBuilder()
            try builder.append("a")
            var bytes = Array(builder.seal(producer: nil, isTransactional: false)) + [0]
            _ = try bytes.withUnsafeMutableBytes { try partition.append($0) }
        }
        #expect(try log.withPartition { try $0.values() } == [])
    }
}
