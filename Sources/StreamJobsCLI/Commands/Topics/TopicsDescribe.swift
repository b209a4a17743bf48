// `topics describe`.

import ArgumentParser
import StreamJobsLog

extension TopicsCommand {
    struct Describe: CheckedCommand {
        static let configuration = CommandConfiguration(
            commandName: "describe",
            abstract: "Shows the settings and partitions of topics; also beside a running job.",
            usage: """
                \(RootCommand.programName) topics describe [TOPIC…] [--all] [--json] [--data DIR]
                """,
            discussion: """
                All topics of users unless some are named. Of a partition: its first offset, its last \
                stable offset (below it everything is decided), up to where it is flushed, its end (the \
                next offset), and the bytes and number of its segments.

                  \(RootCommand.programName) topics describe flights
                """)

        @Argument(help: ArgumentHelp("Topics.", valueName: "TOPIC"))
        var names: [String] = []

        @OptionGroup var topicsOption: TopicsOption

        @Flag(help: "Shows all settings, not only those that are not the default.")
        var all = false

        @Flag(
            help: """
                One JSON object a line: topic, id, internal, settings, partitions with partition, start, \
                last_stable, flushed, end, bytes, segments, leader_epoch, open_transactions.
                """)
        var json = false

        @OptionGroup var data: DataOption

        func check() throws { try topicsOption.check(names, isOptional: true) }

        func run() throws {
            let topics = names + topicsOption.topics
            let log = try data.openToRead()
            let described =
                topics.isEmpty
                ? log.topics.filter { !$0.isInternal }
                : try topics.map { try data.topic($0, in: log) }
            let output = OutputStream()
            for topic in described {
                let partitions = try log.describe(topic)
                let settings = topic.settings.entries.filter { all || !$0.isDefault }
                if json {
                    output.writeObject { append(topic, settings, partitions, to: &$0) }
                } else {
                    write(topic, settings, partitions, to: output)
                }
                try output.flushIfFull()
            }
            try output.flush()
        }

        private func write(
            _ topic: Topic, _ settings: [TopicSettings.Entry], _ partitions: [PartitionDescription],
            to output: OutputStream
        ) {
            let note = topic.isInternal ? "  internal" : ""
            output.write(
                "\(topic.name)  \(counted(topic.partitionCount, "partition"))\(note)  id \(topic.id)\n"
            )
            for setting in settings {
                let note = all && setting.isDefault ? "  (default)" : ""
                output.write("  \(setting.name)=\(setting.value)\(note)\n")
            }
            var table = TextTable(
                ["partition", "start", "last stable", "flushed", "end", "bytes", "segments"])
            for partition in partitions {
                table.add([
                    "\(partition.name.partition)", "\(partition.start)", "\(partition.lastStable)",
                    "\(partition.flushed)", "\(partition.end)", "\(partition.byteCount)",
                    "\(partition.segmentCount)",
                ])
            }
            output.write(table.text(indent: 2))
        }

        private func append(
            _ topic: Topic, _ settings: [TopicSettings.Entry], _ partitions: [PartitionDescription],
            to line: inout [UInt8]
        ) {
            JSONText.append(field: "topic", string: topic.name, to: &line)
            JSONText.append(field: "id", string: topic.id.description, to: &line)
            JSONText.append(field: "internal", flag: topic.isInternal, to: &line)
            JSONText.append(settings: settings, to: &line)
            JSONText.append(field: "partitions", objects: partitions, to: &line) {
                partition, line in
                let id = partition.name.partition
                JSONText.append(field: "partition", number: id.rawValue, to: &line)
                JSONText.append(field: "start", number: partition.start.rawValue, to: &line)
                JSONText.append(
                    field: "last_stable", number: partition.lastStable.rawValue, to: &line)
                JSONText.append(field: "flushed", number: partition.flushed.rawValue, to: &line)
                JSONText.append(field: "end", number: partition.end.rawValue, to: &line)
                JSONText.append(field: "bytes", number: partition.byteCount, to: &line)
                JSONText.append(field: "segments", number: partition.segmentCount, to: &line)
                JSONText.append(field: "leader_epoch", number: partition.leaderEpoch, to: &line)
                JSONText.append(
                    field: "open_transactions", number: partition.openTransactionCount, to: &line)
            }
        }
    }
}
