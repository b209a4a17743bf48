import Glibc

/// Reads lines from a descriptor as they come; the last one needs no newline. A stop ends the input, and
/// drops the line that is not whole.
struct LineReader {
    private let descriptor: Int32
    private let name: String
    private let stop: StopRequest
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false

    init(_ descriptor: Int32, name: String, stop: StopRequest) {
        self.descriptor = descriptor
        self.name = name
        self.stop = stop
    }

    /// A whole line is in memory: `next` will not wait.
    var hasLine: Bool { buffer[start...].contains(UInt8(ascii: "\n")) }

    /// The next line without its end; nil behind the last. Waits for more input.
    mutating func next() throws -> ArraySlice<UInt8>? {
        while !stop.isStopping {
            if let end = buffer[start...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { start = end + 1 }
                let line = buffer[start..<end]
                return line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            }
            if isAtEnd {
                defer { start = buffer.count }
                return start < buffer.count ? buffer[start...] : nil
            }
            try readMore()
        }
        return nil
    }

    private mutating func readMore() throws {
        guard waitForInput() else { return }
        buffer.removeFirst(start)
        start = 0
        let chunkCount = 256 * 1024
        let filled = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: chunkCount))
        let count = buffer.withUnsafeMutableBytes {
            Glibc.read(descriptor, $0.baseAddress.map { $0 + filled }, chunkCount)
        }
        buffer.removeLast(chunkCount - max(0, count))
        if count == 0 { isAtEnd = true }
        guard count >= 0 || errno == EINTR else {
            throw CommandError.io("could not read \(name): \(String(cString: strerror(errno)))")
        }
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
