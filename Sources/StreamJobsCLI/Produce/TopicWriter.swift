// The sending half of `produce`: counts what was sent and says, whatever happens, what is in the topic.

import StreamJobsLog

/// Sends records to one topic. Belongs to one thread.
final class TopicWriter {
    private let producer: Producer
    private let topic: Topic
    private let stop: StopRequest
    private var progress = Progress("records")
    private var count = 0
    private var lastFlush = ContinuousClock.now
    /// Records there will be, where that is known.
    var total: Int?

    init(_ log: CommitLog, _ topic: Topic, _ stop: StopRequest) {
        producer = Producer(log)
        self.topic = topic
        self.stop = stop
    }

    /// Sends a record. On the disk when `flush` has returned, or after a second while more is sent. Throws
    /// `Stopped` where a stop is asked for.
    func send(_ value: [UInt8], key: [UInt8]?, timestamp: Timestamp?) throws {
        try stop.check()
        try producer.send(value, key: key, to: topic, timestamp: timestamp)
        count += 1
        guard count.isMultiple(of: Limits.pollRecordsMax) else { return }
        progress.update(done: count, remaining: total.map { $0 - count })
        if ContinuousClock.now - lastFlush >= Limits.flushInterval { try flush() }
    }

    /// When it returns, all that was sent is on the disk.
    func flush() throws {
        lastFlush = .now
        try producer.flush()
    }

    /// Runs `body`, which sends, and flushes what it has sent, also where it throws: then the error says
    /// how much of it is in the topic.
    func finish(_ body: () throws -> Void) throws {
        do {
            try body()
            try flush()
        } catch let stopped as Stopped {
            do { try flush() } catch { throw failure(error) }
            report(isStopped: true)
            throw stopped
        } catch {
            // Where this fails too it is of the same cause; `failure` tells what is written.
            _ = Result { try flush() }
            throw failure(error)
        }
    }

    /// The last line: what was done.
    func report(isStopped: Bool = false) {
        let whole = total.map { $0 == count ? "" : "of \($0) " } ?? ""
        let noun = count == 1 && whole.isEmpty ? "record" : "records"
        let summary = ProgressLine.summary(
            "\(whole)\(noun) to \(topic.name)", done: count, elapsed: progress.elapsed)
        progress.finish(summary + (isStopped ? ", stopped" : ""))
    }

    private func failure(_ cause: any Error) -> CommandError {
        let verb = count == 1 ? "is" : "are"
        let written = producer.writtenCount
        let outcome =
            switch (count, written) {
            case (0, _): ""
            case (written, _): "; the \(counted(count, "record")) before it \(verb) written"
            default: "; only \(written) of the \(counted(count, "record")) before it are written"
            }
        return CommandError(exitCode: ExitCodes.code(of: cause), "\(cause)\(outcome)")
    }
}
