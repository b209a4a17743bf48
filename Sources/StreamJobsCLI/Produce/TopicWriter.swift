// The sending half of `produce`: counts what was sent and says, whatever happens, what is in the topic.

import StreamJobsLog

/// Sends records to one topic. Belongs to one thread.
final class TopicWriter {
    private let sink: RecordSink
    private let topic: Topic
    private let stop: StopRequest
    private var progress = Progress("records")
    private var count = 0
    private var lastFlush = ContinuousClock.now
    /// Headers of every record, before its own.
    private let headers: [Header]
    /// Records in a second at most: an open loop, which catches up after a pause.
    private let rate: Double?
    private let start = ContinuousClock.now
    /// Records there will be, where that is known.
    var total: Int?

    init(
        _ sink: RecordSink, to topic: Topic, headers: [Header] = [], rate: Double? = nil,
        _ stop: StopRequest
    ) {
        self.sink = sink
        self.topic = topic
        self.headers = headers
        self.rate = rate
        self.stop = stop
    }

    /// Sends a record. In the log, as the acks say, when `flush` has returned, or after a second while more
    /// is sent. Throws `Stopped` where a stop is asked for, and for a record that the topic does not take
    /// what is wrong with it.
    /// - Parameter place: Where it came from, such as "users.txt line 3".
    func send(
        _ value: [UInt8]?, key: [UInt8]?, timestamp: Timestamp?, headers own: [Header] = [],
        from place: @autoclosure () -> String
    ) throws {
        try stop.check()
        try requireKey(key, from: place())
        if let rate { try awaitTurn(rate) }
        do {
            try sink.send(
                value, key: key, timestamp: timestamp,
                headers: headers.isEmpty ? own : headers + own)
        } catch let error as LogError where error.code == .recordTooLarge {
            throw CommandError.badInput("\(place()): \(error)")
        }
        count += 1
        guard rate != nil || count.isMultiple(of: Limits.pollRecordsMax) else { return }
        progress.update(done: count, remaining: total.map { $0 - count })
        if ContinuousClock.now - lastFlush >= Limits.flushInterval { try flush() }
    }

    /// Bytes of a line or of a row at which it could not be a record of the topic any more.
    var rowBytesMax: Int {
        Limits.rowBytesMax(batchBytesMax: topic.settings.batchBytesMax)
    }

    /// Throws `badInput` for a record that the topic would not take: what `send` would throw.
    func check(_ value: [UInt8]?, key: [UInt8]?, from place: @autoclosure () -> String) throws {
        try requireKey(key, from: place())
        do {
            try BatchBuilder.requireRoom(key: key, value: value, headers: headers, in: topic)
        } catch let error as LogError where error.code == .recordTooLarge {
            throw CommandError.badInput("\(place()): \(error)")
        }
    }

    /// Throws `badInput` for a null key where the topic needs one: the log would name the record's place
    /// in its batch.
    private func requireKey(_ key: [UInt8]?, from place: @autoclosure () -> String) throws {
        guard key == nil, topic.settings.cleanupPolicy.contains(.compact) else { return }
        throw CommandError.badInput(
            "\(place()): the record has no key, but the topic '\(topic.name)' is compacted "
                + "(cleanup.policy=compact); give every record a key with --key-separator, --key or "
                + "--key-columns")
    }

    /// Waits until the next record is due.
    private func awaitTurn(_ rate: Double) throws {
        let due = start + .seconds(Double(count) / rate)
        while true {
            let left = due - .now
            guard left >= .milliseconds(1) else { return }
            // What is there is not kept back by a long pause.
            if left >= Limits.flushInterval { try flush() }
            _ = StandardDescriptors.wait(for: [stop.descriptor], timeout: left)
            try stop.check()
        }
    }

    /// When it returns, all that was sent is in the log as the acks say; but for the open transaction.
    func flush() throws {
        lastFlush = .now
        try sink.flush()
    }

    /// Runs `body`, which sends, and flushes what it has sent, also where it throws: then the error says
    /// how much of it is in the topic. An open transaction is committed at the end of the input, and
    /// aborted otherwise.
    func finish(_ body: () throws -> Void) throws {
        do {
            try body()
            try sink.finish()
        } catch let stopped as Stopped {
            do {
                try flush()
                try sink.abandon()
            } catch { throw failure(error) }
            report(isStopped: true)
            throw stopped
        } catch {
            // Where this fails too it is of the same cause; `failure` tells what is written.
            _ = Result { try flush() }
            _ = Result { try sink.abandon() }
            throw failure(error)
        }
    }

    /// The last line: what was done.
    func report(isStopped: Bool = false) {
        let done = sink.isTransactional ? sink.writtenCount : count
        let whole = total.map { $0 == done ? "" : "of \($0) " } ?? ""
        let noun = done == 1 && whole.isEmpty ? "record" : "records"
        let summary = ProgressLine.summary(
            "\(whole)\(noun) to \(topic.name)", done: done, elapsed: progress.elapsed)
        let dropped = sink.droppedCount > 0 ? ", \(sink.droppedCount) dropped" : ""
        progress.finish(summary + dropped + (isStopped ? ", stopped" : ""))
    }

    /// The same as one JSON object: topic, records, dropped, elapsed_ms.
    func reportJSON(to output: OutputStream) {
        output.writeObject { line in
            JSONText.append(field: "topic", string: topic.name, to: &line)
            JSONText.append(
                field: "records", number: sink.isTransactional ? sink.writtenCount : count,
                to: &line)
            JSONText.append(field: "dropped", number: sink.droppedCount, to: &line)
            JSONText.append(
                field: "elapsed_ms", number: progress.elapsed.wholeMilliseconds, to: &line)
        }
    }

    private func failure(_ cause: any Error) -> CommandError {
        let written = sink.writtenCount
        let isUnknown = (cause as? LogError)?.code == .outcomeUnknown
        let outcome =
            switch (count, written) {
            // Of those behind the written ones nothing is known: the cause says when it will be.
            case (_, 0) where isUnknown: ""
            case _ where isUnknown:
                "; the \(written) records of the transactions before it are written"
            case (0, _): ""
            case (1, 0): "; the record before it is not written"
            case (1, _): "; the record before it is written"
            case (written, _): "; the \(count) records before it are written"
            case (_, 0): "; none of the \(count) records before it is written"
            default: "; only \(written) of the \(count) records before it are written"
            }
        return CommandError(exitCode: ExitCodes.code(of: cause), "\(cause)\(outcome)")
    }
}
