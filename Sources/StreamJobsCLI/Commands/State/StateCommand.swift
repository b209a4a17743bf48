// `state`: what the stores of jobs hold. One file per command beside this one.

import ArgumentParser

struct StateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "state", abstract: "Looks after the state of jobs.",
        subcommands: [Rebuild.self])
}
