// Transactions that states which are gone have left open in the log. Whether one was decided is told by its
// record in the commits topic, which names all that it has appended, and by markers: no marker is written
// before the decision. Ending them twice, or a crash in between, changes nothing.

import StreamJobsLog

struct AbandonedTransactions {
    let plan: JobPlan
    let log: any JobLog
    let commits: any JobLogPartition

    func end() throws {
        let outputs = try allOutputs()
        for open in commits.openTransactions {
            let marker: TransactionMarker =
                try wasDecided(open, outputs) ? .commit : .abort
            for partition in outputs where partition.has(open.producer) {
                try partition.end(open.producer, with: marker)
            }
            // Last, as in a commit: while it is open, what it names is looked at again.
            try commits.end(open.producer, with: marker)
        }
        try abortUnrecorded()
        try log.flush(outputs + [commits])
    }

    /// What was appended without having come to its record was not decided. Of use once no task's own
    /// transaction is open any more.
    func abortUnrecorded() throws {
        for partition in try allOutputs() {
            for open in partition.openTransactions
            where commits.epoch(of: open.producer.id) != nil {
                try partition.end(open.producer, with: .abort)
            }
        }
    }

    /// Throws `refused` where a commit that the task's state knows nothing of has begun to be seen: then the state
    /// is from before it, and would send again what it has sent.
    func requireNone(decidedBehind commit: CommitRecord, of task: String) throws {
        for open in commits.openTransactions where open.producer.id == commit.producer.id {
            let isKnown = commit.decided.contains {
                $0.topicID == commits.topicID && $0.producer == open.producer
            }
            guard !isKnown, let logged = try record(of: open),
                try isSeen(logged, of: open, in: allOutputs())
            else { continue }
            throw JobError(
                .refused,
                "the state of the task \(task) is older than the log: it would send records again "
                    + "(commit \(commit.number) in the state, \(logged.number) in the log); "
                    + Remedy.rebuild)
        }
    }

    private func wasDecided(
        _ open: OpenTransaction, _ outputs: [any JobLogPartition]
    ) throws -> Bool {
        guard let commit = try record(of: open) else { return false }
        for range in commit.ranges {
            guard let partition = find(range, in: outputs), range.last < partition.logEndOffset
            else { return false }
        }
        // Where nothing of it was seen: of what was sent at most once perhaps something outside of it.
        return try commit.guarantee == .atMostOnce || isSeen(commit, of: open, in: outputs)
    }

    /// What the commits topic says of an open transaction; nil of a producer that was only introduced.
    private func record(of open: OpenTransaction) throws -> LoggedCommit? {
        let cursor = commits.makeCursor(from: open.first, .readUncommitted)
        guard try cursor.hasRecord() else { return nil }
        var value: [UInt8] = []
        try cursor.withRecord { record in
            value = record.withValue { $0.map(Array.init) ?? [] }
        }
        guard !value.isEmpty else { return nil }
        return try LoggedCommit(value, at: "\(commits.name) offset \(open.first)")
    }

    private func isSeen(
        _ commit: LoggedCommit, of open: OpenTransaction, in outputs: [any JobLogPartition]
    ) throws -> Bool {
        for range in commit.ranges {
            guard let partition = find(range, in: outputs), range.last < partition.logEndOffset,
                !partition.has(open.producer)
            else { continue }
            // It has ended: with what, tells whether its records are seen.
            if try partition.isSeen(range.first) { return true }
        }
        return false
    }

    private func find(_ range: LoggedCommit.Range, in outputs: [any JobLogPartition])
        -> (any JobLogPartition)?
    {
        outputs.first {
            $0.topicID == range.topicID && $0.name.partition == range.partition
        }
    }

    private func allOutputs() throws -> [any JobLogPartition] {
        var partitions: [TopicPartition: any JobLogPartition] = [:]
        for output in plan.kinds.flatMap(\.outputs) where try log.existingTopic(output.topic) != nil
        {
            for number in 0..<output.partitionCount {
                let partition = try log.logPartition(
                    TopicPartition(output.topic, PartitionID(number)))
                partitions[partition.name] = partition
            }
        }
        return Array(partitions.values)
    }
}

extension JobLogPartition {
    fileprivate func has(_ producer: ProducerStamp) -> Bool {
        openTransactions.contains { $0.producer == producer }
    }

    fileprivate func isSeen(_ offset: Offset) throws -> Bool {
        let cursor = makeCursor(from: offset, .readDecided)
        return try cursor.hasRecord() && cursor.recordOffset == offset
    }
}
