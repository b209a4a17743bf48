// Splits bytes into lines as they come.

/// Lines of a byte source. A line ends with LF or CR LF; the last one needs no end (as Java's `readLine`,
/// and so Kafka's console producer). Its bytes are taken as they are.
package struct LineReader {
    package let source: any ByteSource
    /// Lines given so far.
    package private(set) var count = 0
    private var buffer: [UInt8] = []
    private var position = 0
    /// Behind this there may be a line's end.
    private var searched = 0
    private var lineEnd: Int?
    private let lineBytesMax: Int

    /// - Parameter lineBytesMax: Bytes of a line at which reading gives up.
    package init(_ source: any ByteSource, lineBytesMax: Int = Limits.rowBytesMax) {
        self.source = source
        self.lineBytesMax = lineBytesMax
    }

    /// A whole line is at hand: `next` will not read.
    package mutating func hasLine() -> Bool {
        if lineEnd == nil {
            lineEnd = buffer[searched...].firstIndex(of: UInt8(ascii: "\n"))
            searched = lineEnd ?? buffer.count
        }
        return lineEnd != nil
    }

    /// The next line without its end; nil behind the last. Waits for more input. Throws `badInput` for a
    /// line that could be no record, and what reading throws.
    package mutating func next() throws -> ArraySlice<UInt8>? {
        while !hasLine() {
            guard buffer.count - position <= lineBytesMax else {
                throw CommandError.badInput(
                    "\(source.name) line \(count + 1): the line is longer than \(lineBytesMax) bytes, "
                        + "too long for a record of the topic; raise its max.message.bytes, or split "
                        + "the line")
            }
            buffer.removeFirst(position)
            searched -= position
            position = 0
            if try source.read(into: &buffer) { continue }
            guard position < buffer.count else { return nil }
            lineEnd = buffer.count
            searched = buffer.count
        }
        guard let end = lineEnd else { preconditionFailure("hasLine() has found it") }
        var line = buffer[position..<end]
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        position = min(end + 1, buffer.count)
        searched = position
        lineEnd = nil
        count += 1
        return line
    }
}
