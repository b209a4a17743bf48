// `state list`.

import ArgumentParser
import LocalState
import StreamJobs

extension StateCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Lists the stores of jobs; also beside a running job.",
            usage: """
                \(RootCommand.programName) state list [JOB] [--task K] [--directory DIR] [--json] [--data DIR]
                """,
            discussion: """
                Of each task: the commit that it has got to, and its stores: kind, types of keys and values, \
                version, entries, and the bytes that they take on the disk.
                """)

        @Argument(help: ArgumentHelp("The job's name; all jobs unless given.", valueName: "JOB"))
        var job: String?

        @Flag(
            help: """
                One JSON object a line: job, task, commit, file_bytes, stores (store, kind, key, value, \
                version, entries, bytes).
                """)
        var json = false

        @OptionGroup var states: StateOption

        func run() throws {
            let output = OutputStream()
            var table = TextTable([
                "job", "task", "commit", "store", "kind", "key", "value", "version", "entries",
                "bytes",
            ])
            for states in try chosen() {
                for name in try self.states.tasks(of: states) {
                    guard let task = try states.open(name) else { continue }
                    defer { task.snapshot.close() }
                    if json {
                        output.writeObject { append(task, of: states.job, to: &$0) }
                        try output.flushIfFull()
                    } else {
                        add(task, of: states.job, to: &table)
                    }
                }
            }
            if !json { output.write(table.text()) }
            try output.flush()
        }

        private func chosen() throws -> [JobStates] {
            if let job { return [try states.states(of: job)] }
            if let directory = states.directory { return [try states.states(of: directory)] }
            _ = try states.data.openToRead()
            return try JobStates.jobs(data: states.data.directory).map {
                try JobStates(job: $0, data: states.data.directory)
            }
        }

        private func add(_ task: InspectedTask, of job: String, to table: inout TextTable) {
            let start = [job, task.name, "\(task.commit)"]
            if task.snapshot.stores.isEmpty { table.add(start + Array(repeating: "-", count: 7)) }
            for store in task.snapshot.stores {
                let description = store.description
                table.add(
                    start + [
                        description.name, description.kind, description.keyCodec,
                        description.valueSerde, "\(description.version)", "\(store.entries)",
                        "\(store.bytes)",
                    ])
            }
        }

        private func append(_ task: InspectedTask, of job: String, to line: inout [UInt8]) {
            JSONText.append(field: "job", string: job, to: &line)
            JSONText.append(field: "task", string: task.name, to: &line)
            JSONText.append(field: "commit", number: task.commit, to: &line)
            JSONText.append(field: "file_bytes", number: task.snapshot.fileBytes, to: &line)
            JSONText.append(field: "stores", objects: task.snapshot.stores, to: &line) {
                store, line in
                let description = store.description
                JSONText.append(field: "store", string: description.name, to: &line)
                JSONText.append(field: "kind", string: description.kind, to: &line)
                JSONText.append(field: "key", string: description.keyCodec, to: &line)
                JSONText.append(field: "value", string: description.valueSerde, to: &line)
                JSONText.append(field: "version", number: description.version, to: &line)
                JSONText.append(field: "entries", number: store.entries, to: &line)
                JSONText.append(field: "bytes", number: store.bytes, to: &line)
            }
        }
    }
}
