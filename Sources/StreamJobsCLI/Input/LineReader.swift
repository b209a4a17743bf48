import Glibc
import StreamJobsLog

/// Reads lines from a descriptor as they come; the last one needs no newline. A stop ends the input, and
/// drops the line that is not whole.
final class LineReader {
    private let descriptor: Int32
    private let name: String
    private let stop: StopRequest
    private var buffer: [UInt8] = []
    /// Where the next line begins, and how far it was searched for its end.
    private var start = 0
    private var searched = 0
    private var isAtEnd = false
    private let chunk = UnsafeMutableRawBufferPointer.allocate(
        byteCount: 256 * 1024, alignment: 16)

    init(_ descriptor: Int32, name: String, stop: StopRequest) {
        self.descriptor = descriptor
        self.name = name
        self.stop = stop
    }

    deinit { chunk.deallocate() }

    /// A whole line is in memory: `next` will not wait.
    var hasLine: Bool { endOfLine() != nil }

    /// The next line without its end; nil behind the last. Waits for more input. Throws for a line that is
    /// longer than a record can be, having read no more than that of it.
    func next() throws -> ArraySlice<UInt8>? {
        while !stop.isStopping {
            let end = endOfLine()
            guard (end ?? buffer.count) - start <= Limits.batchBytesMax else {
                throw CommandError.badInput(
                    "the line is over the limit of a record, \(Limits.batchBytesMax) bytes")
            }
            if let end {
                defer { moveTo(end + 1) }
                return withoutReturn(buffer[start..<end])
            }
            if isAtEnd {
                defer { moveTo(buffer.count) }
                return start < buffer.count ? withoutReturn(buffer[start...]) : nil
            }
            try readMore()
        }
        return nil
    }

    private func endOfLine() -> Int? {
        if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
            searched = end
            return end
        }
        searched = buffer.count
        return nil
    }

    private func moveTo(_ position: Int) {
        start = position
        searched = position
    }

    private func withoutReturn(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    }

    private func readMore() throws {
        guard waitForInput() else { return }
        let count = Glibc.read(descriptor, chunk.baseAddress, chunk.count)
        guard count >= 0 || errno == EINTR || errno == EAGAIN else {
            throw CommandError.io("could not read \(name): \(String(cString: strerror(errno)))")
        }
        if count == 0 { isAtEnd = true }
        buffer.removeFirst(start)
        searched -= start
        start = 0
        buffer.append(contentsOf: chunk.prefix(max(0, count)))
    }

    /// False if the stop is asked for first.
    private func waitForInput() -> Bool {
        var waiting = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: stop.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&waiting, 2, -1) < 0, errno == EINTR {}
        return waiting[1].revents == 0
    }
}
