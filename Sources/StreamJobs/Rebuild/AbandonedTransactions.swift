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

    private func wasDecided(
        _ open: OpenTransaction, _ outputs: [any JobLogPartition]
    ) throws -> Bool {
        let cursor = commits.makeCursor(from: open.first, .readUncommitted)
        guard try cursor.hasRecord() else { return false }
        var value: [UInt8] = []
        try cursor.withRecord { record in
            value = record.withValue { $0.map(Array.init) ?? [] }
        }
        // A producer that was only introduced.
        guard !value.isEmpty else { return false }
        let commit = try LoggedCommit(value, at: "\(commits.name) offset \(open.first)")
        var isDecided = commit.guarantee == .atMostOnce
        for range in commit.ranges {
            let partition = outputs.first {
                $0.topicID == range.topicID && $0.name.partition == range.partition
            }
            guard let partition, range.last < partition.logEndOffset else { return false }
            guard !partition.has(open.producer) else { continue }
            // It has ended: with what, tells whether its records are seen.
            if try partition.isSeen(range.first) { isDecided = true }
        }
        // Nothing of it was seen: of what was sent at most once perhaps something outside of it.
        return isDecided
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
