// Parts of tuples. A part whose length is fixed stands as it is. Of any other part each zero byte becomes
// 0x00 0xff, and behind the part stands 0x00 0x01:
//
//     "ab" | 7        61 62 00 01 | 80 00 00 00 00 00 00 07
//     "a\0b" | 7      61 00 ff 62 00 01 | …
//
// The end sorts before everything that a longer part can go on with, so that tuples sort by their first
// parts, then by their second; and no part's bytes begin another's. The last part of a tuple that is no
// part itself is neither escaped nor ended.

/// Ends parts of tuples, and finds their ends.
@usableFromInline
enum KeyParts {
    static let escape: UInt8 = 0xff
    static let endMark: UInt8 = 0x01

    /// Escapes the bytes from `start` on, and ends them.
    @usableFromInline
    static func end(_ buffer: inout [UInt8], from start: Int) {
        let end = buffer.count
        let zeroCount = buffer[start...].count { $0 == 0 }
        if zeroCount > 0 {
            buffer.append(contentsOf: repeatElement(0, count: zeroCount))
            // From the back, so that nothing is overwritten that is still to be moved.
            var target = buffer.count
            for source in stride(from: end - 1, through: start, by: -1) {
                if buffer[source] == 0 {
                    target -= 1
                    buffer[target] = escape
                }
                target -= 1
                buffer[target] = buffer[source]
            }
        }
        buffer.append(0)
        buffer.append(endMark)
    }

    /// Where a part ends that was ended so.
    @usableFromInline
    struct Part {
        /// Behind its last byte.
        @usableFromInline let end: Int
        /// Where the next part begins.
        @usableFromInline let next: Int
        /// Its bytes if some were escaped; nil where they stand as they are.
        @usableFromInline let unescaped: [UInt8]?
    }

    /// Finds the end of the part that begins at `start`.
    @usableFromInline
    static func findEnd(of bytes: RawSpan, from start: Int) throws -> Part {
        try bytes.withUnsafeBytes { bytes in
            var position = start
            var hasEscapes = false
            while position + 1 < bytes.count {
                guard bytes[position] == 0 else {
                    position += 1
                    continue
                }
                switch bytes[position + 1] {
                case endMark:
                    return Part(
                        end: position, next: position + 2,
                        unescaped: hasEscapes ? unescape(bytes[start..<position]) : nil)
                case escape:
                    hasEscapes = true
                    position += 2
                case let byte:
                    throw SerdeError("a zero byte at \(position) of the key has \(byte) behind it.")
                }
            }
            throw SerdeError("the part of the key that begins at byte \(start) has no end.")
        }
    }

    private static func unescape(_ bytes: Slice<UnsafeRawBufferPointer>) -> [UInt8] {
        var unescaped: [UInt8] = []
        unescaped.reserveCapacity(bytes.count)
        var isBehindZero = false
        for byte in bytes {
            if !isBehindZero { unescaped.append(byte) }
            isBehindZero = byte == 0 && !isBehindZero
        }
        return unescaped
    }
}
