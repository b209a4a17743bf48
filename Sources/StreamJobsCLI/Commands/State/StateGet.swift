// `state get`.

import ArgumentParser
import LocalState
import StreamJobs

extension StateCommand {
    struct Get: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "get", abstract: "Shows the value of a key; also beside a running job.",
            usage: """
                \(RootCommand.programName) state get JOB STORE KEY [--task K] [--json] [--directory DIR]
                    [--data DIR]
                """,
            discussion: """
                The key is JSON; a string needs no quotes. All tasks are asked, since only the job knows which \
                of them a key belongs to.

                  \(RootCommand.programName) state get flight-delays totals JFK
                  \(RootCommand.programName) state get flight-delays by-day '["JFK", 19723]'
                """)

        @OptionGroup var store: StoreArguments

        @Argument(help: ArgumentHelp("The key.", valueName: "KEY"))
        var key: String

        @Flag(help: "One JSON object a line: task, commit, store, key, value.")
        var json = false

        func run() throws {
            let output = OutputStream()
            var isFound = false
            var neighbours: [String] = []
            try store.forEachTask { reader in
                let key = try reader.key(key)
                guard let entry = try reader.get(key) else {
                    if neighbours.isEmpty { neighbours = try reader.neighbours(of: key) }
                    return true
                }
                isFound = true
                if json {
                    output.writeObject { reader.append(entry, to: &$0) }
                } else {
                    reader.tellCommit()
                    output.write(reader.valueJSON(entry) + "\n")
                }
                return true
            }
            try output.flush()
            guard !isFound else { return }
            let nearest =
                neighbours.isEmpty
                ? "it has none" : "the nearest are \(neighbours.joined(separator: " and "))"
            throw CommandError.notFound(
                "the store '\(store.store)' of the job '\(store.job)' has no key \(key); \(nearest)"
            )
        }
    }
}
