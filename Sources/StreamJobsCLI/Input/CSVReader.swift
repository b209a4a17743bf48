// Comma-separated values as RFC 4180 has them, read row by row from a stream. Knows nothing of columns'
// names or meaning. A row is in memory as a whole, the file never is.

/// The rows of a CSV text. A row ends with LF, CR LF or CR, the last one at the end as well. A field that
/// begins with a quote goes to the next single quote, and may hold commas, line ends and doubled quotes;
/// elsewhere a quote is a character like any other. Empty lines are no rows. A byte order mark is skipped.
package struct CSVReader {
    package let source: any ByteSource
    /// The physical line that the row begins in, from 1.
    package private(set) var rowLine = 0
    package var fieldCount: Int { fieldEnds.count }

    private var buffer: [UInt8] = []
    private var position = 0
    /// The physical line at `position`.
    private var line = 1
    private var isAtStart = true
    /// The row's fields, one behind the other, without quotes.
    private var fields: [UInt8] = []
    private var fieldEnds: [Int] = []
    private var hasOnlyASCII = true

    private let rowBytesMax: Int

    /// - Parameter rowBytesMax: Bytes of a row at which reading gives up.
    package init(_ source: any ByteSource, rowBytesMax: Int = Limits.rowBytesMax) {
        self.source = source
        self.rowBytesMax = rowBytesMax
    }

    /// The text of a field, quotes taken off. Valid UTF-8.
    package func field(_ index: Int) -> ArraySlice<UInt8> {
        fields[(index == 0 ? 0 : fieldEnds[index - 1])..<fieldEnds[index]]
    }

    /// Goes to the next row; false behind the last. Throws `badInput` naming the line where the row begins
    /// and what is wrong with it; nothing is to be read after that.
    package mutating func next() throws -> Bool {
        fields.removeAll(keepingCapacity: true)
        fieldEnds.removeAll(keepingCapacity: true)
        hasOnlyASCII = true
        if isAtStart { try skipMark() }
        while let byte = try peek(), isLineEnd(byte) { try takeLineEnd() }
        rowLine = line
        guard try peek() != nil else { return false }
        repeat {
            if try peek() == UInt8(ascii: "\"") { try readQuoted() } else { try readPlain() }
            try endField()
        } while try takeComma()
        return true
    }

    package func error(_ problem: String) -> CommandError {
        .badInput("\(source.name) line \(rowLine): \(problem)")
    }

    // MARK: Fields

    /// Up to a comma, a line's end or the end.
    private mutating func readPlain() throws {
        while try peek() != nil {
            let start = position
            while position < buffer.count, !isFieldEnd(buffer[position]) { position += 1 }
            try keep(start..<position)
            if position < buffer.count { return }
        }
    }

    /// Up to the closing quote, which must be the end of the field.
    private mutating func readQuoted() throws {
        let openingLine = line
        position += 1
        while try peek() != nil {
            let start = position
            while position < buffer.count, buffer[position] != UInt8(ascii: "\"") {
                // CR LF counts once, by its LF.
                if buffer[position] == UInt8(ascii: "\n") { line += 1 }
                position += 1
            }
            try keep(start..<position)
            guard position < buffer.count else { continue }
            position += 1
            guard let next = try peek(), !isFieldEnd(next) else { return }
            guard next == UInt8(ascii: "\"") else {
                throw error(
                    "field \(fieldCount + 1) goes on behind its closing quote (a quote inside a "
                        + "quoted field is written twice)")
            }
            try keep(position..<position + 1)
            position += 1
        }
        throw error("the quote that is opened in line \(openingLine) is never closed")
    }

    private mutating func keep(_ range: Range<Int>) throws {
        try requireRoom(for: range.count)
        let bytes = buffer[range]
        if hasOnlyASCII { hasOnlyASCII = bytes.allSatisfy { $0 < 0x80 } }
        fields.append(contentsOf: bytes)
    }

    /// A field without bytes takes room as well: its comma, and where it ends.
    private func requireRoom(for byteCount: Int) throws {
        guard fields.count + fieldEnds.count + byteCount <= rowBytesMax else {
            throw error(
                "the row is longer than \(rowBytesMax / 1024 / 1024) MiB; is there a quote "
                    + "that is never closed?")
        }
    }

    private mutating func endField() throws {
        try requireRoom(for: 0)
        fieldEnds.append(fields.count)
        guard !hasOnlyASCII else { return }
        let last = field(fieldCount - 1)
        if String(validating: last, as: UTF8.self) == nil {
            throw error("field \(fieldCount) is not UTF-8; save the file as UTF-8")
        }
    }

    private mutating func takeComma() throws -> Bool {
        guard let byte = try peek() else { return false }
        if byte == UInt8(ascii: ",") {
            position += 1
            return true
        }
        try takeLineEnd()
        return false
    }

    // MARK: Bytes

    private func isLineEnd(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
    }

    private func isFieldEnd(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ",") || isLineEnd(byte) }

    private mutating func takeLineEnd() throws {
        let isReturn = buffer[position] == UInt8(ascii: "\r")
        position += 1
        line += 1
        if isReturn, try peek() == UInt8(ascii: "\n") { position += 1 }
    }

    private mutating func skipMark() throws {
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        isAtStart = false
        while buffer.count < mark.count, try source.read(into: &buffer) {}
        if buffer.starts(with: mark) { position = mark.count }
    }

    /// The next byte, read if need be; nil at the end.
    private mutating func peek() throws -> UInt8? {
        if position == buffer.count {
            buffer.removeAll(keepingCapacity: true)
            position = 0
            while buffer.isEmpty {
                guard try source.read(into: &buffer) else { return nil }
            }
        }
        return buffer[position]
    }
}
