import ArgumentParser
import Glibc
import StreamJobsLog

struct ProduceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "produce",
        abstract: "Writes records to a topic: lines, or the rows of a CSV file.",
        discussion: """
            Without --csv each line of FILE, or of standard input, is a record's value. With --csv each \
            row is a JSON object: a field is a number if it is one in JSON, null if it is empty or NA, a \
            string otherwise. The file is checked before its first record is written. When the command \
            ends, all records are on the disk.
            """)

    @Argument(help: "The topic, which must be there.")
    var topic: String

    @Argument(help: "A file of lines; standard input unless given.")
    var file: String?

    @Option(help: ArgumentHelp("A CSV file, gzipped or not.", valueName: "file"))
    var csv: String?

    @Option(
        help: ArgumentHelp(
            "The columns that make the key, joined by '|'.", valueName: "col[,col...]"))
    var keyColumns: String?

    @Option(
        help: ArgumentHelp(
            "The column with the records' timestamps; the time now unless given.", valueName: "col")
    )
    var timestampColumn: String?

    @Flag(help: "Send the rows in the order of their timestamps.")
    var sort = false

    @Option(
        help: ArgumentHelp(
            "What stands between key and value of a line ('\\t' is a tab).", valueName: "text"))
    var keySeparator: String?

    @OptionGroup var data: DataOption

    func validate() throws {
        if csv == nil, keyColumns != nil || timestampColumn != nil || sort {
            throw ValidationError("--key-columns, --timestamp-column and --sort go with --csv")
        }
        if csv != nil, file != nil || keySeparator != nil {
            throw ValidationError("--csv goes with neither a file of lines nor --key-separator")
        }
        if sort, timestampColumn == nil {
            throw ValidationError("--sort needs --timestamp-column")
        }
        if let keyColumns,
            keyColumns.split(separator: ",", omittingEmptySubsequences: false).contains("")
        {
            throw ValidationError("--key-columns has an empty name: '\(keyColumns)'")
        }
        if keySeparator == "" { throw ValidationError("--key-separator is empty") }
    }

    func run() throws {
        if let csv {
            let source = try CSVSource(
                path: csv, keyColumns: keyColumns, timestampColumn: timestampColumn, sort: sort)
            try produce { try source.send(to: $1, of: $0, until: $2) }
        } else {
            let source = try LineSource(path: file, keySeparator: keySeparator)
            try produce { try source.send(to: $1, of: $0, until: $2) }
        }
    }

    private func produce(_ send: (CommitLog, Topic, StopRequest) throws -> Int) throws {
        // Looked up first: a mistyped name must not make a data directory.
        guard try !data.openToRead().topic(topic).isInternal else {
            throw CommandError(
                exitCode: ExitCodes.usage,
                message: "the topic '\(topic)' belongs to a job; nobody else may write to it")
        }
        let stop = StopRequest.watch()
        let log = try data.openToWrite()
        var progress = ProgressReport("records")
        do {
            let count = try send(log, log.topic(topic), stop)
            try log.close()
            progress.finish(
                "\(counted(count, "record")) to \(topic)\(stop.isStopping ? ", stopped" : "")")
        } catch {
            try log.close()
            throw error
        }
        if stop.exitCode != 0 { throw ExitCode(stop.exitCode) }
    }
}
