// `state scan`, `state count` and `state export`: the entries of a store, in order.

import ArgumentParser
import LocalState
import StreamJobs

/// Which part of a store.
struct RangeOption: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The first key, as JSON; a string needs no quotes.", valueName: "key"))
    var from: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The first key that is left out.", valueName: "key"))
    var to: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "What keys begin with: of strings some text, of tuples the first part or an array of the first "
                + "parts.", valueName: "key"))
    var prefix: String?

    func validate() throws {
        if prefix != nil, from != nil || to != nil {
            throw ValidationError("--prefix and --from or --to exclude each other")
        }
    }

    func bounds(in reader: StoreReader) throws -> (from: [UInt8]?, to: [UInt8]?) {
        guard let prefix else {
            return (try from.map { try reader.key($0) }, try to.map { try reader.key($0) })
        }
        let start = try reader.prefix(prefix)
        return (start, KeyBounds.end(ofPrefix: start))
    }
}

extension StateCommand {
    struct Scan: CheckedCommand {
        static let configuration = CommandConfiguration(
            commandName: "scan",
            abstract:
                "Shows the entries of a store in the order of their keys; also beside a running job.",
            usage: """
                \(RootCommand.programName) state scan JOB STORE [--from KEY] [--to KEY] [--prefix KEY]
                    [--reverse] [--limit N] [--task K] [--json] [--max-age TIME] [--directory DIR] [--data DIR]
                """,
            discussion: """
                A line an entry, key and value with a tab between them; one task after the other, each as of \
                one commit.

                  \(RootCommand.programName) state scan flight-delays totals --prefix J --limit 10
                """)

        @OptionGroup var store: StoreArguments
        @OptionGroup var range: RangeOption

        @Flag(help: "The highest key first.")
        var reverse = false

        @Option(
            parsing: .unconditional, help: ArgumentHelp("So many entries at most.", valueName: "n"))
        var limit: Int?

        @Flag(help: "One JSON object a line: task, commit, store, key, value.")
        var json = false

        func check() throws {
            if let limit, limit < 0 { throw ValidationError("--limit is not negative") }
        }

        func run() throws {
            let output = OutputStream()
            var rest = limit ?? .max
            try store.forEachTask { reader in
                guard rest > 0 else { return false }
                let bounds = try range.bounds(in: reader)
                if !json { reader.tellCommit() }
                try reader.scan(from: bounds.from, to: bounds.to, isReverse: reverse) { entry in
                    if json {
                        output.writeObject { reader.append(entry, to: &$0) }
                    } else {
                        output.write("\(reader.keyJSON(entry))\t\(reader.valueJSON(entry))\n")
                    }
                    rest -= 1
                    try output.flushIfFull()
                    return rest > 0
                }
                return true
            }
            try output.flush()
        }
    }

    struct Count: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "count",
            abstract: "Counts the entries of a store; also beside a running job.",
            usage: """
                \(RootCommand.programName) state count JOB STORE [--from KEY] [--to KEY] [--prefix KEY]
                    [--task K] [--json] [--max-age TIME] [--directory DIR] [--data DIR]
                """,
            discussion: """
                Reads and checks each entry; 'state list' has the numbers without that.
                """)

        @OptionGroup var store: StoreArguments
        @OptionGroup var range: RangeOption

        @Flag(help: "One JSON object a line: task, commit, store, entries.")
        var json = false

        func run() throws {
            let output = OutputStream()
            var total = 0
            try store.forEachTask { reader in
                let bounds = try range.bounds(in: reader)
                var count = 0
                try reader.scan(from: bounds.from, to: bounds.to, isReverse: false) { _ in
                    count += 1
                    return true
                }
                total += count
                if json {
                    output.writeObject { line in
                        JSONText.append(field: "task", string: reader.task.name, to: &line)
                        JSONText.append(field: "commit", number: reader.task.commit, to: &line)
                        JSONText.append(
                            field: "store", string: reader.store.description.name, to: &line)
                        JSONText.append(field: "entries", number: count, to: &line)
                    }
                } else {
                    reader.tellCommit()
                }
                return true
            }
            if !json { output.write("\(total)\n") }
            try output.flush()
        }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export",
            abstract:
                "Writes all entries of a job's stores as JSON lines; also beside a running job.",
            usage: """
                \(RootCommand.programName) state export JOB [STORE] [--task K] [--max-age TIME]
                    [--directory DIR] [--data DIR]
                """,
            discussion: """
                One JSON object a line: task, commit, store, key, value. All stores of a task as of one commit.

                  \(RootCommand.programName) state export flight-delays > flight-delays.jsonl
                """)

        @Argument(help: ArgumentHelp("The job's name.", valueName: "JOB"))
        var job: String

        @Argument(help: ArgumentHelp("The store's name; all unless given.", valueName: "STORE"))
        var store: String?

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp(
                "How long a commit may be read while the job goes on. (default: "
                    + "\(DurationArgument(Limits.snapshotAgeMax)))", valueName: "time"),
            transform: DurationArgument.parse)
        var maxAge = DurationArgument(Limits.snapshotAgeMax)

        @OptionGroup var states: StateOption

        func run() throws {
            let stop = try StopRequest.watch(endsOfItself: true)
            let found = try states.states(of: job)
            let output = OutputStream()
            var count = 0
            var others: Set<String> = []
            for name in try states.tasks(of: found) {
                guard let task = try found.open(name) else { continue }
                defer { task.snapshot.close() }
                others.formUnion(task.snapshot.stores.map(\.description.name))
                for store in task.snapshot.stores
                where self.store == nil || store.description.name == self.store {
                    let reader = StoreReader(
                        task: task, store: store, stop: stop, ageMax: maxAge.duration)
                    try reader.scan(from: nil, to: nil, isReverse: false) { entry in
                        output.writeObject { reader.append(entry, to: &$0) }
                        count += 1
                        try output.flushIfFull()
                        return true
                    }
                }
            }
            try output.flush()
            if let store, !others.contains(store) {
                let names = Suggestions.sentence(
                    for: store, among: others.sorted(), listedBy: "state list \(job)")
                throw CommandError.notFound(
                    "the job '\(job)' has no store '\(store)'; \(names ?? "it has no stores")")
            }
            StandardError.write(line: "\(counted(count, "line")) written")
        }
    }
}
