// A log in memory for tests: the same batches, transactions and offsets as the embedded log's, without
// files. It does not lose anything and is never full.

package import StreamJobs
package import StreamJobsLog
import Synchronization

package final class MemoryLog: JobLog {
    private let contents = Mutex(Contents())

    private struct Contents {
        var topics: [String: Topic] = [:]
        var partitions: [TopicPartition: MemoryPartition] = [:]
        var nextProducerID: Int64 = 0
    }

    package init() {}

    package func existingTopic(_ name: String) throws -> Topic? {
        contents.withLock { $0.topics[name] }
    }

    package func createTopic(
        _ name: String, partitions count: Int, isInternal: Bool, settings: TopicSettings
    ) throws -> Topic {
        contents.withLock { contents in
            let topic = Topic(
                name: name, id: .random(), partitionCount: count, isInternal: isInternal,
                settings: settings)
            contents.topics[name] = topic
            for partition in topic.partitions {
                contents.partitions[partition] = MemoryPartition(
                    partition, topicID: topic.id, settings: settings)
            }
            return topic
        }
    }

    package func logPartition(_ name: TopicPartition) throws -> any JobLogPartition {
        guard let partition = contents.withLock({ $0.partitions[name] }) else {
            throw LogError(.noSuchTopic, "there is no partition \(name)")
        }
        return partition
    }

    package func flush(_ partitions: [any JobLogPartition]) throws {}

    package func takeProducerIDs(_ count: Int) throws -> Int64 {
        contents.withLock { contents in
            defer { contents.nextProducerID += Int64(count) }
            return contents.nextProducerID
        }
    }
}
