// The embedded log as a log that jobs run on.

package import StreamJobsLog

extension CommitLog: JobLog {
    package func existingTopic(_ name: String) throws -> Topic? {
        do {
            return try topic(name)
        } catch let error as LogError where error.code == .noSuchTopic {
            return nil
        }
    }

    package func flush(_ partitions: [any JobLogPartition]) throws {
        try Partition.flush(
            partitions.map {
                guard let partition = $0 as? Partition else {
                    preconditionFailure("a partition of another log")
                }
                return partition
            })
    }

    package func logPartition(_ name: TopicPartition) throws -> any JobLogPartition {
        try partition(name)
    }
}

extension Partition: JobLogPartition {
    package func makeCursor(from offset: Offset, _ isolation: Isolation) -> any JobLogCursor {
        PartitionCursor(self, from: offset, isolation: isolation)
    }
}

extension PartitionCursor: JobLogCursor {}
