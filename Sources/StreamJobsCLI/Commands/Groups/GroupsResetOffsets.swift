// `groups reset-offsets`.

import ArgumentParser
import StreamJobsLog

extension GroupsCommand {
    struct ResetOffsets: CheckedCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset-offsets",
            abstract: "Moves the committed offsets of a group that has no members.",
            usage: """
                \(RootCommand.programName) groups reset-offsets GROUP [--topic TOPIC[:P,P…]]…
                    (--to-earliest | --to-latest | --to-current | --to-offset N
                    | --to-datetime TIME | --by-duration TIME | --shift-by N)
                    [--dry-run | --execute] [--json] [--data DIR]
                """,
            discussion: """
                Shows what it would move, also beside a running job, and moves it with --execute. All \
                partitions that the group has committed unless topics are named. An offset beyond an end \
                becomes that end.

                  \(RootCommand.programName) groups reset-offsets billing --topic flights:0 --to-offset 500
                  \(RootCommand.programName) groups reset-offsets billing --by-duration 2h --execute
                """)

        @Argument(help: ArgumentHelp("The group.", valueName: "GROUP"))
        var first: String?

        @OptionGroup var groupOption: GroupOption

        @Option(
            help: ArgumentHelp(
                "A topic, or some of its partitions; may be given several times.",
                valueName: "topic[:p,p…]"),
            transform: TopicSelection.parse)
        var topic: [TopicSelection] = []

        @Flag(
            help: "All topics that the group has committed; what is done unless --topic is given.")
        var allTopics = false

        @Flag(help: "To the first record there is.")
        var toEarliest = false

        @Flag(help: "Behind the last record there is.")
        var toLatest = false

        @Flag(help: "To where the group is; to the end where it has committed nothing.")
        var toCurrent = false

        @Option(parsing: .unconditional, help: ArgumentHelp("To that offset.", valueName: "n"))
        var toOffset: Int64?

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp(
                "To the first record of that time or later, such as \(TimestampText.forms).",
                valueName: "time"))
        var toDatetime: String?

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp(
                "To the first record that is no older than that, such as 2h, 7d or PT2H.",
                valueName: "time"),
            transform: DurationArgument.parse)
        var byDuration: DurationArgument?

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp(
                "So many offsets on from the committed one; back, where it is negative.",
                valueName: "n"))
        var shiftBy: Int64?

        @Flag(help: "Only shows what would be moved; what is done unless --execute is given.")
        var dryRun = false

        @Flag(help: "Moves the offsets.")
        var execute = false

        @Flag(help: "One JSON object a line: topic, partition, from, to, executed.")
        var json = false

        @OptionGroup var data: DataOption

        private var group: String { groupOption.group ?? first ?? "" }

        func check() throws {
            try groupOption.check(first)
            let targets =
                [toEarliest, toLatest, toCurrent].filter { $0 }.count
                + [toOffset, shiftBy].compactMap { $0 }.count + (toDatetime == nil ? 0 : 1)
                + (byDuration == nil ? 0 : 1)
            guard targets == 1 else {
                throw ValidationError(
                    "give one of --to-earliest, --to-latest, --to-current, --to-offset, --to-datetime, "
                        + "--by-duration and --shift-by")
            }
            if dryRun, execute {
                throw ValidationError("--dry-run and --execute exclude each other")
            }
            if allTopics, !topic.isEmpty {
                throw ValidationError("--topic and --all-topics exclude each other")
            }
            if let toOffset, toOffset < 0 {
                throw ValidationError("--to-offset is not negative; --to-earliest is the beginning")
            }
            if let toDatetime, TimestampText.parse(toDatetime.utf8) == nil {
                throw ValidationError(
                    "--to-datetime is a time such as \(TimestampText.forms), not '\(toDatetime)'")
            }
        }

        private var target: OffsetTarget {
            if toLatest { return .latest }
            if toCurrent { return .current }
            if let toOffset { return .offset(Offset(toOffset)) }
            if let time = toDatetime.flatMap({ TimestampText.parse($0.utf8) }) {
                return .time(time)
            }
            if let byDuration { return .duration(byDuration.duration) }
            if let shiftBy { return .shift(shiftBy) }
            return .earliest
        }

        private func reset(in log: CommitLog) throws -> [OffsetMove] {
            let partitions = try topic.isEmpty ? nil : data.partitions(topic, in: log)
            return try log.groups.resetOffsets(
                of: group, partitions: partitions, to: target, dryRun: !execute)
        }

        func run() throws {
            let moves = try execute ? data.withOwnedLog(reset) : reset(in: data.openToRead())
            let output = OutputStream()
            var table = TextTable(["topic", "partition", "from", "to"])
            for move in moves {
                if json {
                    output.writeObject { line in
                        JSONText.append(move.partition, to: &line)
                        JSONText.append(field: "from", number: move.from?.rawValue, to: &line)
                        JSONText.append(field: "to", number: move.to.rawValue, to: &line)
                        JSONText.append(field: "executed", flag: execute, to: &line)
                    }
                } else {
                    table.add([
                        move.partition.topic, "\(move.partition.partition)",
                        move.from?.description ?? "-", "\(move.to)",
                    ])
                }
            }
            if !json { output.write(table.text()) }
            try output.flush()
            if !execute {
                StandardError.write(line: "nothing was moved; --execute moves these offsets")
            }
        }
    }
}
