// `produce`: lines, or the rows of a CSV file, into a topic, as kafka-console-producer and kcat do it.

import ArgumentParser
import StreamJobsLog

struct ProduceCommand: CheckedCommand {
    static let configuration = CommandConfiguration(
        commandName: "produce",
        abstract: "Writes records to a topic: lines, or the rows of a CSV file.",
        usage: """
            \(RootCommand.programName) produce TOPIC [FILE] [--key-separator TEXT | --key KEY]
                [--headers] [--null-marker TEXT] [SENDING] [--data DIR]
            \(RootCommand.programName) produce TOPIC --csv FILE[.gz] [--key-columns COL[,COL…]]
                [--timestamp-column COL] [--sort] [SENDING] [--data DIR]
            """,
        discussion: """
            Without --csv each line of FILE, or of standard input, is the value of a record. Input that \
            begins as gzip does is unpacked.

            With --csv each row becomes a JSON object: a field is a number if it is one in JSON, null if \
            it is empty or NA, and a string otherwise. The whole file is checked before its first record \
            is sent.

            When the command has ended, all its records are on the disk, unless --acks says otherwise.

              \(RootCommand.programName) produce users users.txt --key-separator : --compression zstd
              seq 60 | \(RootCommand.programName) produce ticks --rate 1/s --header source=cron
            """)

    @Argument(help: ArgumentHelp("The topic, which must be there.", valueName: "TOPIC"))
    var first: String?

    @Argument(
        help: ArgumentHelp(
            "A file of lines, gzipped or not; standard input if it is '-' or not given.",
            valueName: "FILE"))
    var second: String?

    @OptionGroup var topicOption: TopicOption

    @Option(
        name: [.customShort("K", allowingJoined: true), .long], parsing: .unconditional,
        help: ArgumentHelp(
            "What stands between key and value of a line; '\\t' is a tab.", valueName: "text"))
    var keySeparator: String?

    @Option(
        name: [.customShort("k", allowingJoined: true), .long], parsing: .unconditional,
        help: ArgumentHelp("The key of every record.", valueName: "key"))
    var key: String?

    @Flag(help: "A line begins with its headers and a tab, as name:value,name:value.")
    var headers = false

    @Option(
        name: [.customShort("H", allowingJoined: true), .long],
        help: ArgumentHelp(
            "A header of every record; may be given several times.", valueName: "name=value"),
        transform: SettingArgument.parse)
    var header: [SettingArgument] = []

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("A key, value or header that is this is null.", valueName: "text"))
    var nullMarker: String?

    @Option(
        help: ArgumentHelp(
            "As Kafka's console producer: \(LineFormat.propertyNames); may be given several times.",
            valueName: "name=value"),
        transform: SettingArgument.parse)
    var property: [SettingArgument] = []

    @Option(
        help: ArgumentHelp("A CSV file, gzipped or not; '-' is standard input.", valueName: "file"))
    var csv: String?

    @Option(
        help: ArgumentHelp(
            "The columns that make the key, joined by '|'. The key is null unless given.",
            valueName: "col[,col…]"))
    var keyColumns: String?

    @Option(
        help: ArgumentHelp(
            "The column with the time of the record, such as \(TimestampText.forms). The time of "
                + "sending unless given.", valueName: "col"))
    var timestampColumn: String?

    @Flag(help: "Sends the rows in the order of their timestamps.")
    var sort = false

    @OptionGroup(title: "Sending") var sending: SendOptions

    @Flag(
        help: "One JSON object on standard output at the end: topic, records, dropped, elapsed_ms.")
    var json = false

    @OptionGroup var data: DataOption

    private var topic: String { topicOption.topic ?? first ?? "" }
    private var file: String? { topicOption.topic == nil ? second : first }

    func check() throws {
        guard topicOption.topic == nil ? first != nil : second == nil else {
            throw TopicOption.notOnce
        }
        if csv == nil, keyColumns != nil || timestampColumn != nil || sort {
            throw ValidationError("--key-columns, --timestamp-column and --sort go with --csv")
        }
        if file == "" || csv == "" { throw ValidationError("the name of the file is empty") }
        if csv != nil, file != nil || keySeparator != nil {
            throw ValidationError("--csv goes with neither a file of lines nor --key-separator")
        }
        if csv != nil, headers || key != nil || nullMarker != nil || !property.isEmpty {
            throw ValidationError(
                "--csv goes with none of --headers, --key, --null-marker and --property")
        }
        if let keyColumns, Names.parts(keyColumns).contains("") {
            throw ValidationError("--key-columns has an empty name: '\(keyColumns)'")
        }
        if sort, timestampColumn == nil {
            throw ValidationError("--sort needs --timestamp-column")
        }
        if keySeparator == "" { throw ValidationError("--key-separator is empty") }
        let format = try format()
        if key != nil, format.keySeparator != nil {
            throw ValidationError("--key is for lines without keys")
        }
    }

    private func format() throws -> LineFormat {
        var format = LineFormat()
        try format.set(property.map { ($0.name, $0.value) })
        if let keySeparator { format.keySeparator = LineFormat.bytes(keySeparator) }
        if headers { format.headersDelimiter = [UInt8(ascii: "\t")] }
        if let nullMarker { format.nullMarker = Array(nullMarker.utf8) }
        format.key = key.map { Array($0.utf8) }
        return format
    }

    func run() throws {
        // A stop aborts what is one transaction with all of standard input: then nothing was written.
        let isWhole = sending.transactionalID != nil && sending.transactionSize == nil
        let path = (csv ?? file).flatMap { $0 == "-" ? nil : $0 }
        let stop = try StopRequest.watch(endsOfItself: csv != nil || path != nil || isWhole)
        let input: InputFile
        if let path {
            input = try InputFile(path: path, stop: stop)
        } else {
            input = InputFile(standardInput: stop)
        }
        let writer = try data.withOwnedLog { log in
            let topic = try data.topic(topic, in: log, mayBeMade: true)
            guard !topic.isInternal else {
                throw CommandError.usage(
                    "the topic '\(topic.name)' belongs to the log or to a job; nobody else may write to "
                        + "it")
            }
            let writer = TopicWriter(
                try sending.sink(log, topic), to: topic,
                headers: header.map { Header($0.name, Array($0.value.utf8)) },
                rate: sending.rate?.perSecond, stop)
            try writer.finish { try send(input, to: writer) }
            return writer
        }
        guard json else { return writer.report() }
        let output = OutputStream()
        writer.reportJSON(to: output)
        try output.flush()
        StandardError.erase()
    }

    private func send(_ input: InputFile, to writer: TopicWriter) throws {
        guard csv != nil else {
            return try LineSource(input, try format()).send(to: writer)
        }
        let columns = CSVColumns(
            key: keyColumns.map(Names.parts) ?? [], timestamp: timestampColumn)
        try CSVSource(input, columns: columns, isSorted: sort).send(to: writer)
    }
}
