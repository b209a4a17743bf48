// `topics create`.

import ArgumentParser
import StreamJobsLog

extension TopicsCommand {
    struct Create: CheckedCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Makes a topic, and the data directory if it is not there.",
            usage: """
                \(RootCommand.programName) topics create TOPIC [--partitions N] [--config NAME=VALUE]…
                    [--if-not-exists] [--json] [--data DIR]
                """,
            discussion: """
                Settings have Kafka's names: \(TopicSettings.names.joined(separator: ", ")). A topic keeps \
                its records for ever unless retention.ms or retention.bytes says otherwise.

                  \(RootCommand.programName) topics create users --partitions 4 \
                --config cleanup.policy=compact
                """)

        @Argument(
            help: ArgumentHelp(
                "The topic's name: letters, digits, '.', '_' and '-'.", valueName: "TOPIC"))
        var first: String?

        @OptionGroup var topicOption: TopicOption

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp(
                "How many partitions it has. A record's key chooses one; as many tasks of a job can "
                    + "work side by side.", valueName: "n"))
        var partitions = 1

        @Option(
            help: ArgumentHelp("A setting; may be given several times.", valueName: "name=value"),
            transform: SettingArgument.parse)
        var config: [SettingArgument] = []

        @Flag(help: "Does nothing where the topic is there already.")
        var ifNotExists = false

        @Flag(help: "One JSON object: topic, partitions, id, created.")
        var json = false

        @OptionGroup var data: DataOption

        private var name: String { topicOption.topic ?? first ?? "" }

        func check() throws { try topicOption.check(first) }

        func run() throws {
            // Checked first: what can never be made must not make a data directory.
            try Topic.validate(name)
            guard !Topic.isReserved(name) else {
                throw CommandError.usage(
                    "names that begin with '__' are the log's own; choose another for '\(name)'")
            }
            guard (1...StreamJobsLog.Limits.partitionsMax).contains(partitions) else {
                throw CommandError.usage(
                    "a topic has 1 to \(StreamJobsLog.Limits.partitionsMax) partitions, not "
                        + "\(partitions)")
            }
            var settings = TopicSettings()
            for setting in config { try settings.set(setting.name, to: setting.value) }
            let (topic, isNew) = try data.withOwnedLog(mayCreate: true) { log in
                if ifNotExists, let topic = log.topics.first(where: { $0.name == name }) {
                    return (topic, false)
                }
                return (
                    try log.createTopic(name, partitions: partitions, settings: settings), true
                )
            }
            try report(topic, isNew: isNew)
        }

        private func report(_ topic: Topic, isNew: Bool) throws {
            let output = OutputStream()
            if json {
                output.writeObject { line in
                    JSONText.append(field: "topic", string: topic.name, to: &line)
                    JSONText.append(field: "partitions", number: topic.partitionCount, to: &line)
                    JSONText.append(field: "id", string: topic.id.description, to: &line)
                    JSONText.append(field: "created", flag: isNew, to: &line)
                }
            } else {
                let what = counted(topic.partitionCount, "partition")
                output.write(
                    isNew
                        ? "created \(name) with \(what) in \(data.directory)\n"
                        : "\(name) is there already, with \(what)\n")
            }
            try output.flush()
        }
    }
}
