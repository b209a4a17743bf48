// `topics create` and `topics list`.

import ArgumentParser
import StreamJobsLog

struct TopicsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topics", abstract: "Makes and lists topics.",
        subcommands: [Create.self, List.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Makes a topic, and the data directory if it is not there.",
            usage: """
                \(RootCommand.programName) topics create NAME [--partitions N] [--data DIR]
                """)

        @Argument(
            help: ArgumentHelp(
                "The topic's name: letters, digits, '.', '_' and '-'.", valueName: "NAME"))
        var name: String

        @Option(
            help: ArgumentHelp(
                "How many partitions it has. A record's key chooses one; as many tasks of a job can "
                    + "work side by side.", valueName: "n"))
        var partitions = 1

        @OptionGroup var data: DataOption

        func run() throws {
            // Checked first: what can never be made must not make a data directory.
            try Topic.validate(name)
            guard !name.hasPrefix("__") else {
                throw CommandError.usage(
                    "names that begin with '__' are the log's own; choose another for '\(name)'")
            }
            guard (1...StreamJobsLog.Limits.partitionsMax).contains(partitions) else {
                throw CommandError.usage(
                    "a topic has 1 to \(StreamJobsLog.Limits.partitionsMax) partitions, not "
                        + "\(partitions)")
            }
            try data.withOwnedLog(mayCreate: true) { log in
                _ = try log.createTopic(name, partitions: partitions)
            }
            let output = OutputStream()
            output.write(
                "created \(name) with \(counted(partitions, "partition")) in \(data.directory)\n")
            try output.flush()
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Lists the topics; also beside a running job.",
            usage: "\(RootCommand.programName) topics list [--json] [--data DIR]")

        @Flag(help: "One JSON object a line: topic, partitions, internal, id.")
        var json = false

        @OptionGroup var data: DataOption

        func run() throws {
            let topics = try data.openToRead().topics
            let output = OutputStream()
            let width = topics.map(\.name.count).max() ?? 0
            for topic in topics {
                if json {
                    append(topic, to: &output.buffer)
                } else {
                    let padding = String(repeating: " ", count: width - topic.name.count + 2)
                    let note = topic.isInternal ? "  internal" : ""
                    let partitions = counted(topic.partitionCount, "partition")
                    output.write("\(topic.name)\(padding)\(partitions)\(note)\n")
                }
                try output.flushIfFull()
            }
            try output.flush()
        }

        private func append(_ topic: Topic, to line: inout [UInt8]) {
            line.append(UInt8(ascii: "{"))
            JSONText.append(field: "topic", string: topic.name, to: &line)
            JSONText.append(field: "partitions", number: topic.partitionCount, to: &line)
            JSONText.append(name: "internal", to: &line)
            line += (topic.isInternal ? "true" : "false").utf8
            JSONText.append(field: "id", string: topic.id.description, to: &line)
            line += "}\n".utf8
        }
    }
}
