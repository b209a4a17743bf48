// What the commits topic keeps of a commit: enough to make the task's state again from its inputs, and to tell
// whether a transaction that is still open was decided by a state that is gone.
//
// key: the task's name; of the last commit of an earlier run, kept for good: the name, a line feed, the run's id
// value: version 2, k, guarantee (0 exactly, 1 at least, 2 at most once), watermark, promise, late count,
//   records taken, timers fired since the last one, run id, is live, has finished,
//   count of ends of a bounded run and each: topic id (16), partition, offset
//   count of positions and each: topic id (16), partition, upstream task (0 for a source), offset, time, ended run
//   count of what was appended in the transaction and each: topic id (16), partition, first offset, last offset

import StreamJobsLog

package struct LoggedCommit {
    /// What the transaction has appended to one partition.
    package struct Range {
        let topicID: TopicID
        let partition: PartitionID
        let first: Offset
        let last: Offset
    }

    package var number: Int64
    var guarantee = Guarantee.exactlyOnce
    var watermark = Timestamp.distantPast
    var promise = Timestamp.distantPast
    var lateCount: Int64 = 0
    var progress = TaskProgress()
    var run = RunRecord(id: 0, isLive: true, lateBefore: 0, ends: [:])
    package var positions: [(key: PositionKey, position: InputPosition)]
    var ranges: [Range] = []
    /// Not of version 1, which holds too little to go by.
    var isWhole: Bool { !positions.isEmpty }

    package init(number: Int64, positions: [(PositionKey, InputPosition)]) {
        self.number = number
        self.positions = positions.map { (key: $0, position: $1) }
    }

    init(_ record: CommitRecord, in run: RunRecord?, positions: [(PositionKey, InputPosition)]) {
        self.init(number: record.number, positions: positions)
        watermark = record.watermark
        promise = record.promise
        lateCount = record.lateCount
        progress = record.progress
        if let run { self.run = run }
    }

    func encoded() -> [UInt8] {
        var fields = FieldWriter(version: 2)
        fields.put(number)
        fields.put(UInt8(Guarantee.allCases.firstIndex(of: guarantee) ?? 0))
        fields.put(watermark.milliseconds)
        fields.put(promise.milliseconds)
        fields.put(lateCount)
        fields.put(progress)
        fields.put(run.id)
        fields.put(UInt8(run.isLive ? 1 : 0))
        fields.put(UInt8(run.hasFinished ? 1 : 0))
        // Of a live run nobody asks for the ends.
        fields.put(ends: run.isLive ? [:] : run.ends)
        fields.put(Int32(positions.count))
        for (key, position) in positions {
            fields.put(key)
            fields.put(position.offset.rawValue)
            fields.put(position.time.milliseconds)
            fields.put(position.endedRun)
        }
        fields.put(Int32(ranges.count))
        for range in ranges {
            fields.put(range.topicID)
            fields.put(range.partition.rawValue)
            fields.put(range.first.rawValue)
            fields.put(range.last.rawValue)
        }
        return fields.bytes
    }

    /// - Parameter place: Where the record stands, for messages.
    init(_ bytes: [UInt8], at place: String) throws {
        var fields = FieldReader(bytes, place)
        let version = try fields.takeVersion(upTo: 2)
        number = try fields.take(Int64.self)
        positions = []
        guard version >= 2 else { return }
        let guarantees = Guarantee.allCases
        guarantee = guarantees[min(Int(try fields.take(UInt8.self)), guarantees.count - 1)]
        watermark = Timestamp(milliseconds: try fields.take(Int64.self))
        promise = Timestamp(milliseconds: try fields.take(Int64.self))
        lateCount = try fields.take(Int64.self)
        progress = try fields.takeProgress()
        let id = try fields.take(Int64.self)
        let isLive = try fields.take(UInt8.self) != 0
        let hasFinished = try fields.take(UInt8.self) != 0
        run = RunRecord(
            id: id, isLive: isLive, lateBefore: lateCount, ends: try fields.takeEnds())
        run.hasFinished = hasFinished
        for _ in 0..<(try fields.take(Int32.self)) {
            let key = try fields.takePositionKey()
            let position = InputPosition(
                offset: Offset(try fields.take(Int64.self)),
                time: Timestamp(milliseconds: try fields.take(Int64.self)),
                endedRun: try fields.take(Int64.self))
            positions.append((key, position))
        }
        for _ in 0..<(try fields.take(Int32.self)) {
            ranges.append(
                Range(
                    topicID: try fields.takeTopicID(),
                    partition: PartitionID(Int(try fields.take(Int32.self))),
                    first: Offset(try fields.take(Int64.self)),
                    last: Offset(try fields.take(Int64.self))))
        }
    }
}

/// How far a task is, in steps that are the same each time it does them: what a rebuild counts by.
struct TaskProgress: Equatable {
    /// Records taken since the task began, in all runs.
    var recordCount: Int64 = 0
    /// Timers that have fired since the last record.
    var timerCount: Int64 = 0
}

extension FieldWriter {
    mutating func put(_ progress: TaskProgress) {
        put(progress.recordCount)
        put(progress.timerCount)
    }
}

extension FieldReader {
    mutating func takeProgress() throws -> TaskProgress {
        TaskProgress(
            recordCount: try take(Int64.self), timerCount: try take(Int64.self))
    }
}
