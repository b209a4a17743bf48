// `consume --group`: as the only member of a consumer group. A record is committed when it is with the
// reader of the output, so that none is lost on the way to it. Where a group begins is committed as well, as
// by Kafka's consumer: a group that begins at the end is to read what comes between two runs.

import StreamJobsLog

/// Reads a topic as a member of a group. Belongs to one thread.
struct GroupSource {
    private let log: CommitLog
    private let consumer: GroupConsumer
    private let untilEnd: Bool

    /// Ends the poll before a record that is one too many: it is not committed.
    private struct Enough: Error {}

    init(
        _ log: CommitLog, _ topic: Topic, _ group: String, isFromBeginning: Bool,
        isolation: Isolation, untilEnd: Bool
    ) throws {
        var settings = GroupConsumerSettings()
        settings.clientID = RootCommand.programName
        settings.offsetReset = isFromBeginning ? .earliest : .latest
        settings.isolation = isolation
        // Committed below, and only what was printed.
        settings.autoCommitInterval = nil
        self.log = log
        self.untilEnd = untilEnd
        consumer = try GroupConsumer(log, group: group, topics: [topic.name], settings: settings)
    }

    /// Prints until the stop, the end or the last record that was asked for; commits what was printed.
    func print(with printer: RecordPrinter) throws {
        var isStartCommitted = false
        while !printer.stop.isStopping, !printer.isDone {
            let read = try poll(printer)
            try printer.flush()
            if read > 0 || !isStartCommitted, !consumer.assignment.isEmpty {
                try consumer.commit()
                isStartCommitted = true
            }
            try printer.showProgress(remaining: nil)
            let isQuiet = printer.isQuiet(after: read)
            guard read == 0 else { continue }
            if untilEnd || isQuiet, !consumer.assignment.isEmpty { break }
            try printer.wait(.zero)
        }
        try consumer.close()
    }

    private func poll(_ printer: RecordPrinter) throws -> Int {
        let before = printer.count
        do {
            // Nobody else can write meanwhile: what there is comes at once, but for the joining.
            _ = try consumer.poll(timeout: Limits.followWaitMax) { name, record in
                guard !printer.isDone else { throw Enough() }
                try printer.print(record, in: name)
            }
        } catch is Enough {
            // The position is that record's.
        }
        return printer.count - before
    }
}
