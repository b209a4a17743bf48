// `consume`: the records of a topic on standard output, as kafka-console-consumer and kcat have it.

import ArgumentParser
import StreamJobsLog

struct ConsumeCommand: CheckedCommand {
    static let configuration = CommandConfiguration(
        commandName: "consume", abstract: "Prints the records of a topic.",
        usage: """
            \(RootCommand.programName) consume TOPIC [--from-beginning | --offset OFFSET]
                [--partition P]… [--until-end] [--max-messages N]
                [--timeout-ms N] [--isolation LEVEL] [OUTPUT] [--data DIR]
            \(RootCommand.programName) consume TOPIC --group GROUP [--from-beginning]
                [--until-end] [--max-messages N] [--isolation LEVEL] [OUTPUT]
                [--data DIR]
            """,
        discussion: """
            Prints the values of committed records, one a line, as they come, until Ctrl-C; each \
            partition in its order. Works beside a running job. OUTPUT is --json, --format, or some of \
            --key-separator, --headers, --null-marker and --property.

            With --group it goes on where the group has committed, and commits what it has printed; no job \
            may run meanwhile.

              \(RootCommand.programName) consume flights --offset s@2013-01-02 --max-messages 5 --json
              \(RootCommand.programName) consume flights -o -10 -e -f '%p:%o %T %k=%s\\n'
            """)

    @Argument(help: ArgumentHelp("The topic.", valueName: "TOPIC"))
    var first: String?

    @OptionGroup var topicOption: TopicOption

    @Flag(help: "Begins with the first record there is, not with the next to come.")
    var fromBeginning = false

    @Option(
        name: [.customShort("o", allowingJoined: true), .long], parsing: .unconditional,
        help: ArgumentHelp(
            "Where to begin: beginning, end, an offset, -N for N before the end, s@TIME for the first "
                + "record of that time or later.", valueName: "offset"),
        transform: OffsetArgument.parse)
    var offset: OffsetArgument?

    @Option(
        name: [.customShort("p", allowingJoined: true), .long],
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Only this partition; may be given several times. -1, the default, is all.",
            valueName: "p"))
    var partition: [Int] = []

    @Option(
        name: [.customShort("G", allowingJoined: true), .long],
        help: ArgumentHelp(
            "Reads as a member of a consumer group; --from-beginning is for what it has not committed "
                + "yet.", valueName: "group"))
    var group: String?

    @Flag(
        name: [.customShort("e"), .long, .customLong("exit-eof")],
        help: "Ends behind the last record that is there now.")
    var untilEnd = false

    @Option(
        name: [.customShort("c", allowingJoined: true), .long], parsing: .unconditional,
        help: ArgumentHelp("Ends after so many records.", valueName: "n"))
    var maxMessages: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Ends when no record has come for so long; a bare number is milliseconds.",
            valueName: "time"),
        transform: DurationArgument.parse)
    var timeoutMs: DurationArgument?

    @Option(
        name: [.long, .customLong("isolation-level")],
        help: ArgumentHelp(
            "read_committed, or read_uncommitted: also what is undecided or was aborted. (default: "
                + "read_committed)",
            valueName: "level"),
        transform: IsolationArgument.parse)
    var isolation = IsolationArgument(isolation: .readCommitted)

    @OptionGroup(title: "Output") var output: OutputOptions

    @OptionGroup var data: DataOption

    private var topic: String { topicOption.topic ?? first ?? "" }

    func check() throws {
        try topicOption.check(first)
        if let maxMessages, maxMessages < 0 {
            throw ValidationError("--max-messages is a number from 0, not \(maxMessages)")
        }
        if fromBeginning, offset != nil {
            throw ValidationError("--from-beginning and --offset exclude each other")
        }
        if group != nil, offset != nil || !partition.isEmpty {
            throw ValidationError(
                "--group chooses offsets and partitions: leave out --offset and --partition")
        }
        if group == "" { throw ValidationError("--group is empty") }
        if let wrong = partition.first(where: { !(-1..<Int(Int32.max)).contains($0) }) {
            throw ValidationError(
                "--partition is a number from 0, or -1 for all of them, not \(wrong)")
        }
    }

    func run() throws {
        let stop = try StopRequest.watch(
            endsOfItself: untilEnd || maxMessages != nil || timeoutMs != nil,
            timeout: Limits.consumerStopTimeout)
        let output = OutputStream()
        let printer = RecordPrinter(
            output, try self.output.recordFormat(), maxRecords: maxMessages,
            quietMax: timeoutMs?.duration, stop)
        try output.flushing {
            if let group {
                try printTopic(asMemberOf: group, with: printer)
            } else {
                try printTopic(with: printer)
            }
        }
        StandardError.erase()
        try stop.check()
    }

    private func printTopic(asMemberOf group: String, with printer: RecordPrinter) throws {
        do {
            try data.withOwnedLog { log in
                try GroupSource(
                    log, try data.topic(topic, in: log, mayBeMade: true), group,
                    isFromBeginning: fromBeginning, isolation: isolation.isolation,
                    untilEnd: untilEnd
                ).print(with: printer)
            }
        } catch let error as LogError where error.code == .directoryInUse {
            throw LogError(
                error.code,
                "\(error.message), since --group commits offsets, or leave out --group to read beside it"
            )
        }
    }

    private func printTopic(with printer: RecordPrinter) throws {
        let log = try data.openToRead()
        let topic = try data.topic(topic, in: log, mayBeMade: true)
        let start = offset?.start ?? (fromBeginning ? .earliest : .latest)
        let partitions =
            partition.isEmpty || partition.contains(-1)
            ? topic.partitions
            : try Set(partition).sorted().map {
                try log.partition(TopicPartition(topic.name, PartitionID($0))).name
            }
        let consumer = Consumer(log, isolation: isolation.isolation)
        for partition in partitions { try consumer.assign(partition, from: start) }
        if untilEnd { try consumer.stopAtEnd() }
        try printer.print(from: consumer, untilEnd: untilEnd)
    }
}

