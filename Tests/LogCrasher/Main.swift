// What scripts/crash-log kills: threads that write numbered records to several topics and say of each
// batch, when it is flushed, that it is. Ends in order when its standard input does.
//
//   kept      all records stay        trimmed   a retention runs        decided   transactions
//
// Thread w writes to partition w of each; a value is "w:number ". It prints "topic w number" when the
// records up to that number are flushed. Aborted numbers are sent again.

import Foundation
import StreamJobsLog
import Synchronization

private final class Writer {
    private let log: CommitLog
    private let number: Int
    private var next: [String: Int] = [:]
    private var epoch: Int16 = 0
    private var random = SystemRandomNumberGenerator()

    init(_ log: CommitLog, _ number: Int) throws {
        self.log = log
        self.number = number
        let decided = try partition("decided")
        for transaction in decided.openTransactions {
            try decided.end(transaction.producer, with: .abort)
        }
        epoch = decided.epoch(of: Int64(number)) ?? 0
        for topic in Main.topics { next[topic] = try following(topic) }
    }

    private func partition(_ topic: String) throws -> Partition {
        try log.partition(TopicPartition(topic, PartitionID(number)))
    }

    /// One above the last number that is there.
    private func following(_ topic: String) throws -> Int {
        let partition = try partition(topic)
        let cursor = PartitionCursor(
            partition, from: partition.startOffset, isolation: .readCommitted)
        var last = -1
        while try cursor.hasRecord() {
            try cursor.withRecord { record in
                let text = record.withValue { $0.map { String(decoding: $0, as: UTF8.self) } } ?? ""
                last = Int(text.split(separator: ":")[1].split(separator: " ")[0]) ?? last
            }
            cursor.take()
        }
        return last + 1
    }

    func step() throws {
        var acknowledged: [(String, Int)] = []
        for topic in ["kept", "trimmed"] {
            let first = next[topic] ?? 0
            let count = Int.random(in: 1...20, using: &random)
            try append(first..<first + count, to: topic, nil)
            next[topic] = first + count
            acknowledged.append((topic, first + count - 1))
        }
        if let last = try transaction() { acknowledged.append(("decided", last)) }
        for topic in Main.topics { try partition(topic).flush() }
        // One write for a line: lines of several threads do not mix.
        for (topic, last) in acknowledged {
            FileHandle.standardOutput.write(Data("\(topic) \(number) \(last)\n".utf8))
        }
        if Int.random(in: 0..<50, using: &random) == 0 { try partition("kept").checkpoint() }
    }

    /// The last number that it has committed; nil if it has aborted.
    private func transaction() throws -> Int? {
        let first = next["decided"] ?? 0
        let count = Int.random(in: 2...10, using: &random)
        let producer = ProducerStamp(id: Int64(number), epoch: epoch)
        try append(first..<first + 1, to: "decided", producer)
        try append(first + 1..<first + count, to: "decided", producer)
        let isCommitted = Int.random(in: 0..<4, using: &random) > 0
        try partition("decided").end(producer, with: isCommitted ? .commit : .abort)
        epoch += 1
        guard isCommitted else { return nil }
        next["decided"] = first + count
        return first + count - 1
    }

    private func append(_ numbers: Range<Int>, to topic: String, _ producer: ProducerStamp?) throws
    {
        let batch = BatchBuilder()
        for number in numbers {
            let padding = String(repeating: "x", count: .random(in: 0...80, using: &random))
            let value = Array("\(self.number):\(number) \(padding)".utf8)
            try value.withUnsafeBytes {
                try batch.append(key: nil, value: $0, timestamp: .now())
            }
        }
        try withExtendedLifetime(batch) {
            _ = try partition(topic).append(
                batch.seal(producer: producer, isTransactional: producer != nil))
        }
    }
}

@main
enum Main {
    fileprivate static let topics = ["kept", "trimmed", "decided"]

    static func main() throws {
        let (path, writerCount) = (CommandLine.arguments[1], Int(CommandLine.arguments[2]) ?? 2)
        var options = LogOptions()
        options.segmentBytes = 64 * 1024
        options.notify = { FileHandle.standardError.write(Data(($0 + "\n").utf8)) }
        let log = try CommitLog.open(path, as: .owner, options)
        for topic in topics where !log.topics.contains(where: { $0.name == topic }) {
            var settings = TopicSettings()
            if topic == "trimmed" { try settings.set("retention.bytes", to: "100000") }
            try log.createTopic(topic, partitions: writerCount, settings: settings)
        }
        let isStopping = Atomic<Bool>(false)
        let failed = Mutex<Bool>(false)
        let group = DispatchGroup()
        func work(_ body: @escaping @Sendable () throws -> Void) {
            let thread = Thread {
                do {
                    try body()
                } catch {
                    failed.withLock { $0 = true }
                    FileHandle.standardError.write(Data("\(error)\n".utf8))
                }
                group.leave()
            }
            group.enter()
            thread.start()
        }
        for number in 0..<writerCount {
            work {
                let writer = try Writer(log, number)
                while !isStopping.load(ordering: .relaxed) { try writer.step() }
            }
        }
        // More often than the log does by itself.
        work {
            while !isStopping.load(ordering: .relaxed) {
                log.maintain()
                usleep(5000)
            }
        }
        while readLine() != nil {}
        isStopping.store(true, ordering: .relaxed)
        group.wait()
        try log.close()
        exit(failed.withLock { $0 } ? 1 : 0)
    }
}
