// `state verify`: prints what the verification of each task's state finds.

import ArgumentParser
import LocalState
import StreamJobs

extension StateCommand {
    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract:
                "Checks every page and every checksum of a job's state; also beside a running job.",
            usage: """
                \(RootCommand.programName) state verify [JOB] [STORE] [--task K] [--directory DIR] [--json]
                    [--data DIR]
                """,
            discussion: """
                Of each task: the length of its file, the structure of every tree in it, the order of the keys, \
                the checksums of all values, whether keys and values are of their types, and which pages \
                are free. Changes nothing. A backup is verified with --directory.

                A line a finding: 'damage', with file and page, or 'note'. Ends with 0 where there is no damage, \
                and with \(ExitCodes.io) otherwise.

                  \(RootCommand.programName) state verify flight-delays
                """)

        @Argument(help: ArgumentHelp("The job's name; all jobs unless given.", valueName: "JOB"))
        var job: String?

        @Argument(help: ArgumentHelp("The store's name; all unless given.", valueName: "STORE"))
        var store: String?

        @Flag(
            help: """
                One JSON object a line: kind (damage or note), file, page, table, message; and at last kind \
                (summary), tasks, stores, entries, pages, damages, notes.
                """)
        var json = false

        @OptionGroup var states: StateOption

        func run() throws {
            let stop = try StopRequest.watch(endsOfItself: true)
            let output = OutputStream()
            var sum = StateVerificationSummary()
            var taskCount = 0
            for states in try chosen() {
                for task in try self.states.tasks(of: states) {
                    var verifier = StateVerifier(
                        directory: states.directory(of: task), store: store, check: stop.check
                    ) { finding in
                        if json {
                            output.writeObject { append(finding, to: &$0) }
                        } else {
                            output.write("\(finding.kind.rawValue): \(finding)\n")
                        }
                        // Whoever watches sees it while the rest is read.
                        try output.flush()
                    }
                    sum += try verifier.verify()
                    taskCount += 1
                }
            }
            if json { output.writeObject { append(sum, taskCount, to: &$0) } }
            try output.flush()
            if let store, sum.stores == 0, sum.damages == 0 {
                throw CommandError.notFound(
                    "the job '\(job ?? "")' has no store '\(store)'; 'state list' names them")
            }
            StandardError.write(
                line:
                    "\(counted(Int(sum.entries), "value")) and \(counted(Int(sum.pages), "page")) in "
                    + "\(counted(taskCount, "task")) checked")
            guard sum.damages == 0 else {
                throw CommandError(
                    exitCode: ExitCodes.io,
                    "the state is damaged in \(counted(sum.damages, "place")); put a backup in its place with "
                        + "'state restore'")
            }
        }

        private func chosen() throws -> [JobStates] {
            if let job { return [try states.states(of: job)] }
            if let directory = states.directory { return [try states.states(of: directory)] }
            _ = try states.data.openToRead()
            return try JobStates.jobs(data: states.data.directory).map {
                try JobStates(job: $0, data: states.data.directory)
            }
        }

        private func append(_ finding: StateFinding, to line: inout [UInt8]) {
            JSONText.append(field: "kind", string: finding.kind.rawValue, to: &line)
            JSONText.append(field: "file", string: finding.path, to: &line)
            JSONText.append(field: "page", number: finding.page, to: &line)
            JSONText.append(field: "table", optionalString: finding.table, to: &line)
            JSONText.append(field: "message", string: finding.message, to: &line)
        }

        private func append(
            _ sum: StateVerificationSummary, _ taskCount: Int, to line: inout [UInt8]
        ) {
            JSONText.append(field: "kind", string: "summary", to: &line)
            JSONText.append(field: "tasks", number: taskCount, to: &line)
            JSONText.append(field: "stores", number: sum.stores, to: &line)
            JSONText.append(field: "entries", number: sum.entries, to: &line)
            JSONText.append(field: "pages", number: sum.pages, to: &line)
            JSONText.append(field: "damages", number: sum.damages, to: &line)
            JSONText.append(field: "notes", number: sum.notes, to: &line)
        }
    }
}
