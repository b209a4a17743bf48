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