/// `--isolation`.
struct IsolationArgument: CustomStringConvertible {
    let isolation: Isolation

    static func parse(_ text: String) throws -> IsolationArgument {
        switch text {
        case "read_committed": IsolationArgument(isolation: .readCommitted)
        case "read_uncommitted": IsolationArgument(isolation: .readUncommitted)
        default: throw CommandError.usage("use read_committed or read_uncommitted")
        }
    }

    var description: String {
        isolation == .readCommitted ? "read_committed" : "read_uncommitted"
    }
}

/// What is printed of a record.
struct OutputOptions: ParsableArguments {
    @Flag(
        name: [.customShort("J"), .long],
        help: """
            One JSON object a line: topic, partition, offset, timestamp, key, value, headers. Bytes that \
            are not UTF-8 are written in base64, and "key_encoding" or "value_encoding" says so.
            """)
    var json = false

    @Option(
        name: [.customShort("f", allowingJoined: true), .long], parsing: .unconditional,
        help: ArgumentHelp(
            "As kcat's: \(RecordFormat.tokens); \\n, \\r, \\t, \\\\ and \\xNN are bytes.",
            valueName: "format"))
    var format: String?

    @Option(
        name: [.customShort("K", allowingJoined: true), .long], parsing: .unconditional,
        help: ArgumentHelp(
            "Prints the key and this before the value; '\\t' is a tab.", valueName: "text"))
    var keySeparator: String?

    @Flag(help: "Prints the headers and a tab first, as name:value,name:value.")
    var headers = false

    @Option(
        name: [.long, .customLong("null-literal")], parsing: .unconditional,
        help: ArgumentHelp(
            "What stands for a null key or value. (default: null, and nothing in a --format)",
            valueName: "text"))
    var nullMarker: String?

    @Option(
        help: ArgumentHelp(
            "As Kafka's console consumer: \(RecordFormat.propertyNames); may be given several times.",
            valueName: "name=value"),
        transform: SettingArgument.parse)
    var property: [SettingArgument] = []

    func validate() throws {
        let ways = [
            json, format != nil, keySeparator != nil || headers, !property.isEmpty,
        ]
        guard ways.filter({ $0 }).count <= 1 else {
            throw ValidationError(
                "--json, --format, --property, and --key-separator with --headers exclude each other"
            )
        }
        if json, nullMarker != nil { throw ValidationError("--null-marker is not for --json") }
        _ = try recordFormat()
    }

    /// Nil for JSON.
    func recordFormat() throws -> RecordFormat? {
        if json { return nil }
        if let format { return try RecordFormat(kcat: format, nullText: nullMarker ?? "") }
        if !property.isEmpty {
            return try RecordFormat(
                properties: property.map { ($0.name, $0.value) }, nullText: nullMarker)
        }
        return RecordFormat(
            keySeparator: keySeparator, withHeaders: headers, nullText: nullMarker ?? "null")
    }
}
