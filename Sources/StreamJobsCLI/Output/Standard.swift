// Standard output and standard error, written in large pieces with write(2).

import Glibc

/// A buffered descriptor. Belongs to one thread.
final class OutputStream {
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    /// Nobody reads any more (EPIPE): what is written is dropped.
    private(set) var isClosed = false

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    var isTerminal: Bool { isatty(descriptor) == 1 }

    func write(_ text: String) { write(text.utf8) }

    func write(_ bytes: some Sequence<UInt8>) {
        buffer.append(contentsOf: bytes)
        if buffer.count >= 64 * 1024 { flush() }
    }

    func flush() {
        var written = 0
        buffer.withUnsafeBytes { bytes in
            while written < bytes.count, !isClosed, let base = bytes.baseAddress {
                let count = Glibc.write(descriptor, base + written, bytes.count - written)
                if count >= 0 {
                    written += count
                } else if errno != EINTR {
                    isClosed = true
                }
            }
        }
        buffer.removeAll(keepingCapacity: true)
    }
}

enum Standard {
    // Used by the main thread only.
    nonisolated(unsafe) static let output = OutputStream(1)
    // As above.
    nonisolated(unsafe) static let error = OutputStream(2)
}
