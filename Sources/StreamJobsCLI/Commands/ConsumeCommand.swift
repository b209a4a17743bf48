// `consume`: the records of a topic on standard output.

import ArgumentParser
import Glibc
import StreamJobsLog

struct ConsumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "consume", abstract: "Prints the records of a topic.",
        usage: """
            \(RootCommand.programName) consume TOPIC [--from-beginning] [--until-end]
                [--max-messages N] [--json] [--data DIR]
            """,
        discussion: """
            Prints the values of committed records, one a line, as they come, until Ctrl-C; each \
            partition in its order. Works beside a running job.
            """)

    @Argument(help: ArgumentHelp("The topic.", valueName: "TOPIC"))
    var topic: String

    @Flag(help: "Begins with the first record there is, not with the next to come.")
    var fromBeginning = false

    @Flag(help: "Ends behind the last record that is there now.")
    var untilEnd = false

    @Option(help: ArgumentHelp("Ends after so many records.", valueName: "n"))
    var maxMessages: Int?

    @Flag(
        help: """
            One JSON object a line: topic, partition, offset, timestamp, key, value, headers. Bytes that \
            are not UTF-8 are written in base64, and "key_encoding" or "value_encoding" says so.
            """)
    var json = false

    @OptionGroup var data: DataOption

    func validate() throws {
        if let maxMessages, maxMessages < 0 {
            throw ValidationError("--max-messages is not negative")
        }
    }

    func run() throws {
        let stop = try StopRequest.watch(
            endsOfItself: untilEnd, timeout: Limits.consumerStopTimeout)
        let log = try data.openToRead()
        let topic = try data.topic(topic, in: log)
        let consumer = try Consumer(log, topic: topic, from: fromBeginning ? .earliest : .latest)
        if untilEnd { try consumer.stopAtEnd() }
        let output = OutputStream()
        do {
            try print(from: consumer, of: topic, to: output, until: stop)
        } catch let failure as LogError {
            // What was read before it is good.
            try output.flush()
            throw failure
        }
        try output.flush()
        StandardError.erase()
        try stop.check()
    }

    private func print(
        from consumer: Consumer, of topic: Topic, to output: OutputStream, until stop: StopRequest
    ) throws {
        var progress = Progress("records printed", isShown: !OutputStream.isTerminal)
        var count = 0
        var pause = Limits.followWaitMin
        while !stop.isStopping {
            let left = min(maxMessages ?? .max, count + Limits.pollRecordsMax) - count
            guard left > 0 else { return }
            let read = try consumer.poll(maxRecords: left) { partition, record in
                if json {
                    try RecordLine.appendJSON(
                        of: record, in: partition.partition, of: topic, to: &output.buffer)
                } else {
                    RecordLine.appendValue(of: record, to: &output.buffer)
                }
                try output.flushIfFull()
            }
            count += read
            try progress.update(
                done: count, remaining: untilEnd ? Int(consumer.remaining()) : nil)
            if read > 0 {
                pause = Limits.followWaitMin
                continue
            }
            guard !untilEnd else { return }
            try output.flush()
            let ready = StandardDescriptors.wait(
                for: [stop.descriptor], failing: [STDOUT_FILENO], timeout: pause)
            // A reader that has gone would otherwise be noticed at the next record.
            if ready.contains(STDOUT_FILENO) { throw ReaderGone() }
            pause = min(pause * 2, Limits.followWaitMax)
        }
    }
}
