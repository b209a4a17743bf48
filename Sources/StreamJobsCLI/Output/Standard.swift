// Standard output and standard error, written in large pieces with write(2).

import Glibc

/// A buffered descriptor. Belongs to one thread.
final class OutputStream {
    private let descriptor: Int32
    private let name: String
    private var buffer: [UInt8] = []
    /// Nobody reads any more (EPIPE): what is written is dropped.
    private(set) var isClosed = false

    init(_ descriptor: Int32, _ name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    var isTerminal: Bool { isatty(descriptor) == 1 }

    func write(_ text: String) throws { try write(text.utf8) }

    func write(_ bytes: some Sequence<UInt8>) throws {
        buffer.append(contentsOf: bytes)
        if buffer.count >= 64 * 1024 { try flush() }
    }

    /// Throws what keeps the bytes from being written, but for a reader that has gone.
    func flush() throws {
        defer { buffer.removeAll(keepingCapacity: true) }
        try buffer.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count, !isClosed, let base = bytes.baseAddress {
                let count = Glibc.write(descriptor, base + written, bytes.count - written)
                if count >= 0 { written += count } else { try recover(from: errno) }
            }
        }
    }

    /// Notices, without writing, that nobody reads any more.
    func lookForReader() {
        var waiting = pollfd(fd: descriptor, events: 0, revents: 0)
        if poll(&waiting, 1, 0) > 0, waiting.revents & Int16(POLLERR | POLLHUP) != 0 {
            isClosed = true
        }
    }

    private func recover(from error: Int32) throws {
        switch error {
        case EINTR: break
        case EPIPE: isClosed = true
        case EAGAIN:
            var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&waiting, 1, -1)
        default:
            throw CommandError.io("could not write to \(name): \(String(cString: strerror(error)))")
        }
    }
}

enum Standard {
    // Used by the main thread only.
    nonisolated(unsafe) static let output = OutputStream(STDOUT_FILENO, "standard output")
    // As above.
    nonisolated(unsafe) static let error = OutputStream(STDERR_FILENO, "standard error")

    /// Writes to standard error at once. Where even that fails there is nobody left to tell.
    static func note(_ text: String) {
        try? error.write(text)
        try? error.flush()
    }
}
