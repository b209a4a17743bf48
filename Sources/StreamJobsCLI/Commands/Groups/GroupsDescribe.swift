// `groups describe`.

import ArgumentParser
import StreamJobsLog

extension GroupsCommand {
    struct Describe: CheckedCommand {
        static let configuration = CommandConfiguration(
            commandName: "describe",
            abstract: "Shows how far groups are, and who reads what; also beside a running job.",
            usage: """
                \(RootCommand.programName) groups describe [GROUP…] [--members] [--json] [--data DIR]
                """,
            discussion: """
                All groups unless some are named. Of a partition: the committed offset (the next to be \
                read), the end, and the lag, that is how many offsets are still to be read.

                  \(RootCommand.programName) groups describe billing
                """)

        @Argument(help: ArgumentHelp("Groups.", valueName: "GROUP"))
        var names: [String] = []

        @OptionGroup var groupsOption: GroupsOption

        @Flag(help: "All groups; what is done unless some are named.")
        var allGroups = false

        @Flag(help: "Shows the members rather than the partitions.")
        var members = false

        @Flag(
            help: """
                One JSON object a line: group, state, generation, assignor, leader, members (id, \
                instance_id, client_id, host, partitions), partitions (topic, partition, offset, \
                leader_epoch, metadata, start, end, lag, member).
                """)
        var json = false

        @OptionGroup var data: DataOption

        func check() throws {
            try groupsOption.check(names, isOptional: true)
            if allGroups, !names.isEmpty || !groupsOption.groups.isEmpty {
                throw ValidationError("--all-groups is all of them: name none")
            }
        }

        func run() throws {
            let log = try data.openToRead()
            let groups = names + groupsOption.groups
            let chosen = try groups.isEmpty ? log.groups.list().map(\.group) : groups
            let output = OutputStream()
            for name in chosen {
                let group = try log.groups.describe(name)
                if json {
                    output.writeObject { append(group, to: &$0) }
                } else {
                    write(group, to: output)
                }
                try output.flushIfFull()
            }
            try output.flush()
        }

        private func write(_ group: ConsumerGroupDescription, to output: OutputStream) {
            let assignor = group.assignor.map { ", \($0)" } ?? ""
            output.write(
                "\(group.group)  \(group.state.rawValue), "
                    + "\(counted(group.members.count, "member"))\(assignor)\n")
            output.write((members ? memberTable(group) : partitionTable(group)).text(indent: 2))
        }

        private func memberTable(_ group: ConsumerGroupDescription) -> TextTable {
            var table = TextTable(["member", "client", "host", "partitions"])
            for member in group.members {
                let names = member.partitions.map(\.description).joined(separator: " ")
                table.add([
                    member.instanceID ?? member.id, member.clientID, member.host,
                    names.isEmpty ? "-" : names,
                ])
            }
            return table
        }

        private func partitionTable(_ group: ConsumerGroupDescription) -> TextTable {
            var table = TextTable(["topic", "partition", "offset", "end", "lag", "member"])
            for partition in group.partitions {
                table.add([
                    partition.name.topic, "\(partition.name.partition)",
                    partition.committed?.offset.description ?? "-",
                    partition.logEnd?.description ?? "-", partition.lag.map { "\($0)" } ?? "-",
                    partition.memberID ?? "-",
                ])
            }
            return table
        }

        private func append(_ group: ConsumerGroupDescription, to line: inout [UInt8]) {
            JSONText.append(field: "group", string: group.group, to: &line)
            JSONText.append(field: "state", string: group.state.rawValue, to: &line)
            JSONText.append(field: "generation", number: group.generation, to: &line)
            JSONText.append(field: "assignor", optionalString: group.assignor, to: &line)
            JSONText.append(field: "leader", optionalString: group.leader, to: &line)
            JSONText.append(field: "members", objects: group.members, to: &line) { member, line in
                JSONText.append(field: "id", string: member.id, to: &line)
                JSONText.append(
                    field: "instance_id", optionalString: member.instanceID, to: &line)
                JSONText.append(field: "client_id", string: member.clientID, to: &line)
                JSONText.append(field: "host", string: member.host, to: &line)
                JSONText.append(field: "partitions", objects: member.partitions, to: &line) {
                    JSONText.append($0, to: &$1)
                }
            }
            JSONText.append(field: "partitions", objects: group.partitions, to: &line) {
                append($0, to: &$1)
            }
        }

        private func append(
            _ partition: ConsumerGroupDescription.Partition, to line: inout [UInt8]
        ) {
            let committed = partition.committed
            JSONText.append(partition.name, to: &line)
            JSONText.append(field: "offset", number: committed?.offset.rawValue, to: &line)
            JSONText.append(field: "leader_epoch", number: committed?.leaderEpoch, to: &line)
            JSONText.append(field: "metadata", optionalString: committed?.metadata, to: &line)
            JSONText.append(field: "start", number: partition.start?.rawValue, to: &line)
            JSONText.append(field: "end", number: partition.logEnd?.rawValue, to: &line)
            JSONText.append(field: "lag", number: partition.lag, to: &line)
            JSONText.append(field: "member", optionalString: partition.memberID, to: &line)
        }
    }
}
