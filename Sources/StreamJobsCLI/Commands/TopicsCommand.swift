import ArgumentParser
import StreamJobsLog

struct TopicsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topics", abstract: "Makes and lists topics.",
        subcommands: [Create.self, List.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a topic; also the data directory, if it is not there.")

        @Argument(help: "The topic's name: letters, digits, '.', '_' and '-'.")
        var name: String

        @Option(
            help: ArgumentHelp(
                "How many partitions the topic has; keys are spread over them.", valueName: "n"))
        var partitions = 1

        @OptionGroup var data: DataOption

        func run() throws {
            try Topic.validate(name)
            guard !name.hasPrefix("__") else {
                throw LogError(
                    .invalidTopicName,
                    "names that begin with '__' are the log's own; choose another for '\(name)'")
            }
            let log = try data.openOrCreate()
            let topic = try log.createTopic(name, partitions: partitions)
            try log.close()
            try Standard.output.write(
                "created \(topic.name) with \(counted(topic.partitionCount, "partition")) in "
                    + "\(data.directory)\n")
            try Standard.output.flush()
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the topics.")

        @Flag(help: "One JSON object a line.")
        var json = false

        @OptionGroup var data: DataOption

        func run() throws {
            let topics = try data.openToRead().topics
            let width = topics.map(\.name.count).max() ?? 0
            for topic in topics {
                if json {
                    var line: [UInt8] = Array("{\"topic\":".utf8)
                    JSONText.append(string: topic.name, to: &line)
                    line += Array(
                        ",\"id\":\"\(topic.id)\",\"partitions\":\(topic.partitionCount),\"internal\":\(topic.isInternal)}\n"
                            .utf8)
                    try Standard.output.write(line)
                } else {
                    let padding = String(repeating: " ", count: width - topic.name.count + 2)
                    let note = topic.isInternal ? "  internal" : ""
                    try Standard.output.write(
                        "\(topic.name)\(padding)\(counted(topic.partitionCount, "partition"))\(note)\n"
                    )
                }
            }
            try Standard.output.flush()
        }
    }
}
