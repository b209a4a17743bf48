// `groups`: what kafka-consumer-groups does. One file per command beside this one.

import ArgumentParser
import StreamJobsLog

struct GroupsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "groups", abstract: "Shows consumer groups, moves and deletes their offsets.",
        discussion: """
              \(RootCommand.programName) groups describe billing
              \(RootCommand.programName) groups reset-offsets billing --to-earliest --execute
            """,
        subcommands: [List.self, Describe.self, ResetOffsets.self, DeleteOffsets.self, Delete.self])
}

/// `flights` or `flights:0,2`, as kafka-consumer-groups names topics and partitions.
struct TopicSelection {
    let topic: String
    /// Nil: all.
    let partitions: [Int]?

    static func parse(_ text: String) throws -> TopicSelection {
        guard let colon = text.firstIndex(of: ":") else {
            return TopicSelection(topic: text, partitions: nil)
        }
        let numbers = text[text.index(after: colon)...]
            .split(separator: ",", omittingEmptySubsequences: false).map { Int32($0) }
        guard colon > text.startIndex, numbers.allSatisfy({ $0.map { $0 >= 0 } ?? false }) else {
            throw CommandError.usage("use a topic, or a topic and partitions as in flights:0,2")
        }
        return TopicSelection(
            topic: String(text[..<colon]), partitions: numbers.compactMap { $0.map(Int.init) })
    }
}

extension DataOption {
    /// The partitions that are selected. Throws `notFound` for those that are not there.
    func partitions(_ selections: [TopicSelection], in log: CommitLog) throws -> [TopicPartition] {
        try selections.flatMap { selection in
            let topic = try topic(selection.topic, in: log)
            guard let numbers = selection.partitions else { return topic.partitions }
            return try numbers.map {
                try log.partition(TopicPartition(topic.name, PartitionID($0))).name
            }
        }
    }
}
