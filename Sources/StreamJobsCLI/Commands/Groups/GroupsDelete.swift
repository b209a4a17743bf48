// `groups delete` and `groups delete-offsets`.

import ArgumentParser
import StreamJobsLog

extension GroupsCommand {
    struct Delete: CheckedCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete",
            abstract: "Deletes groups that have no members, with all they have committed.",
            usage: "\(RootCommand.programName) groups delete GROUP… [--json] [--data DIR]",
            discussion: "  \(RootCommand.programName) groups delete billing")

        @Argument(help: ArgumentHelp("The groups.", valueName: "GROUP"))
        var names: [String] = []

        @OptionGroup var groupsOption: GroupsOption

        @Flag(help: "One JSON object a line: group, deleted.")
        var json = false

        @OptionGroup var data: DataOption

        func check() throws { try groupsOption.check(names) }

        func run() throws {
            let groups = names + groupsOption.groups
            try data.withOwnedLog { log in
                // All are looked up before the first is deleted.
                for group in groups { _ = try log.groups.committedOffsets(of: group) }
                let output = OutputStream()
                try output.flushing {
                    var deleted: Set<String> = []
                    for group in groups {
                        if deleted.insert(group).inserted { try log.groups.delete(group) }
                        write(group, to: output)
                    }
                }
            }
        }

        private func write(_ group: String, to output: OutputStream) {
            guard json else { return output.write("deleted \(group)\n") }
            output.writeObject { line in
                JSONText.append(field: "group", string: group, to: &line)
                JSONText.append(field: "deleted", flag: true, to: &line)
            }
        }
    }

    struct DeleteOffsets: CheckedCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete-offsets",
            abstract: "Forgets what a group without members has committed for topics.",
            usage: """
                \(RootCommand.programName) groups delete-offsets GROUP --topic TOPIC[:P,P…]… [--json]
                    [--data DIR]
                """,
            discussion:
                "  \(RootCommand.programName) groups delete-offsets billing --topic flights:0,1")

        @Argument(help: ArgumentHelp("The group.", valueName: "GROUP"))
        var first: String?

        @OptionGroup var groupOption: GroupOption

        @Option(
            help: ArgumentHelp(
                "A topic, or some of its partitions; may be given several times.",
                valueName: "topic[:p,p…]"),
            transform: TopicSelection.parse)
        var topic: [TopicSelection] = []

        @Flag(help: "One JSON object a line: topic, partition.")
        var json = false

        @OptionGroup var data: DataOption

        private var group: String { groupOption.group ?? first ?? "" }

        func check() throws {
            try groupOption.check(first)
            if topic.isEmpty { throw ValidationError("name a topic with --topic") }
        }

        func run() throws {
            let partitions = try data.withOwnedLog { log in
                let partitions = try data.partitions(topic, in: log)
                let committed = try log.groups.committedOffsets(of: group)
                let known = partitions.filter { committed[$0] != nil }
                try log.groups.deleteOffsets(of: group, partitions: known)
                return known
            }
            if partitions.isEmpty {
                StandardError.write(
                    line:
                        "there is nothing to forget: the group '\(group)' has committed no offset there"
                )
            }
            let output = OutputStream()
            for partition in partitions {
                if json {
                    output.writeObject { JSONText.append(partition, to: &$0) }
                } else {
                    output.write("forgot the offset of \(partition)\n")
                }
            }
            try output.flush()
        }
    }
}
