// `checkpoints`: how far the tasks of jobs are. One file per command beside this one.

import ArgumentParser

struct CheckpointsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoints",
        abstract: "Shows how far the tasks of a job are, and moves them.",
        discussion: """
              \(RootCommand.programName) checkpoints show flight-delays
              \(RootCommand.programName) checkpoints set flight-delays --topic flights --partition 0 --to-earliest
            """,
        subcommands: [Show.self, Set.self])
}
