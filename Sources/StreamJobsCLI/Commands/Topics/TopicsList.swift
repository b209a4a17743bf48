// `topics list`.

import ArgumentParser
import StreamJobsLog

extension TopicsCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Lists the topics; also beside a running job.",
            usage: """
                \(RootCommand.programName) topics list [--exclude-internal] [--json] [--data DIR]
                """,
            discussion: "  \(RootCommand.programName) topics list --json | jq -r .topic")

        @Flag(help: "Leaves out the topics of the log and of jobs.")
        var excludeInternal = false

        @Flag(help: "One JSON object a line: topic, partitions, internal, id.")
        var json = false

        @OptionGroup var data: DataOption

        func run() throws {
            let topics = try data.openToRead().topics.filter { !excludeInternal || !$0.isInternal }
            let output = OutputStream()
            let width = topics.map(\.name.count).max() ?? 0
            for topic in topics {
                if json {
                    output.writeObject { append(topic, to: &$0) }
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
            JSONText.append(field: "topic", string: topic.name, to: &line)
            JSONText.append(field: "partitions", number: topic.partitionCount, to: &line)
            JSONText.append(field: "internal", flag: topic.isInternal, to: &line)
            JSONText.append(field: "id", string: topic.id.description, to: &line)
        }
    }
}
