// The loop of `consume`: reads, prints, waits, and ends where it is asked to.

import Glibc
import StreamJobsLog

/// Prints records to standard output. Belongs to one thread.
final class RecordPrinter {
    private let output: OutputStream
    /// Nil: JSON.
    private let format: RecordFormat?
    private let maxRecords: Int
    private let quietMax: Duration?
    private var lastRecord = ContinuousClock.now
    let stop: StopRequest
    private var progress = Progress("records printed", isShown: !OutputStream.isTerminal)
    private(set) var count = 0

    /// - Parameter quietMax: Ends when no record has come for so long.
    init(
        _ output: OutputStream, _ format: RecordFormat?, maxRecords: Int?, quietMax: Duration?,
        _ stop: StopRequest
    ) {
        self.output = output
        self.format = format
        self.maxRecords = maxRecords ?? .max
        self.quietMax = quietMax
        self.stop = stop
    }

    /// So many as were asked for.
    var isDone: Bool { count >= maxRecords }

    func print(_ record: borrowing RecordView, in name: TopicPartition) throws {
        if let format {
            try format.append(record, in: name, to: &output.buffer)
        } else {
            try RecordLine.appendJSON(of: record, in: name, to: &output.buffer)
        }
        count += 1
        try output.flushIfFull()
    }

    /// Prints what `consumer` gives until the stop, the end or the last record that was asked for.
    func print(from consumer: Consumer, untilEnd: Bool) throws {
        var pause = Limits.followWaitMin
        while !stop.isStopping, !isDone {
            let left = min(maxRecords - count, Limits.pollRecordsMax)
            let read = try consumer.poll(maxRecords: left) { try print($1, in: $0) }
            try showProgress(remaining: untilEnd ? Int(consumer.remaining()) : nil)
            if isQuiet(after: read) { return }
            if read > 0 {
                pause = Limits.followWaitMin
                continue
            }
            guard !untilEnd else { return }
            try wait(pause)
            pause = min(pause * 2, Limits.followWaitMax)
        }
    }

    /// Told after each poll: whether none has brought a record for so long that this is the end.
    func isQuiet(after read: Int) -> Bool {
        guard let quietMax else { return false }
        guard read == 0 else {
            lastRecord = .now
            return false
        }
        return ContinuousClock.now - lastRecord >= quietMax
    }

    func showProgress(remaining: @autoclosure () throws -> Int?) throws {
        try progress.update(done: count, remaining: remaining())
    }

    /// Gives what was printed to the reader. Throws `ReaderGone`.
    func flush() throws { try output.flush() }

    /// Waits for a stop, or so long. Throws `ReaderGone`: one that has gone would otherwise be noticed at
    /// the next record.
    func wait(_ pause: Duration) throws {
        try flush()
        let ready = StandardDescriptors.wait(
            for: [stop.descriptor], failing: [STDOUT_FILENO], timeout: pause)
        if ready.contains(STDOUT_FILENO) { throw ReaderGone() }
    }
}
