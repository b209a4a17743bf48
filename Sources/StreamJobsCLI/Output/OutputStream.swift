// Standard output and standard error, written with write(2) in large pieces.

import Glibc
import Synchronization

/// Thrown when nobody reads standard output any more (`consume | head`): the command ends silently.
struct ReaderGone: Error {}

/// Standard output with a buffer. Belongs to one thread.
final class OutputStream {
    private let descriptor: Int32
    /// What is to be written; may be appended to between calls of `flushIfFull`.
    var buffer: [UInt8] = []

    init(_ descriptor: Int32 = STDOUT_FILENO) { self.descriptor = descriptor }

    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    func write(_ text: String) { buffer.append(contentsOf: text.utf8) }

    /// Writes one JSON object and a line's end.
    /// - Parameter fields: Appends its fields.
    func writeObject(_ fields: (inout [UInt8]) throws -> Void) rethrows {
        buffer.append(UInt8(ascii: "{"))
        try fields(&buffer)
        buffer.append(contentsOf: "}\n".utf8)
    }

    /// Runs `body`, which writes, and flushes also where it throws: what was done or read before it is told.
    /// Throws what `body` throws, or else what flushing does.
    func flushing(_ body: () throws -> Void) throws {
        let result = Result { try body() }
        let flushed = Result { try flush() }
        try result.get()
        try flushed.get()
    }

    func flushIfFull() throws {
        if buffer.count >= Limits.outputChunkBytes { try flush() }
    }

    /// When it returns, everything is with the kernel. Throws `ReaderGone`, or `CommandError` where it
    /// cannot be written: then some of it may have been.
    func flush() throws {
        defer { buffer.removeAll(keepingCapacity: true) }
        try buffer.withUnsafeBytes { try Self.write($0, to: descriptor) }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws {
        guard let base = bytes.baseAddress else { return }
        var written = 0
        while written < bytes.count {
            let count = Glibc.write(descriptor, base + written, bytes.count - written)
            if count >= 0 {
                written += count
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                // Whoever gave us the descriptor has made it non-blocking.
                var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&polled, 1, -1)
            case EPIPE: throw ReaderGone()
            default: throw CommandError.system("write to standard output", errno)
            }
        }
    }
}

/// Lines on standard error, and a last one that may still be rewritten. Any thread may call.
enum StandardError {
    private static let hasOpenLine = Mutex(false)

    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Writes a whole line, in the place of one that was to be rewritten.
    static func write(line: String) { show(line, isOpen: false) }

    /// Shows `line` until the next call. For terminals only.
    static func rewrite(line: String) { show(line, isOpen: true) }

    /// Removes the line that was to be rewritten.
    static func erase() { show(nil, isOpen: false) }

    private static func show(_ line: String?, isOpen: Bool) {
        hasOpenLine.withLock { hasOpenLine in
            var text = hasOpenLine ? "\r\u{1b}[K" : ""
            if let line { text += line + (isOpen ? "" : "\n") }
            hasOpenLine = isOpen
            text.withUTF8 { bytes in
                var rest = bytes[...]
                while !rest.isEmpty {
                    let count = Glibc.write(
                        STDERR_FILENO, UnsafeBufferPointer(rebasing: rest).baseAddress, rest.count)
                    // There is nowhere left to say that this failed.
                    guard count > 0 || errno == EINTR else { return }
                    rest = rest.dropFirst(max(0, count))
                }
            }
        }
    }
}
