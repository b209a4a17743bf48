// `checkpoints set`.

import ArgumentParser
import StreamJobs
import StreamJobsLog

extension CheckpointsCommand {
    struct Set: CheckedCommand {
        static let configuration = CommandConfiguration(
            commandName: "set",
            abstract: "Moves the position of a job that does not run in a partition of a source.",
            usage: """
                \(RootCommand.programName) checkpoints set JOB --topic TOPIC --partition P
                    (--to-earliest | --to-latest | --to-offset N | --to-datetime TIME | --shift-by N)
                    [--task K] [--dry-run] [--json] [--data DIR]
                """,
            discussion: """
                Only the position moves, as a commit of each task that reads the partition. State and outputs \
                stay: records that are read again are counted again and their results sent again; records that \
                are passed over are never counted. The watermark stays too: where a job has closed a window, \
                records of that time are late. An offset beyond an end becomes that end.

                  \(RootCommand.programName) checkpoints set flight-delays --topic flights --partition 0 --shift-by 1
                """)

        @Argument(help: ArgumentHelp("The job's name.", valueName: "JOB"))
        var job: String

        @Option(
            name: [.customShort("t", allowingJoined: true), .long],
            help: ArgumentHelp("The topic.", valueName: "topic"))
        var topic: String

        @Option(parsing: .unconditional, help: ArgumentHelp("The partition.", valueName: "p"))
        var partition: Int32

        @Flag(help: "To the first record there is.")
        var toEarliest = false

        @Flag(help: "Behind the last record there is.")
        var toLatest = false

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
                "So many offsets on; back, where it is negative.", valueName: "n"))
        var shiftBy: Int64?

        @Flag(help: "Only shows what would be moved; also while the job runs.")
        var dryRun = false

        @Flag(help: "One JSON object a line: task, topic, partition, from, to, executed.")
        var json = false

        @Option(
            help: ArgumentHelp(
                "One task, by its number or its name. All that read the partition unless given.",
                valueName: "k"))
        var task: String?

        @OptionGroup var data: DataOption

        func check() throws {
            let targets =
                [toEarliest, toLatest].filter { $0 }.count
                + [toOffset, shiftBy].compactMap { $0 }.count + (toDatetime == nil ? 0 : 1)
            guard targets == 1 else {
                throw ValidationError(
                    "give one of --to-earliest, --to-latest, --to-offset, --to-datetime and --shift-by"
                )
            }
            if partition < 0 { throw ValidationError("--partition is not negative") }
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
            if let toOffset { return .offset(Offset(toOffset)) }
            if let time = toDatetime.flatMap({ TimestampText.parse($0.utf8) }) {
                return .time(time)
            }
            if let shiftBy { return .shift(shiftBy) }
            return .earliest
        }

        private func move(in log: CommitLog) throws -> [CheckpointMove] {
            let states = try StateOption.states(of: job, in: data)
            let name = try data.topic(topic, in: log).name
            return try states.move(
                TopicPartition(name, PartitionID(Int(partition))), to: target,
                tasks: try StateOption.tasks(task, of: states), dryRun: dryRun, in: log)
        }

        func run() throws {
            let moves = try dryRun ? move(in: data.openToRead()) : data.withOwnedLog(move)
            let output = OutputStream()
            var table = TextTable(["task", "topic", "partition", "from", "to"])
            for move in moves {
                if json {
                    output.writeObject { line in
                        JSONText.append(field: "task", string: move.task, to: &line)
                        JSONText.append(field: "topic", string: topic, to: &line)
                        JSONText.append(field: "partition", number: partition, to: &line)
                        JSONText.append(field: "from", number: move.from.rawValue, to: &line)
                        JSONText.append(field: "to", number: move.to.rawValue, to: &line)
                        JSONText.append(field: "executed", flag: !dryRun, to: &line)
                    }
                } else {
                    table.add([move.task, topic, "\(partition)", "\(move.from)", "\(move.to)"])
                }
            }
            if !json { output.write(table.text()) }
            try output.flush()
            StandardError.write(line: consequence(moves))
        }

        /// What it means for state and outputs.
        private func consequence(_ moves: [CheckpointMove]) -> String {
            let again = moves.reduce(0) { $0 + max(0, $1.from.rawValue - $1.to.rawValue) }
            let passed = moves.reduce(0) { $0 + max(0, $1.to.rawValue - $1.from.rawValue) }
            let verb = dryRun ? "would be" : "will be"
            if again > 0 {
                return
                    "\(counted(Int(again), "offset")) \(verb) read again: counted again, results sent again"
            }
            if passed > 0 {
                return "\(counted(Int(passed), "offset")) \(verb) passed over, never counted"
            }
            return "nothing is moved: the job is there already"
        }
    }
}
