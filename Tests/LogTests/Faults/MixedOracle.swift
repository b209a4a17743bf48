// Compares a log that was opened after a crash with what was done to it before.

import StreamJobsLog

/// What readers see of a log: each partition's records, and the groups' positions.
struct MixedView {
    struct Seen {
        let start: Int64
        let end: Int64
        var all: [Entry] = []
        var committed: [Entry] = []
    }
    var partitions: [TopicPartition: Seen] = [:]
    var positions: [MixedHistory.GroupPartition: Int64] = [:]

    init(_ log: CommitLog, groups: [String]) throws {
        for name in log.topics.filter({ !$0.isInternal }).flatMap(\.partitions) {
            let partition = try log.partition(name)
            let start = partition.startOffset.rawValue
            partitions[name] = Seen(
                start: start, end: partition.logEndOffset.rawValue,
                all: try partition.entries(from: start, .readUncommitted),
                committed: try partition.entries(from: start, .readCommitted))
        }
        for group in groups {
            for (partition, committed) in try log.groupCoordinator().committed(in: group) {
                positions[.init(group: group, partition: partition)] = committed.offset.rawValue
            }
        }
    }

    /// Records of committed data, each with its place.
    var committed: Set<String> {
        Set(
            partitions.flatMap { name, seen in
                seen.committed.map { "\(name) \($0.offset)" }
            })
    }
}

struct MixedOracle {
    let history: MixedHistory
    let crash: CrashPoint

    /// What is wrong with `log`, of which no transaction is open any more. Records that the check has
    /// written itself are left out: their keys begin with "after".
    func faults(of log: CommitLog, _ view: MixedView) -> [String] {
        var faults = topicFaults(log)
        guard faults.isEmpty else { return faults }
        let pairs = log.topics.filter { !$0.isInternal }.flatMap { topic in
            (0..<topic.partitionCount).compactMap { number -> PartitionCheck? in
                let name = TopicPartition(topic.name, PartitionID(number))
                guard let index = history.topics.firstIndex(where: { $0.id == topic.id }),
                    let seen = view.partitions[name]
                else { return nil }
                let known = history.topics[index]
                let partition =
                    number < known.partitions.count
                    ? known.partitions[number] : MixedHistory.PartitionHistory()
                return PartitionCheck(
                    name: name, isCompacted: known.isCompacted, history: partition, seen: seen,
                    oracle: self)
            }
        }
        var fates: [Int: Set<Bool>] = [:]
        for pair in pairs { pair.noteFates(&fates) }
        for (transaction, fate) in fates.sorted(by: { $0.key < $1.key }) {
            if fate.count > 1 { faults.append("transaction \(transaction) is seen in part") }
            let commit = history.transactions[transaction].commit
            let isForbidden = commit.map { !crash.mayHave($0) } ?? true
            if isForbidden, fate.contains(true) {
                faults.append("transaction \(transaction) is seen, but nobody has committed it")
            }
            if isCommitted(transaction), fate.contains(false) {
                faults.append("transaction \(transaction) was committed and is not seen")
            }
        }
        for pair in pairs { faults += pair.faults(visible: fates) }
        return faults + positionFaults(log, view)
    }

    /// Its commit was acknowledged.
    func isCommitted(_ transaction: Int) -> Bool {
        history.transactions[transaction].commit.map { crash.mustHave($0) } ?? false
    }

    private func topicFaults(_ log: CommitLog) -> [String] {
        var faults: [String] = []
        let topics = log.topics.filter { !$0.isInternal }
        for topic in topics {
            guard let known = history.topics.first(where: { $0.id == topic.id }) else {
                faults.append("a topic '\(topic.name)' that nobody made")
                continue
            }
            if !crash.mayHave(known.made) { faults.append("'\(topic.name)' is there too early") }
            if let deleted = known.deleted, crash.mustHave(deleted) {
                faults.append("'\(topic.name)' was deleted and has come back")
            }
            let counts = known.counts.allowed(crash)
            if !counts.contains(topic.partitionCount) {
                faults.append("'\(topic.name)' has \(topic.partitionCount), not \(counts)")
            }
        }
        for known in history.topics where crash.mustHave(known.made) {
            let mayBeGone = known.deleted.map { crash.mayHave($0) } ?? false
            if !mayBeGone, !topics.contains(where: { $0.id == known.id }) {
                faults.append("the topic '\(known.name)' is lost")
            }
        }
        return faults
    }

    private func positionFaults(_ log: CommitLog, _ view: MixedView) -> [String] {
        var faults: [String] = []
        for (name, changes) in history.commits {
            let found = view.positions[name]
            let certain = changes.lastIndex { crash.mustHave($0.moment) }
            let allowed = changes.allowed(crash)
            if found == nil, certain == nil { continue }
            guard let commit = allowed.last(where: { $0.offset == found }) else {
                faults.append(
                    "\(name.group) is at \(found ?? -1) of \(name.partition), not at one of "
                        + "\(allowed.map { $0.offset ?? -1 })")
                continue
            }
            guard let found, let seen = view.partitions[name.partition] else { continue }
            // That the topic was made again, and the crash came before this was noted, is for the next test.
            if commit.isFlushed, isLiving(commit.topic, log), found > seen.end {
                faults.append("\(name.group) is at \(found) of \(name.partition), behind its end")
            }
        }
        for name in view.positions.keys where history.commits[name] == nil {
            faults.append("\(name.group) is in \(name.partition), where it has never been")
        }
        return faults
    }

