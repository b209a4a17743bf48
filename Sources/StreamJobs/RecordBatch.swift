// A stretch of one input's records that a task may take without anything else being asked: nothing that
// would change which record comes next, or what event time is, happens within it. The loop over it is
// compiled into the user's module (docs/decisions/0012-batch-path.md); all that a record needs of the
// runner lies in plain fields of this and of `TaskContext`.

public import StreamJobsLog

/// The records of one input that come next. The runner makes it; `Route.deliver` takes records from it.
public struct RecordBatch: ~Copyable {
    /// At the next record to be taken; behind a record once its call has returned.
    @usableFromInline var records: BatchRecords
    /// How many may still be taken in this turn.
    @usableFromInline var left: Int
    /// How many were taken.
    @usableFromInline var taken = 0
    @usableFromInline let bounds: Bounds
    /// Of a source: its latest timestamp. Of a repartition topic: what the record taken last has promised.
    @usableFromInline var latest: Int64
    // The input's, which outlives the batch.
    @usableFromInline unowned(unsafe) let source: RecordSource

    /// What ends the batch, and what its records do to event time. Times are milliseconds.
    @usableFromInline
    struct Bounds {
        /// No record that is ordered behind is taken.
        @usableFromInline var timeMax: Int64
        /// None at or above is taken.
        @usableFromInline var offsetEnd: Int64
        /// Ordered by the promises that the records carry, as those of a repartition topic are in a bounded
        /// run; by their timestamps otherwise.
        @usableFromInline var followsPromises: Bool
        /// Whether event time follows the records; that of all else only, otherwise.
        @usableFromInline var movesEventTime: Bool
        /// How far event time stays behind `latest`.
        @usableFromInline var disorder: Int64
        /// The lowest watermark of all else; the distant future where nothing else takes part (the
        /// distant past, if these do not either: event time stays where it is).
        @usableFromInline var othersWatermark: Int64

        init(timeMax: Timestamp, othersWatermark: Timestamp) {
            self.timeMax = timeMax.milliseconds
            offsetEnd = .max
            followsPromises = false
            movesEventTime = true
            disorder = 0
            self.othersWatermark = othersWatermark.milliseconds
        }
    }

    init(
        _ records: BatchRecords, left: Int, bounds: Bounds, latest: Timestamp,
        from source: RecordSource
    ) {
        self.records = records
        self.left = min(left, records.left)
        self.bounds = bounds
        self.latest = latest.milliseconds
        self.source = source
    }

    /// Whether the record comes next whatever the others hold; if so, `told` becomes what event time
    /// follows.
    @inlinable @inline(__always)
    func admits(_ record: borrowing RecordView, _ told: inout Int64) -> Bool {
        told = record.timestamp.milliseconds
        var order = told
        if bounds.followsPromises {
            told = InternalRecord.promise(of: record).milliseconds
            order = max(order, told)
        }
        return order <= bounds.timeMax && record.offset.rawValue < bounds.offsetEnd
    }

    /// The record before `next` was taken.
    @inlinable @inline(__always)
    mutating func take(_ next: BatchRecords, _ told: Int64) {
        records = next
        taken &+= 1
        left &-= 1
        latest = bounds.followsPromises ? told : max(latest, told)
    }

    /// What event time may be now, at most.
    @inlinable @inline(__always)
    var watermark: Int64 {
        guard bounds.movesEventTime else { return bounds.othersWatermark }
        guard latest != .min else { return latest }
        let (own, overflow) = latest.subtractingReportingOverflow(bounds.disorder)
        if overflow { return bounds.disorder > 0 ? .min : bounds.othersWatermark }
        return min(own, bounds.othersWatermark)
    }
}

/// Where the records of an input come from, for those that ask.
@usableFromInline
final class RecordSource {
    @usableFromInline let topic: String
    @usableFromInline let partition: PartitionID

    init(_ name: TopicPartition, of input: String) {
        topic = input
        partition = name.partition
    }
}
