// Batches that their partition will never take, and failures that are told: each of them once.

import StreamJobsLog
import Synchronization
import TestSupport
import Testing

/// Lets operations of one kind fail as long as it is told to, and counts them.
final class FailingFiles: FileSystemObserver {
    let isOn = Atomic<Bool>(false)
    let count = Atomic<Int>(0)
    private let code: LogError.Code
    private let isMeant: @Sendable (FileOperation) -> Bool

    init(_ code: LogError.Code, _ isMeant: @escaping @Sendable (FileOperation) -> Bool) {
        self.code = code
        self.isMeant = isMeant
    }

    /// Writes to segments.
    static func segmentWrites(_ code: LogError.Code) -> FailingFiles {
        FailingFiles(code) {
            if case .write(let path, _, _) = $0 { path.hasSuffix(".log") } else { false }
        }
    }

    func willPerform(_ operation: FileOperation) throws {
        guard isOn.load(ordering: .sequentiallyConsistent), isMeant(operation) else { return }
        count.add(1, ordering: .sequentiallyConsistent)
        throw LogError(code, "a test lets this fail")
    }

    func turn(on isOn: Bool) { self.isOn.store(isOn, ordering: .sequentiallyConsistent) }
    func waitForFailure() async {
        while count.load(ordering: .sequentiallyConsistent) == 0 { await Task.yield() }
    }
}

struct RefusedBatchTests {
    private let log: TestLog

    init() throws { log = try TestLog() }

    private func compact(_ log: CommitLog, _ topic: String = "t") throws {
        try log.alterTopic(topic, [(name: "cleanup.policy", value: "compact")])
    }