    private func isLiving(_ id: TopicID, _ log: CommitLog) -> Bool {
        log.topics.contains { $0.id == id }
    }
}

/// One partition of a log that was opened.
private struct PartitionCheck {
    let name: TopicPartition
    let isCompacted: Bool
    let history: MixedHistory.PartitionHistory
    let seen: MixedView.Seen
    let oracle: MixedOracle

    private var crash: CrashPoint { oracle.crash }

    /// Whether the records of each transaction, as far as they are here, are seen as committed.
    func noteFates(_ fates: inout [Int: Set<Bool>]) {
        let committed = Set(seen.committed.map(\.offset))
        let present = Set(seen.all.map(\.offset))
        for record in history.records where present.contains(record.offset) {
            guard let transaction = record.transaction else { continue }
            fates[transaction, default: []].insert(committed.contains(record.offset))
        }
    }

    func faults(visible fates: [Int: Set<Bool>]) -> [String] {
        func isVisible(_ transaction: Int) -> Bool {
            fates[transaction]?.contains(true) ?? oracle.isCommitted(transaction)
        }
        return startFaults() + foreignRecords() + missingRecords(isVisible) + lostKeys(isVisible)
    }

    private func startFaults() -> [String] {
        let least = history.starts.filter { crash.mustHave($0.moment) }.map(\.value).max() ?? 0
        let most = history.starts.filter { crash.mayHave($0.moment) }.map(\.value).max() ?? 0
        guard !(least...max(least, most)).contains(seen.start) else { return [] }
        return ["\(name) begins at \(seen.start), not at \(least) to \(most)"]
    }

    /// Records that were not written there, or are not to be seen.
    private func foreignRecords() -> [String] {
        let known = Dictionary(uniqueKeysWithValues: history.records.map { ($0.offset, $0) })
        var faults: [String] = []
        var last: Int64 = -1
        for entry in seen.all where !entry.isOfCheck {
            let record = known[entry.offset]
            let isSame = record?.key == text(entry.key) && record?.value == text(entry.value)
            guard let record, isSame, crash.mayHave(record.moment) else {
                faults.append("\(name): nobody has written \(entry)")
                continue
            }
            if entry.offset <= last { faults.append("\(name): \(entry) is behind \(last)") }
            last = entry.offset
        }
        let all = Set(seen.all.map(\.offset))
        let committed = Set(seen.committed.map(\.offset))
        if !committed.isSubset(of: all) { faults.append("\(name): more is committed than there") }
        for record in history.records where record.transaction == nil {
            if all.contains(record.offset), !committed.contains(record.offset) {
                faults.append("\(name): \(record.offset) is written and not seen")
            }
        }
        return faults
    }

    /// Acknowledged, or before one that is there: what is left is a prefix.
    private func mustBeThere(_ record: MixedHistory.Record) -> Bool {
        if crash.mustHave(record.moment) { return true }
        let last = seen.all.last { !$0.isOfCheck }?.offset ?? -1
        return record.offset < last
    }

    private func missingRecords(_ isVisible: (Int) -> Bool) -> [String] {
        let present = Set(seen.all.map(\.offset))
        let expected = lastExpected(isVisible)
        return history.records.compactMap { record in
            guard record.offset >= seen.start, !present.contains(record.offset) else { return nil }
            let isOfCommit = record.transaction.map(isVisible) ?? false
            guard mustBeThere(record) || isOfCommit else { return nil }
            if isCompacted {
                let isUndecided = record.transaction.map { !isVisible($0) } ?? false
                // What has taken its place may be a tombstone that has gone as well.
                let isReplaced = (expected[record.key]?.offset ?? -1) > record.offset
                if record.value == nil || isUndecided || isReplaced { return nil }
            }
            return "\(name): \(record.offset) (\(record.key)) is lost"
        }
    }

    /// The last record of a key is never older than the last that must be there.
    private func lostKeys(_ isVisible: (Int) -> Bool) -> [String] {
        guard isCompacted else { return [] }
        let found = Dictionary(
            seen.committed.map { (text($0.key), $0.offset) }, uniquingKeysWith: { max($0, $1) })
        return lastExpected(isVisible).values.compactMap { record in
            let last = found[record.key]
            if let last, last >= record.offset { return nil }
            if last == nil, record.value == nil { return nil }
            return "\(name): '\(record.key)' ends at \(last ?? -1), not at \(record.offset)"
        }
    }

    /// By key, the last record that must be there, or have been.
    private func lastExpected(_ isVisible: (Int) -> Bool) -> [String: MixedHistory.Record] {
        var expected: [String: MixedHistory.Record] = [:]
        for record in history.records where record.offset >= seen.start {
            guard record.transaction.map(isVisible) ?? mustBeThere(record) else { continue }
            expected[record.key] = record
        }
        return expected
    }
}

private func text(_ bytes: [UInt8]?) -> String? {
    bytes.map { String(decoding: $0, as: UTF8.self) }
}

extension Entry {
    /// Written by the check, to see whether work goes on.
    fileprivate var isOfCheck: Bool { text(key)?.hasPrefix("after") ?? false }
}
