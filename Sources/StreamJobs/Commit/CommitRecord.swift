// What a task's state says about its commits: the record that decides.
//
// Table `commit`, key "decided":
//   version 2, k, producer id, epoch, watermark, promise, late count,
//   records taken, timers fired since the last one, count of transactions decided but not known to be marked, and each:
//   topic id (16), partition, producer id, epoch, first offset, last offset
// Table `commit`, key "run":
//   version 1, id, is live, has finished, late count before, count of ends and each: topic id,
//   partition, offset
// Table `offsets`, key: topic id (16), partition, upstream task (0 for a source):
//   version 1, offset, leader epoch of the record before it, time, ended run, topic's name
// Table `timers`, key: time with its sign bit turned (so that bytes sort as times do), key; no value.

import LocalState
import StreamJobsLog

/// A transaction that is decided (its records will be seen) and whose marker in that partition is not yet
/// known to survive a power loss.
struct DecidedTransaction {
    let topicID: TopicID
    let partition: PartitionID
    let producer: ProducerStamp
    let first: Offset
    let last: Offset
}

struct CommitRecord {
    /// Counts the commits of the task.
    var number: Int64 = 0
    /// Who the next transaction belongs to: its epoch was never used.
    var producer: ProducerStamp
    var watermark = Timestamp.distantPast
    /// No later record to a repartition topic is ordered before it.
    var promise = Timestamp.distantPast
    var lateCount: Int64 = 0
    var progress = TaskProgress()
    var decided: [DecidedTransaction] = []

    static let key = Array("decided".utf8)

    func encoded() -> [UInt8] {
        var fields = FieldWriter(version: 2)
        fields.put(number)
        fields.put(producer.id)
        fields.put(producer.epoch)
        fields.put(watermark.milliseconds)
        fields.put(promise.milliseconds)
        fields.put(lateCount)
        fields.put(progress)
        fields.put(Int32(decided.count))
        for transaction in decided {
            fields.put(transaction.topicID)
            fields.put(transaction.partition.rawValue)
            fields.put(transaction.producer.id)
            fields.put(transaction.producer.epoch)
            fields.put(transaction.first.rawValue)
            fields.put(transaction.last.rawValue)
        }
        return fields.bytes
    }

    init(producer: ProducerStamp) { self.producer = producer }

    init(_ bytes: [UInt8], of task: String) throws {
        var fields = FieldReader(bytes, "the commit record of the task \(task)")
        let version = try fields.takeVersion(upTo: 2)
        number = try fields.take(Int64.self)
        producer = ProducerStamp(
            id: try fields.take(Int64.self), epoch: try fields.take(Int16.self))
        watermark = Timestamp(milliseconds: try fields.take(Int64.self))
        promise = Timestamp(milliseconds: try fields.take(Int64.self))
        lateCount = try fields.take(Int64.self)
        if version >= 2 { progress = try fields.takeProgress() }
        for _ in 0..<(try fields.take(Int32.self)) {
            decided.append(
                DecidedTransaction(
                    topicID: try fields.takeTopicID(),
                    partition: PartitionID(Int(try fields.take(Int32.self))),
                    producer: ProducerStamp(
                        id: try fields.take(Int64.self), epoch: try fields.take(Int16.self)),
                    first: Offset(try fields.take(Int64.self)),
                    last: Offset(try fields.take(Int64.self))))
        }
    }
}

/// The run that a task is in or was in last. It is stored before the run's first record is taken, so that a
/// restart goes on with the same ends.
struct RunRecord {
    let id: Int64
    let isLive: Bool
    var hasFinished: Bool
    /// What the task had counted as late before this run.
    let lateBefore: Int64
    /// The end of every source partition of the job, the same in all of its tasks.
    let ends: [PositionKey: Offset]

    static let key = Array("run".utf8)

    init(id: Int64, isLive: Bool, lateBefore: Int64, ends: [PositionKey: Offset]) {
        self.lateBefore = lateBefore
        self.id = id
        self.isLive = isLive
        self.ends = ends
        hasFinished = false
    }

