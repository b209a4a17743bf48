// Opening a task after whatever happened: the state's last commit is the truth. What it has decided is
// marked committed, everything else of this task is aborted, and then state and log must agree.
// Doing all of it twice, or a crash in its midst, changes nothing.

import LocalState
import StreamJobsLog

enum CommitRecovery {
    /// Whether a transaction that was decided is still open.
    static func isUnmarked(_ commit: CommitRecord, in partitions: [any JobLogPartition]) -> Bool {
        commit.decided.contains { decided in
            partitions.contains { partition in
                partition.topicID == decided.topicID
                    && partition.name.partition == decided.partition
                    && partition.openTransactions.contains { $0.producer == decided.producer }
            }
        }
    }

    /// Ends the transactions that the task has left open, and gives the stamp of its next one, which is
    /// above all that log and state have seen.
    static func resolve(
        _ restored: RestoredTask, task: String, outputs: [any JobLogPartition]
    ) throws -> [CommitState.UnconfirmedMarker] {
        let unconfirmed = try restored.commit.decided.map { transaction in
            let partition = outputs.first {
                $0.topicID == transaction.topicID && $0.name.partition == transaction.partition
            }
            guard let partition else {
                throw JobError(
                    .refused,
                    "the task \(task) has sent records in its commit \(restored.commit.number) to a "
                        + "topic that is gone (deleted and made again?); \(Remedy.copyOrAnew)")
            }
            guard transaction.last < partition.logEndOffset else {
                throw JobError(
                    .refused,
                    "\(partition.name) ends at offset \(partition.logEndOffset), but the task \(task) "
                        + "has committed records up to \(transaction.last); the log is older than "
                        + "the state: \(Remedy.copyOrAnew)")
            }
            try partition.end(transaction.producer, with: .commit)
            return CommitState.UnconfirmedMarker(
                transaction: transaction, partition: partition, end: partition.logEndOffset)
        }
        for partition in outputs {
            for open in partition.openTransactions
            where open.producer.id == restored.commit.producer.id {
                try partition.end(open.producer, with: .abort)
            }
        }
        return unconfirmed
    }

    /// The stamp of the next transaction: never used before, in no partition. All that were open have
    /// ended, and a marker's epoch is one that nothing was written in yet.
    static func nextProducer(
        after producer: ProducerStamp, outputs: [any JobLogPartition],
        newProducerID: () throws -> Int64
    ) rethrows -> ProducerStamp {
        let seen = outputs.compactMap { $0.epoch(of: producer.id) }.max() ?? 0
        let epoch = max(producer.epoch, seen)
        guard epoch < Limits.epochMax else {
            return ProducerStamp(id: try newProducerID(), epoch: 0)
        }
        return ProducerStamp(id: producer.id, epoch: epoch)
    }

    /// Throws `refused` unless the commits topic knows the same last commit as the state, or is about to:
    /// a decided one whose marker is missing. Asked before anything is changed, so that a state that was
    /// put there by mistake does no harm.
    static func requireSameCommit(
        _ commit: CommitRecord, task: String, inLog: Int64, _ commits: any JobLogPartition
    ) throws {
        let open = commits.openTransactions
        let isToBeMarked = commit.decided.contains { decided in
            decided.topicID == commits.topicID && open.contains { $0.producer == decided.producer }
        }
        let number = commit.number
        let inLog = isToBeMarked ? inLog + 1 : inLog
        guard number != inLog else { return }
        let which =
            number < inLog
            ? "older than the log, or missing: it would send records again"
            : "newer than the log: records it has read are not there"
        throw JobError(
            .refused,
            "the state of the task \(task) is \(which) (commit \(number) in the state, \(inLog) in the "
                + "log); \(Remedy.rebuild)")
    }

    /// Throws `refused` unless the record before a stored position is the one that it was.
    static func requireSameLog(
        _ stored: StoredPosition, in partition: any JobLogPartition, task: String
    ) throws {
        let offset = stored.position.offset
        guard offset >= partition.startOffset else {
            throw JobError(
                .refused,
                "the task \(task) is at offset \(offset) of \(partition.name), which begins at "
                    + "\(partition.startOffset): records it has not read were deleted")
        }
        guard offset <= partition.logEndOffset else {
            throw JobError(
                .refused,
                "the task \(task) is at offset \(offset) of \(partition.name), which ends at "
                    + "\(partition.logEndOffset): records it has read are lost; "
                    + Remedy.copyOrAnew)
        }
        // Of a record that was read and then deleted nobody asks for the epoch.
        guard offset > partition.startOffset else { return }
        guard leaderEpoch(before: offset, in: partition) == stored.leaderEpoch else {
            throw JobError(
                .refused,
                "offset \(offset) of \(partition.name) was given out again after a crash (leader "
                    + "epoch \(leaderEpoch(before: offset, in: partition)), the task \(task) has "
                    + "read \(stored.leaderEpoch)); \(Remedy.copyOrAnew)")
        }
    }

    /// The leader epoch of the record before `offset`; -1 at the partition's start.
    static func leaderEpoch(before offset: Offset, in partition: any JobLogPartition) -> Int32 {
        guard offset > partition.startOffset else { return -1 }
        return partition.leaderEpoch(at: Offset(offset.rawValue - 1))
    }
}

enum Remedy {
    static let copyOrAnew =
        "put back log and state from the same copy, or begin with an empty data directory"
    /// Where the log is right, and the state is not.
    static let rebuild =
        "make the state again from the log with 'state rebuild JOB', put back log and state from the same "
        + "copy, or begin with an empty data directory"
}
