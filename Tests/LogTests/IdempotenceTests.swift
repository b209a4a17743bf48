// A batch that its producer sends again is in the log once.

import StreamJobsLog
import TestSupport
import Testing

struct IdempotenceTests {
    private let log: TestLog
    private let producer = ProducerStamp(id: 7, epoch: 0)

    init() throws { log = try TestLog() }

    @Test(arguments: [true, false])
    func `a retried batch is stored once, after a reopen too`(isClean: Bool) throws {
        try log.withPartition(isClean: isClean) { partition throws in
            #expect(try partition.append("a", "b", producer: producer, sequence: 0) == .zero)
            #expect(try partition.append("c", producer: producer, sequence: 2) == Offset(2))
            #expect(try partition.append("a", "b", producer: producer, sequence: 0) == .zero)
        }
        try log.withPartition { partition throws in
            #expect(try partition.append("c", producer: producer, sequence: 2) == Offset(2))
            #expect(try partition.append("d", producer: producer, sequence: 3) == Offset(3))
            #expect(try partition.values() == ["a", "b", "c", "d"])
        }
    }

    @Test func `an idle producer is forgotten, and its snapshot agrees with the segments`() throws {
        let other = ProducerStamp(id: 8, epoch: 0)
        let job = ProducerStamp(id: 9, epoch: 0)
        try log.withPartition { partition throws in
            try partition.append("a", producer: producer, sequence: 0)
            try partition.append("b", producer: job)
            try partition.end(job, with: .commit)
            // Of the records' time they are all old; what has written since the last look stays.
            partition.expireProducers(idleSince: Timestamp(milliseconds: 1))
            #expect(partition.epoch(of: 7) == 0)
            try partition.append("c", producer: other, sequence: 0)
            partition.expireProducers(idleSince: Timestamp(milliseconds: 1))
            #expect(partition.epoch(of: 7) == nil && partition.epoch(of: 8) == 0)
            #expect(partition.epoch(of: 9) == 1, "its epoch fences")
        }
        var verifier = LogVerifier(log.directory.path)
        var findings: [String] = []
        _ = try verifier.verify(progress: { _ in }) { findings.append("\($0)") }
        #expect(findings == [])
    }

    @Test func `a gap is refused and adds nothing`() throws {
        try log.withPartition { partition in
            try partition.append("a", producer: producer, sequence: 0)
            let error = #expect(throws: LogError.self) {
                try partition.append("c", producer: producer, sequence: 2)
            }
            #expect(error?.code == .outOfOrderSequence)
            #expect(try partition.values() == ["a"])
            try partition.append("b", producer: producer, sequence: 1)
        }
    }
}

extension Partition {
    @discardableResult
    fileprivate func append(_ values: String..., producer: ProducerStamp, sequence: Int32) throws
        -> Offset
    {
        try append(values, producer: producer, sequence: sequence)
    }
}