    func encoded() -> [UInt8] {
        var fields = FieldWriter(version: 1)
        fields.put(id)
        fields.put(UInt8(isLive ? 1 : 0))
        fields.put(UInt8(hasFinished ? 1 : 0))
        fields.put(lateBefore)
        fields.put(ends: ends)
        return fields.bytes
    }

    init(_ bytes: [UInt8], of task: String) throws {
        var fields = FieldReader(bytes, "the run record of the task \(task)")
        try fields.requireVersion(upTo: 1)
        id = try fields.take(Int64.self)
        isLive = try fields.take(UInt8.self) != 0
        hasFinished = try fields.take(UInt8.self) != 0
        lateBefore = try fields.take(Int64.self)
        ends = try fields.takeEnds()
    }
}

/// A position as it is stored, with what shows later whether the log still is the one it was taken in.
struct StoredPosition {
    let position: InputPosition
    /// The epoch of the record before the position; -1 at the partition's start.
    let leaderEpoch: Int32
    let topic: String

    func encoded() -> [UInt8] {
        var fields = FieldWriter(version: 1)
        fields.put(position.offset.rawValue)
        fields.put(leaderEpoch)
        fields.put(position.time.milliseconds)
        fields.put(position.endedRun)
        fields.put(rest: topic)
        return fields.bytes
    }

    init(_ position: InputPosition, leaderEpoch: Int32, topic: String) {
        self.position = position
        self.leaderEpoch = leaderEpoch
        self.topic = topic
    }

    init(_ bytes: [UInt8], of task: String) throws {
        var fields = FieldReader(bytes, "a position of the task \(task)")
        try fields.requireVersion(upTo: 1)
        let offset = Offset(try fields.take(Int64.self))
        leaderEpoch = try fields.take(Int32.self)
        position = InputPosition(
            offset: offset, time: Timestamp(milliseconds: try fields.take(Int64.self)),
            endedRun: try fields.take(Int64.self))
        topic = fields.takeRest()
    }
}

extension PositionKey {
    func encoded() -> [UInt8] {
        var fields = FieldWriter()
        fields.put(self)
        return fields.bytes
    }

    init(_ bytes: [UInt8], of task: String) throws {
        var fields = FieldReader(bytes, "a position of the task \(task)")
        self = try fields.takePositionKey()
    }
}

extension EventTimer {
    func encoded() -> [UInt8] {
        var fields = FieldWriter()
        fields.put(time.milliseconds ^ .min)
        fields.put(rest: key)
        return fields.bytes
    }

    init(_ bytes: [UInt8], of task: String) throws {
        var fields = FieldReader(bytes, "a timer of the task \(task)")
        let time = Timestamp(milliseconds: try fields.take(Int64.self) ^ .min)
        self.init(time: time, key: fields.takeRest())
    }
}

extension FieldWriter {
    mutating func put(_ key: PositionKey) {
        put(key.topicID)
        put(key.partition.rawValue)
        put(key.upstream)
    }

    mutating func put(ends: [PositionKey: Offset]) {
        put(Int32(ends.count))
        for (key, end) in ends {
            put(key.topicID)
            put(key.partition.rawValue)
            put(end.rawValue)
        }
    }

    mutating func put(_ id: TopicID) {
        put(id.high)
        put(id.low)
    }
}

extension FieldReader {
    /// Of source partitions.
    mutating func takeEnds() throws -> [PositionKey: Offset] {
        var ends: [PositionKey: Offset] = [:]
        for _ in 0..<(try take(Int32.self)) {
            let key = PositionKey(
                topicID: try takeTopicID(),
                partition: PartitionID(Int(try take(Int32.self))), upstream: 0)
            ends[key] = Offset(try take(Int64.self))
        }
        return ends
    }

    mutating func takePositionKey() throws -> PositionKey {
        PositionKey(
            topicID: try takeTopicID(), partition: PartitionID(Int(try take(Int32.self))),
            upstream: try take(UInt32.self))
    }

    mutating func takeTopicID() throws -> TopicID {
        TopicID(high: try take(UInt64.self), low: try take(UInt64.self))
    }
}
