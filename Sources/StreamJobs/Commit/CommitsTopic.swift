// The log's own record of the commits of all jobs: (job, task, k), written in the same transaction as the
// outputs. With it, state that is missing or older than the log is noticed, where reading on would send
// everything again (FAULTS D12).

import StreamJobsLog

enum CommitsTopic {
    static let name = "__commits"

    static func open(_ log: any JobLog) throws -> any JobLogPartition {
        if try log.existingTopic(name) == nil {
            _ = try log.createTopic(name, partitions: 1, isInternal: true)
        }
        return try log.logPartition(TopicPartition(name, PartitionID(0)))
    }

    /// key: job, a zero byte, task; value: version 1, k.
    static func append(
        _ number: Int64, of task: TaskCore, to commits: any JobLogPartition,
        as producer: ProducerStamp
    ) throws -> AppendedRange {
        let batch = BatchBuilder(capacity: 256)
        var fields = FieldWriter(version: 1)
        fields.put(number)
        try task.commitKey.withUnsafeBytes { key in
            try fields.bytes.withUnsafeBytes { value in
                try batch.append(key: key, value: value, timestamp: .now())
            }
        }
        // The bytes belong to the builder, which may go after its last use.
        let offset = try withExtendedLifetime(batch) {
            try commits.append(batch.seal(producer: producer, isTransactional: true))
        }
        return AppendedRange(partition: commits, first: offset, last: offset)
    }

    static func key(job: String, task: String) -> [UInt8] {
        Array(job.utf8) + [0] + Array(task.utf8)
    }

    /// The number of the last commit of each task of `job`.
    static func lastCommits(of job: String, in commits: any JobLogPartition) throws -> [[UInt8]:
        Int64]
    {
        var last: [[UInt8]: Int64] = [:]
        let prefix = Array(job.utf8) + [0]
        let cursor = commits.makeCursor(from: commits.startOffset)
        while try cursor.hasRecord() {
            try cursor.withRecord { record in
                let key = record.withKey { $0.map { Array($0) } ?? [] }
                guard key.starts(with: prefix) else { return }
                let value = record.withValue { $0.map { Array($0) } ?? [] }
                var fields = FieldReader(value, "\(name) offset \(record.offset)")
                try fields.requireVersion(upTo: 1)
                last[key] = try fields.take(Int64.self)
            }
            cursor.take()
        }
        return last
    }
}
