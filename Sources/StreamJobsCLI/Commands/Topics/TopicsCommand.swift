// `topics`: one file per command beside this one.

import ArgumentParser
import StreamJobsLog

struct TopicsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topics", abstract: "Makes, lists, changes and deletes topics.",
        discussion: """
              \(RootCommand.programName) topics create flights --partitions 4
              \(RootCommand.programName) topics describe flights
              \(RootCommand.programName) topics alter flights --config retention.ms=604800000
            """,
        subcommands: [
            Create.self, List.self, Describe.self, Alter.self, Delete.self, DeleteRecords.self,
        ])
}

/// `name=value` of `--config` and `--add-config`.
struct SettingArgument {
    let name: String
    let value: String

    static func parse(_ text: String) throws -> SettingArgument {
        guard let sign = text.firstIndex(of: "="), sign > text.startIndex else {
            throw CommandError.usage("'\(text)' is not of the form name=value")
        }
        return SettingArgument(
            name: String(text[..<sign]), value: String(text[text.index(after: sign)...]))
    }

    /// `name=value,name=[value,value]`, as kafka-configs has it.
    static func parseList(_ text: String) throws -> [SettingArgument] {
        var parts = [""]
        var isInBrackets = false
        for character in text {
            switch character {
            case "[" where parts[parts.count - 1].last == "=": isInBrackets = true
            case "]" where isInBrackets: isInBrackets = false
            case "," where !isInBrackets: parts.append("")
            default: parts[parts.count - 1].append(character)
            }
        }
        guard !isInBrackets, parts.allSatisfy({ $0.dropFirst().contains("=") }) else {
            throw CommandError.usage(
                "use name=value,name=value; a value with a comma stands in brackets, as in "
                    + "cleanup.policy=[compact,delete]")
        }
        return try parts.map(parse)
    }
}

extension DataOption {
    /// A topic that is the user's to change. Throws `notFound`, or `usage` for one of the log or of a job.
    func publicTopic(_ name: String, in log: CommitLog, toBe changed: String) throws -> Topic {
        let topic = try topic(name, in: log)
        guard !topic.isInternal else {
            throw CommandError.usage(
                "the topic '\(name)' belongs to the log or to a job; it cannot be \(changed) by hand"
            )
        }
        return topic
    }
}

extension TopicSettings {
    /// For messages: "cleanup.policy, compression.type, …".
    static var names: [String] { TopicSettings().entries.map(\.name) }
}
