// What was done to a log by all of its parts together, each change with the operations of the disk between
// which it was done: from that follows what a crash at any operation may leave, and what it must.

import StreamJobsLog

/// When a change was made, in operations of the disk.
struct Moment {
    /// Done before the change began: none of it can be there before.
    let begun: Int
    /// Done when it was acknowledged as written: it survives a kill from there on.
    let written: Int
    /// Done when it was acknowledged as flushed: it survives a power loss from there on.
    var flushed = Int.max

    /// Of a change that is acknowledged when it is flushed.
    static func flushed(from begun: Int, to done: Int) -> Moment {
        Moment(begun: begun, written: done, flushed: done)
    }
}

/// A crash behind the first `number` operations (the next one may be done in part).
struct CrashPoint: CustomStringConvertible {
    let number: Int
    var isPowerLoss: Bool

    func mayHave(_ moment: Moment) -> Bool { moment.begun <= number }
    func mustHave(_ moment: Moment) -> Bool {
        (isPowerLoss ? moment.flushed : moment.written) <= number
    }

    var description: String { "\(isPowerLoss ? "power loss" : "kill") at \(number)" }
}

struct MixedHistory {
    struct Record {
        let offset: Int64
        let key: String
        /// Nil is a tombstone.
        let value: String?
        /// Its place in `transactions`.
        let transaction: Int?
        var moment: Moment
    }

    /// A value that is replaced by later ones: a partition's start, a count of partitions.
    struct Change<Value> {
        let value: Value
        var moment: Moment
    }

    struct PartitionHistory {
        /// By offset; markers have none.
        var records: [Record] = []
        var starts: [Change<Int64>] = []
    }

    /// A topic from when it was made until it was deleted; another one of the name is another one.
    struct TopicHistory {
        let name: String
        let id: TopicID
        let isCompacted: Bool
        let made: Moment
        var deleted: Moment?
        var partitions: [PartitionHistory] = []
        var counts: [Change<Int>] = []
    }

    struct Transaction {
        /// Nil: nobody has asked for it.
        var commit: Moment?
    }

    /// What a group has committed; nil: forgotten, its topic being gone.
    struct Commit {
        let offset: Int64?
        let topic: TopicID
        let isFlushed: Bool
    }

    struct GroupPartition: Hashable {
        let group: String
        let partition: TopicPartition
    }

    var topics: [TopicHistory] = []
    var transactions: [Transaction] = []
    var commits: [GroupPartition: [Change<Commit>]] = [:]

    /// The place of the topic that has the name now.
    func living(_ name: String) -> Int? {
        topics.lastIndex { $0.name == name && $0.deleted == nil }
    }
}

extension Array {
    /// The values that may be there after the crash: the last one that must be, and those behind it.
    func allowed<Value>(_ crash: CrashPoint) -> [Value]
    where Element == MixedHistory.Change<Value> {
        let certain = lastIndex { crash.mustHave($0.moment) } ?? startIndex
        return self[certain...].filter { crash.mayHave($0.moment) }.map(\.value)
    }
}
