// `topics delete`.

import ArgumentParser
import StreamJobsLog

extension TopicsCommand {
    struct Delete: CheckedCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Deletes topics with all their records, for good.",
            usage: """
                \(RootCommand.programName) topics delete TOPIC… [--if-exists] [--json] [--data DIR]
                """,
            discussion: "  \(RootCommand.programName) topics delete greetings")

        @Argument(help: ArgumentHelp("The topics.", valueName: "TOPIC"))
        var names: [String] = []

        @OptionGroup var topicsOption: TopicsOption

        @Flag(help: "Leaves out topics that are not there.")
        var ifExists = false

        @Flag(help: "One JSON object a line: topic, deleted.")
        var json = false

        @OptionGroup var data: DataOption

        func check() throws { try topicsOption.check(names) }

        func run() throws {
            let topics = names + topicsOption.topics
            try data.withOwnedLog { log in
                let known = Set(log.topics.map(\.name))
                // All are checked before the first is deleted.
                for name in topics where !ifExists || known.contains(name) {
                    _ = try data.publicTopic(name, in: log, toBe: "deleted")
                }
                let output = OutputStream()
                try output.flushing {
                    var deleted: Set<String> = []
                    for name in topics {
                        let isThere = !ifExists || known.contains(name)
                        if isThere, deleted.insert(name).inserted { try log.deleteTopic(name) }
                        write(name, isDeleted: isThere, to: output)
                    }
                }
            }
        }

        private func write(_ name: String, isDeleted: Bool, to output: OutputStream) {
            if json {
                output.writeObject { line in
                    JSONText.append(field: "topic", string: name, to: &line)
                    JSONText.append(field: "deleted", flag: isDeleted, to: &line)
                }
            } else {
                output.write(isDeleted ? "deleted \(name)\n" : "\(name) is not there\n")
            }
        }
    }
}
