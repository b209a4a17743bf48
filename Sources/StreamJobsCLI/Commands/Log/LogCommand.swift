// `log`: looks at the files themselves. One file per command beside this one.

import ArgumentParser

struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Shows and checks the files of the log.",
        discussion: """
              \(RootCommand.programName) log verify
              \(RootCommand.programName) log dump --topic flights --partition 0 --records
            """,
        subcommands: [Dump.self, Verify.self])
}
