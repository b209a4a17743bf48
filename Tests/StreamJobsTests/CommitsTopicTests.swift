// The commits topic: it stays small however long a job runs, and still knows every task's last commit.

import Foundation
import StreamJobs
import StreamJobsLog
import TestSupport
import Testing

struct CommitsTopicTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private var logBytes: Int {
        get throws {
            let partition = directory.path + "/__commits-words-0"
            return try FileManager.default.contentsOfDirectory(atPath: partition)
                .filter { $0.hasSuffix(".log") }
                .map { try FileManager.default.attributesOfItem(atPath: "\(partition)/\($0)") }
                .reduce(0) { $0 + (($1[.size] as? Int) ?? 0) }
        }
    }

    /// Positions of so many inputs.
    private func positions(_ count: Int, at offset: Int64) -> [(PositionKey, InputPosition)] {
        let topic = TopicID(high: 1, low: 2)
        return (0..<count).map { partition in
            let key = PositionKey(
                topicID: topic, partition: PartitionID(partition), upstream: 0)
            return (key, InputPosition(offset: Offset(offset)))
        }
    }

    @Test func `years of commits take a few megabytes and the last of each task is found`() throws {
        let log = try openLog(directory.path)
        let commits = try CommitsTopic.open(log, for: wordJob)
        let stamps = (0..<3).map { Int64($0) + 1000 }
        var last: [String: Int64] = [:]
        // An idle task's one commit must outlast those of the others.
        for number in 1...9_000 {
            let task = number == 1 ? 2 : number % 2
            let name = "WordCounter-\(task)"
            let producer = ProducerStamp(id: stamps[task], epoch: Int16(number))
            let commit = LoggedCommit(
                number: Int64(number), positions: positions(20, at: Int64(number)))
            _ = try CommitsTopic.append(commit, ofTask: name, to: commits, as: producer)
            try commits.end(producer, with: .commit)
            last[name] = Int64(number)
            if number % 1_000 == 0 {
                log.maintain()
                #expect(try logBytes < 4_000_000, "after \(number) commits")
            }
        }
        #expect(last.count == 3)
        #expect(try CommitsTopic.lastCommits(in: commits).mapValues(\.number) == last)
        #expect(commits.logEndOffset.rawValue == 18_000)
        try log.close()
        let reopened = try openLog(directory.path)
        let found = try CommitsTopic.lastCommits(in: CommitsTopic.open(reopened, for: wordJob))
        #expect(found.mapValues(\.number) == last)
    }
}
