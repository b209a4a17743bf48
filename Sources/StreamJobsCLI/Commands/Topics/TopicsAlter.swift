// `topics alter`.

import ArgumentParser
import StreamJobsLog

extension TopicsCommand {
    struct Alter: CheckedCommand {
        static let configuration = CommandConfiguration(
            commandName: "alter", abstract: "Changes the settings of a topic, or adds partitions.",
            usage: """
                \(RootCommand.programName) topics alter TOPIC [--partitions N] [--config NAME=VALUE]…
                    [--delete-config NAME]… [--json] [--data DIR]
                """,
            discussion: """
                Settings have Kafka's names; 'topics describe TOPIC --all' shows them. A topic can be given \
                more partitions, not fewer; keys may go to other partitions afterwards.

                  \(RootCommand.programName) topics alter flights --config retention.ms=604800000
                  \(RootCommand.programName) topics alter flights --delete-config retention.ms
                """)

        @Argument(help: ArgumentHelp("The topic.", valueName: "TOPIC"))
        var first: String?

        @OptionGroup var topicOption: TopicOption

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp("How many partitions it is to have.", valueName: "n"))
        var partitions: Int?

        @Option(
            name: .customLong("config"),
            help: ArgumentHelp("A setting; may be given several times.", valueName: "name=value"),
            transform: SettingArgument.parse)
        var singleConfig: [SettingArgument] = []

        @Option(
            help: ArgumentHelp(
                "Settings, as in kafka-configs; a value with a comma stands in brackets.",
                valueName: "name=value[,name=value…]"),
            transform: SettingArgument.parseList)
        var addConfig: [[SettingArgument]] = []

        @Option(
            name: .customLong("delete-config"),
            help: ArgumentHelp(
                "A setting to be the default again; may be given several times.",
                valueName: "name[,name…]"))
        var resetConfig: [String] = []

        @Flag(help: "One JSON object: topic, partitions, settings that are not the default.")
        var json = false

        @OptionGroup var data: DataOption

        private var topic: String { topicOption.topic ?? first ?? "" }
        private var config: [SettingArgument] { singleConfig + addConfig.joined() }
        private var deleteConfig: [String] { resetConfig.flatMap(Names.parts) }

        func check() throws {
            try topicOption.check(first)
            if partitions == nil, config.isEmpty, deleteConfig.isEmpty {
                throw ValidationError(
                    "there is nothing to change: give --partitions, --config or --delete-config")
            }
            if let twice = deleteConfig.first(where: { name in config.contains { $0.name == name } }
            ) {
                throw ValidationError("--config and --delete-config both name \(twice)")
            }
        }

        func run() throws {
            let changes =
                config.map { (name: $0.name, value: Optional($0.value)) }
                + deleteConfig.map { (name: $0, value: String?.none) }
            let altered = try data.withOwnedLog { log in
                var topic = try data.publicTopic(topic, in: log, toBe: "changed")
                // All is checked before the first is changed.
                var settings = topic.settings
                for (name, value) in changes {
                    if let value {
                        try settings.set(name, to: value)
                    } else {
                        try settings.reset(name)
                    }
                }
                if let partitions {
                    topic = try log.setPartitions(of: topic.name, to: partitions)
                }
                return changes.isEmpty ? topic : try log.alterTopic(topic.name, changes)
            }
            try report(altered)
        }

        private func report(_ topic: Topic) throws {
            let output = OutputStream()
            let settings = topic.settings.entries.filter { !$0.isDefault }
            if json {
                output.writeObject { line in
                    JSONText.append(field: "topic", string: topic.name, to: &line)
                    JSONText.append(field: "partitions", number: topic.partitionCount, to: &line)
                    JSONText.append(settings: settings, to: &line)
                }
            } else {
                output.write("\(topic.name)  \(counted(topic.partitionCount, "partition"))\n")
                for setting in settings { output.write("  \(setting.name)=\(setting.value)\n") }
            }
            try output.flush()
        }
    }
}
