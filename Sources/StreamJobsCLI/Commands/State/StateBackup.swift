// `state backup` and `state restore`.

import ArgumentParser
import StreamJobs

extension StateCommand {
    struct Backup: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "backup",
            abstract:
                "Copies the state of a job, all tasks as of one moment; also while the job runs.",
            usage: "\(RootCommand.programName) state backup JOB --to DIR [--json] [--data DIR]",
            discussion: """
                A running job is brought to rest for a moment, behind a commit of every task; the copying goes on \
                beside it. The directory gets its name when all of it is written and flushed; what a stop \
                leaves is called DIR.partial. 'state verify --directory DIR' checks it, and the other commands \
                read it with --directory.

                A state fits the log that it was made with: to put it back when the log has gone on, the log \
                must be put back as well.

                  \(RootCommand.programName) state backup flight-delays --to backups/monday
                """)

        @Argument(help: ArgumentHelp("The job's name.", valueName: "JOB"))
        var job: String

        @Option(
            help: ArgumentHelp("A directory that is not there yet, or is empty.", valueName: "dir"))
        var to: String

        @Flag(help: "One JSON object a line: task, commit, bytes.")
        var json = false

        @OptionGroup var data: DataOption

        func run() throws {
            let stop = try StopRequest.watch(endsOfItself: true)
            let states = try StateOption.states(of: job, in: data)
            var progress = Progress("bytes copied")
            var done = 0
            let manifest = try states.backUp(to: to) { count in
                try stop.check()
                done += count
                progress.update(done: done, remaining: nil)
            }
            try StateCommand.write(manifest, isJSON: json)
            StandardError.write(
                line: "\(job): \(counted(manifest.tasks.count, "task")) backed up to \(to)")
        }
    }

    struct Restore: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "restore",
            abstract: "Puts a backup in the place of the state of a job that does not run.",
            usage: "\(RootCommand.programName) state restore JOB --from DIR [--json] [--data DIR]",
            discussion: """
                Every checksum is compared, and every task with the log: its commits and its positions. A \
                backup that is older than the log is refused, since the job would send again what it has sent \
                since; then put back the log of the same time as well. The old state is there until the new one \
                is in its place.

                  \(RootCommand.programName) state restore flight-delays --from backups/monday
                """)

        @Argument(help: ArgumentHelp("The job's name.", valueName: "JOB"))
        var job: String

        @Option(help: ArgumentHelp("What 'state backup' has made.", valueName: "dir"))
        var from: String

        @Flag(help: "One JSON object a line: task, commit, bytes.")
        var json = false

        @OptionGroup var data: DataOption

        func run() throws {
            let stop = try StopRequest.watch(endsOfItself: true)
            let manifest = try data.withOwnedLog { log in
                var progress = Progress("bytes copied")
                var done = 0
                return try JobStates(job: job, data: data.directory).restore(from: from, in: log) {
                    try stop.check()
                    done += $0
                    progress.update(done: done, remaining: nil)
                }
            }
            try StateCommand.write(manifest, isJSON: json)
            StandardError.write(
                line: "\(job): \(counted(manifest.tasks.count, "task")) restored from \(from)")
        }
    }

    fileprivate static func write(_ manifest: BackupManifest, isJSON: Bool) throws {
        let output = OutputStream()
        var table = TextTable(["task", "commit", "bytes"])
        for task in manifest.tasks {
            if isJSON {
                output.writeObject { line in
                    JSONText.append(field: "task", string: task.name, to: &line)
                    JSONText.append(field: "commit", number: task.commit, to: &line)
                    JSONText.append(field: "bytes", number: task.bytes, to: &line)
                }
            } else {
                table.add([task.name, "\(task.commit)", "\(task.bytes)"])
            }
        }
        if !isJSON { output.write(table.text()) }
        try output.flush()
    }
}
