// Tells an operator's tool what jobs have decided: it reads the commit record of every task's state. No
// job may be running; a state that is open refuses to be read.

import FoundationEssentials
import LocalState
package import StreamJobsLog

/// What the states in a data directory say about open transactions, as of when this was made.
package struct StateResolver: TransactionResolver {
    private let topicIDs: [String: TopicID]
    private let commits: [CommitRecord]

    /// Reads the states of all jobs on `log`; changes nothing. Throws what opening a state throws: one
    /// that cannot be read may have decided anything.
    package init(_ log: CommitLog) throws {
        topicIDs = Dictionary(uniqueKeysWithValues: log.topics.map { ($0.name, $0.id) })
        var commits: [CommitRecord] = []
        let root = log.directory + "/state"
        for job in try Self.names(in: root) {
            _ = try UnsyncedMark(directory: "\(root)/\(job)").isSet()
            for task in try Self.names(in: "\(root)/\(job)") {
                let directory = "\(root)/\(job)/\(task)"
                guard FileManager.default.fileExists(atPath: directory + "/data.mdb") else {
                    continue
                }
                let environment = StateEnvironment(directory: directory)
                try environment.open()
                defer { environment.close() }
                if let bytes = try environment.get(.commit, key: CommitRecord.key) {
                    commits.append(try CommitRecord(bytes, of: task))
                }
            }
        }
        self.commits = commits
    }

    private static func names(in directory: String) throws -> [String] {
        guard FileManager.default.fileExists(atPath: directory) else { return [] }
        // Hidden ones are states that are being restored.
        return try FileManager.default.contentsOfDirectory(atPath: directory)
            .filter { !$0.hasPrefix(".") }.sorted()
    }

    /// A decided transaction stays in its state until its marker is known to be flushed, so that one that
    /// is open and not in there is not decided.
    package func decision(on transaction: OpenTransaction, in partition: TopicPartition)
        -> TransactionDecision
    {
        let isDecided = commits.lazy.flatMap(\.decided).contains {
            $0.topicID == topicIDs[partition.topic] && $0.partition == partition.partition
                && $0.producer == transaction.producer
        }
        if isDecided { return .decided }
        return commits.contains { $0.producer.id == transaction.producer.id }
            ? .undecided : .unknown
    }
}
