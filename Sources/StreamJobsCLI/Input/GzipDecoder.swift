// Takes gzip off what is read piece by piece. zlib is imported here and, for batches that are in memory as a
// whole, by Sources/Compression.

private import CStreamJobsZlib

/// What is wrong with compressed bytes.
struct GzipDamage: Error, CustomStringConvertible {
    let description: String
}

/// Decodes a gzip file, which is one compressed stream (member) after another. Belongs to one thread.
final class GzipDecoder {
    static let magic: [UInt8] = [0x1f, 0x8b]

    // zlib keeps a pointer to it: it must not move. Made in init, gone in deinit, never handed out.
    private let stream: UnsafeMutablePointer<z_stream>
    private let chunk = Chunk()
    /// Everything so far belongs to members that were whole, checksum and all.
    private(set) var isBetweenMembers = true
    /// A chunk was filled: there may be more to give without more input.
    private(set) var hasMore = false

    init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 15 bits of window, and 16 for "gzip, with its checksum".
        let code = inflateInit2_(
            stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(code == Z_OK, "zlib does not start: \(code)")
    }

    deinit {
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Decodes from the front of `input`, which it removes, until that is empty or a chunk is full.
    func decode(_ input: inout [UInt8], into output: inout [UInt8]) throws(GzipDamage) {
        hasMore = false
        if isBetweenMembers {
            // Tapes and some tools fill up with zeros.
            input.trimPrefix { $0 == 0 }
            guard let first = input.first else { return }
            guard first == Self.magic[0] else {
                throw GzipDamage(description: "there is something else behind the compressed data")
            }
            inflateReset(stream)
            isBetweenMembers = false
        }
        stream.pointee.next_out = chunk.bytes.bindMemory(to: UInt8.self).baseAddress
        stream.pointee.avail_out = UInt32(chunk.bytes.count)
        let code = input.withUnsafeMutableBufferPointer { input in
            stream.pointee.next_in = input.baseAddress
            stream.pointee.avail_in = UInt32(input.count)
            defer { stream.pointee.next_in = nil }
            return inflate(stream, Z_NO_FLUSH)
        }
        input.removeFirst(input.count - Int(stream.pointee.avail_in))
        output.append(
            contentsOf: chunk.bytes[..<(chunk.bytes.count - Int(stream.pointee.avail_out))])
        hasMore = stream.pointee.avail_out == 0 && code == Z_OK
        switch code {
        case Z_STREAM_END: isBetweenMembers = true
        // Z_BUF_ERROR: nothing could be done with so little; more is to come.
        case Z_OK, Z_BUF_ERROR: break
        case Z_MEM_ERROR: throw GzipDamage(description: "there is no memory to decompress it")
        case Z_NEED_DICT: throw GzipDamage(description: "it needs a dictionary")
        default:
            let message = stream.pointee.msg.map { String(cString: $0) }
            throw GzipDamage(description: message ?? "zlib says \(code)")
        }
    }
}
