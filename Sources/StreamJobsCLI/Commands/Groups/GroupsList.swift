// `groups list`.

import ArgumentParser
import StreamJobsLog

extension GroupsCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Lists the consumer groups; also beside a running job.",
            usage: "\(RootCommand.programName) groups list [--json] [--data DIR]",
            discussion: "  \(RootCommand.programName) groups list")

        @Flag(help: "One JSON object a line: group, state, members, protocol_type.")
        var json = false

        @OptionGroup var data: DataOption

        func run() throws {
            let groups = try data.openToRead().groups.list()
            let output = OutputStream()
            var table = TextTable(["group", "state", "members"])
            for group in groups {
                if json {
                    output.writeObject { line in
                        JSONText.append(field: "group", string: group.group, to: &line)
                        JSONText.append(field: "state", string: group.state.rawValue, to: &line)
                        JSONText.append(field: "members", number: group.memberCount, to: &line)
                        JSONText.append(
                            field: "protocol_type", optionalString: group.protocolType, to: &line)
                    }
                } else {
                    table.add([group.group, group.state.rawValue, "\(group.memberCount)"])
                }
                try output.flushIfFull()
            }
            if !json, !groups.isEmpty { output.write(table.text()) }
            try output.flush()
        }
    }
}