    @Test(arguments: [false, true])
    func `a null key for a compacted topic is refused at once, and the others go on`(
        isTopicOld: Bool
    ) throws {
        try log.withOwner { log, partition in
            let old = try log.topic("t")
            try compact(log)
            let topic = isTopicOld ? old : try log.topic("t")
            let producer = Producer(log)
            for key in [nil, Array("a".utf8), nil, Array("b".utf8), nil] as [[UInt8]?] {
                if key != nil {
                    try producer.send([1], key: key, to: topic)
                } else {
                    let error = #expect(throws: LogError.self) {
                        try producer.send([1], key: nil, to: topic)
                    }
                    #expect(error?.code == .invalidRecord)
                    #expect(error?.message.contains("'t' has no key") == true)
                }
            }
            try producer.flush()
            #expect(try partition().entries().count == 2 && producer.droppedCount == 0)
        }
    }

    @Test func `a transaction goes on without a null key that is refused`() throws {
        try log.withOwner { log, partition in
            try compact(log)
            let producer = try TransactionalProducer(log, transactionalID: "id")
            try producer.begin()
            let error = #expect(throws: LogError.self) { try producer.send([1], to: "t") }
            #expect(error?.code == .invalidRecord)
            try producer.send([1], key: [1], to: "t")
            try producer.commit()
            #expect(try partition().entries().count == 1)
        }
    }

    @Test(arguments: [("cleanup.policy", "compact"), ("max.message.bytes", "80")])
    func `a batch that its topic no longer takes is told once and in no one's way`(
        name: String, value: String
    ) throws {
        try log.withOwner { log, partition in
            let producer = Producer(log)
            let others = try ["u", "v"].map { try log.createTopic($0, partitions: 1) }
            for topic in [try log.topic("t")] + others {
                for _ in 0..<3 { try producer.send([1, 2, 3], key: nil, to: topic) }
            }
            for topic in ["t", "u"] { try log.alterTopic(topic, [(name: name, value: value)]) }
            let error = #expect(throws: LogError.self) { try producer.flush() }
            for words in ["3 records for t-0, ", "3 records for u-0, ", "; also: "] {
                #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
            }
            #expect(producer.droppedCount == 6 && producer.writtenCount == 3)
            try producer.flush()
            try producer.send([1], key: [1], to: try log.topic("t"))
            try producer.flush()
            #expect(try partition().flushedOffset == Offset(1))
            #expect(try log.partition(others[1].partitions[0]).flushedOffset == Offset(3))
        }
    }

    // MARK: Lingering

    /// A producer that lingers, whose first record, of value 1 and without a key, has found the disk full.
    private struct Lingering {
        let disk = FailingFiles.segmentWrites(.noSpace)
        let owner: CommitLog
        let topic: Topic
        let producer: Producer

        init(_ log: TestLog) async throws {
            owner = try log.open(FileSystem(observer: disk))
            topic = try owner.topic("t")
            producer = try Producer(owner, ProducerSettings(acks: .written, linger: .zero))
            disk.turn(on: true)
            try producer.send([1], key: nil, to: topic)
            await disk.waitForFailure()
        }

        var partition: Partition { get throws { try owner.partition(TestLog.name) } }
    }

    @Test func `a failure that a lingering producer has got over is not told`() async throws {
        let lingering = try await Lingering(log)
        let (producer, partition) = (lingering.producer, try lingering.partition)
        lingering.disk.turn(on: false)
        while partition.logEndOffset == .zero { await Task.yield() }
        for _ in 0..<3 { try producer.send([2], key: nil, to: lingering.topic) }
        try producer.flush()
        #expect(partition.logEndOffset == Offset(4))
    }

    @Test func `what a lingering producer still cannot write is told, and kept`() async throws {
        let lingering = try await Lingering(log)
        let producer = lingering.producer
        let error = #expect(throws: LogError.self) {
            // The failure is noted when the thread lets the producer go on, at the latest.
            while true { try producer.send([2], key: nil, to: lingering.topic) }
        }
        #expect(error?.code == .noSpace)
        lingering.disk.turn(on: false)
        try producer.flush()
        #expect(try lingering.partition.entries().first?.value == [1])
        #expect(producer.droppedCount == 0)
    }

    @Test func `a batch that a lingering producer drops is told once`() async throws {
        let lingering = try await Lingering(log)
        let (producer, topic) = (lingering.producer, lingering.topic)
        try compact(lingering.owner)
        while producer.droppedCount == 0 { await Task.yield() }
        lingering.disk.turn(on: false)
        let error = #expect(throws: LogError.self) { try producer.send([2], key: [1], to: topic) }
        #expect(
            error?.code == .invalidRecord && error?.message.contains("a record for t-0") == true)
        try producer.send([3], key: [1], to: topic)
        try producer.flush()
        #expect(try lingering.partition.entries().map(\.value) == [[3]])
    }

    /// The time between the two is tried in small steps: the thread may be anywhere in its beginning.
    @Test func `a lingering producer that is let go of at once takes its thread along`()
        async throws
    {
        let owner = try log.open()
        let settings = ProducerSettings(linger: .seconds(3600))
        await Threads.run(1) { _ in
            for step in 0..<6000 {
                do {
                    let producer = try Producer(owner, settings)
                    let end = ContinuousClock.now + .nanoseconds(20 * (step % 3000))
                    while ContinuousClock.now < end {}
                    #expect(producer.writtenCount == 0)
                } catch { Issue.record(error) }
            }
        }
    }

    // MARK: The background

    @Test func `a failed partition is told of once, not at every round`() throws {
        let disk = FailingFiles(.io) { if case .flush = $0 { true } else { false } }
        let owner = try log.open(FileSystem(observer: disk))
        try owner.alterTopic("t", [(name: "cleanup.policy", value: "compact,delete")])
        try owner.partition(TestLog.name).put("k", "v")
        disk.turn(on: true)
        for _ in 0..<5 { owner.maintain() }
        #expect(log.notices.all == ["could not flush t-0: a test lets this fail"])
    }

    @Test func `what fails at every round is told once, and again after it went well`() throws {
        let disk = FailingFiles(.noSpace) {
            if case .write(let path, _, _) = $0 { path.hasSuffix("recovery-points") } else { false }
        }
        let owner = try log.open(FileSystem(observer: disk))
        let partition = try owner.partition(TestLog.name)
        for isOn in [true, false, true] {
            try partition.put("k", "v")
            disk.turn(on: isOn)
            for _ in 0..<4 { owner.maintain() }
        }
        let told = "could not flush t-0: a test lets this fail"
        #expect(log.notices.all == [told, told])
    }
}
