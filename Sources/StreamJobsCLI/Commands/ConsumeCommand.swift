import ArgumentParser
import StreamJobsLog

struct ConsumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "consume", abstract: "Prints the records of a topic.",
        discussion: """
            Prints committed records as they come, until Ctrl-C; each partition in its order. Works beside \
            a running job.
            """)

    @Argument(help: "The topic.")
    var topic: String

    @Flag(help: "Begin with the first record rather than with the next one to come.")
    var fromBeginning = false

    @Flag(help: "End behind the last record that is there now.")
    var untilEnd = false

    @Option(help: ArgumentHelp("End after so many records.", valueName: "n"))
    var maxMessages: Int?

    @Flag(
        help: """
            One JSON object a line: topic, partition, offset, timestamp, key, value, headers. Bytes that are \
            no UTF-8 are written in base64, and "key_encoding" or "value_encoding" says so.
            """)
    var json = false

    @OptionGroup var data: DataOption

    func validate() throws {
        if let maxMessages, maxMessages < 0 {
            throw ValidationError("--max-messages is not negative")
        }
    }

    func run() throws {
        let stop = StopRequest.watch()
        let log = try data.openToRead()
        let consumer = try Consumer(
            log, topic: log.topic(topic), from: fromBeginning ? .earliest : .latest)
        if untilEnd { try consumer.stopAtEnd() }
        let output = Standard.output
        var left = maxMessages ?? .max
        // Waiting grows a little while nothing comes.
        var pause = Duration.milliseconds(1)
        while left > 0, !stop.isStopping, !output.isClosed {
            let count = try consumer.poll(maxRecords: min(left, 4096)) { partition, record in
                try print(record, partition, to: output)
            }
            left -= count
            if count > 0 {
                pause = .milliseconds(1)
                continue
            }
            try output.flush()
            output.lookForReader()
            if untilEnd || output.isClosed { break }
            stop.wait(pause)
            pause = min(pause * 2, .milliseconds(50))
        }
        try output.flush()
        if stop.exitCode != 0 { throw ExitCode(stop.exitCode) }
    }

    private func print(
        _ record: borrowing RecordView, _ partition: PartitionID, to output: OutputStream
    ) throws {
        guard json else {
            try record.withValue { if let value = $0 { try output.write(value) } }
            return try output.write(CollectionOfOne(UInt8(ascii: "\n")))
        }
        var line = RecordLine()
        line.add("topic", string: topic)
        line.add("partition", number: Int64(partition.rawValue))
        line.add("offset", number: record.offset.rawValue)
        line.add("timestamp", number: record.timestamp.milliseconds)
        record.withKey { line.add("key", bytes: $0) }
        record.withValue { line.add("value", bytes: $0) }
        line.add("headers", headers: try record.headers())
        try output.write(line.finished())
    }
}
