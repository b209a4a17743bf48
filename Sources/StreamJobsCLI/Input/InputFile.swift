// A file, a pipe or standard input, read in chunks; what is compressed with gzip is read as what is inside.

import Glibc

/// Belongs to one thread. A read that waits ends when a stop is asked for.
package final class InputFile: ByteSource {
    package let name: String
    /// It can be read a second time: a file, no pipe.
    package let isRegular: Bool
    private let descriptor: Int32
    private let isOwned: Bool
    private let stop: StopRequest?
    private let status: Status
    private let chunk = Chunk()
    private var format = Format.unknown
    /// What was read and not given yet.
    private var pending: [UInt8] = []

    private enum Format {
        case unknown
        case plain
        case gzip(GzipDecoder)
    }

    /// What tells that a file has changed.
    private struct Status: Equatable {
        let byteCount: Int
        let seconds: Int
        let nanoseconds: Int

        init(_ status: stat) {
            byteCount = Int(status.st_size)
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
        }
    }

    /// Opens `path`. Whether it is gzip is told by its first bytes.
    package convenience init(path: String) throws { try self.init(path: path, stop: nil) }

    init(path: String, stop: StopRequest?) throws {
        name = path
        self.stop = stop
        isOwned = true
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT || errno == ENOTDIR else {
                throw CommandError.system("read \(path)", errno)
            }
            throw CommandError.notFound("there is no file \(path)")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw CommandError.system("look at \(path)", errno)
        }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw CommandError.notFound("\(path) is a directory, not a file")
        }
        isRegular = status.st_mode & S_IFMT == S_IFREG
        self.status = Status(status)
    }

    /// Throws `notFound` for a directory; what is not there is for others to tell.
    static func refuseDirectory(_ path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return }
        throw CommandError.notFound("\(path) is a directory, not a file")
    }

    /// Standard input. Whether it is gzip is told by its first bytes as well; of other input nothing is
    /// waited for that has not come.
    convenience init(standardInput stop: StopRequest?) {
        self.init(descriptor: STDIN_FILENO, named: "standard input", stop: stop)
    }

    /// A pipe, or what is read like one. The descriptor stays open.
    package convenience init(descriptor: Int32, named name: String) {
        self.init(descriptor: descriptor, named: name, stop: nil)
    }

    private init(descriptor: Int32, named name: String, stop: StopRequest?) {
        self.name = name
        self.stop = stop
        isOwned = false
        self.descriptor = descriptor
        isRegular = false
        status = Status(stat())
    }

    deinit {
        if isOwned { _ = close(descriptor) }
    }

    package var isReady: Bool {
        if case .gzip(let decoder) = format, decoder.hasMore { return true }
        return !pending.isEmpty
            || !StandardDescriptors.wait(for: [descriptor], timeout: .zero).isEmpty
    }

    /// Back to the beginning of a regular file. Throws `badInput` if it is not what was read any more.
    package func rewind() throws {
        precondition(isRegular, "a pipe is read once")
        var now = stat()
        guard fstat(descriptor, &now) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
            throw CommandError.system("read \(name) again", errno)
        }
        guard Status(now) == status else {
            throw CommandError.badInput(
                "\(name) was changed while it was being read; nothing was sent, try again")
        }
        format = .unknown
        pending = []
    }

    package func read(into buffer: inout [UInt8]) throws -> Bool {
        if case .unknown = format { try findFormat() }
        switch format {
        case .unknown: preconditionFailure("the format was just found")
        case .plain:
            guard !pending.isEmpty else { return try readChunk(into: &buffer) }
            buffer += pending
            pending = []
            return true
        case .gzip(let decoder):
            let before = buffer.count
            while buffer.count == before {
                if pending.isEmpty, !decoder.hasMore, try !readChunk(into: &pending) {
                    guard decoder.isBetweenMembers else {
                        throw CommandError.badInput(
                            "\(name) is damaged: the gzip data is cut short")
                    }
                    return false
                }
                do {
                    try decoder.decode(&pending, into: &buffer)
                } catch {
                    throw CommandError.badInput("\(name) is damaged: \(error)")
                }
            }
            return true
        }
    }

    /// Reads no further than it must: the first byte of a pipe may be all that comes for a long time.
    private func findFormat() throws {
        while pending.count < GzipDecoder.magic.count, GzipDecoder.magic.starts(with: pending),
            try readChunk(into: &pending)
        {}
        if pending.starts(with: GzipDecoder.magic) {
            format = .gzip(GzipDecoder())
        } else if name.hasSuffix(".gz") {
            throw CommandError.badInput("\(name) is no gzip file, in spite of its name")
        } else {
            format = .plain
        }
    }

    /// Reads once; false at the end.
    private func readChunk(into buffer: inout [UInt8]) throws -> Bool {
        var count = 0
        repeat {
            if let stop {
                _ = StandardDescriptors.wait(for: [descriptor, stop.descriptor])
                try stop.check()
            }
            count = Glibc.read(descriptor, chunk.bytes.baseAddress, chunk.bytes.count)
        } while count < 0 && (errno == EINTR || errno == EAGAIN)
        guard count >= 0 else { throw CommandError.system("read \(name)", errno) }
        buffer.append(contentsOf: chunk.bytes[..<count])
        return count > 0
    }
}

/// Memory for the bytes of one read, used again and again.
final class Chunk {
    // Made in init, gone in deinit; its owner does not keep what points into it.
    let bytes = UnsafeMutableRawBufferPointer.allocate(
        byteCount: Limits.inputChunkBytes, alignment: 16)

    deinit { bytes.deallocate() }
}
