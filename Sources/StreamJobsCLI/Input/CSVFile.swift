// A CSV file (RFC 4180) in memory, whose first row names the columns. The whole file is checked when it is
// opened, so that whoever sends its rows never stops in the middle because of the file.

import StreamJobsLog

struct CSVFile {
    let path: String
    let columns: [String]
    private let bytes: [UInt8]
    /// Where each row begins, the header left out.
    private(set) var rows: [Row] = []

    struct Row {
        /// The line in the file that the row begins on, from 1.
        let line: Int
        let start: Int
        /// Set by `sort`.
        var timestamp: Timestamp?
    }

    /// Reads and checks `path`. Throws `badInput` naming file, line and what was expected.
    init(path: String) throws {
        try self.init(path: path, bytes: InputFile.read(path))
    }

    init(path: String, bytes: [UInt8]) throws {
        self.path = path
        self.bytes = bytes
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        var cursor = CSVCursor(bytes, at: bytes.starts(with: mark) ? mark.count : 0)
        guard let header = try Self.row(&cursor, path) else {
            throw CommandError.badInput("\(path) is empty: its first line must name the columns")
        }
        columns = header.fields.map { String(decoding: $0, as: UTF8.self) }
        let repeated = Dictionary(grouping: columns, by: \.self).first { $0.value.count > 1 }
        if let repeated {
            throw CommandError.badInput(
                "\(path) line \(header.line): the column '\(repeated.key)' is named twice")
        }
        while true {
            let start = cursor.position
            guard let row = try Self.row(&cursor, path) else { break }
            guard row.fields.count == columns.count else {
                throw CommandError.badInput(
                    "\(path) line \(row.line): \(counted(row.fields.count, "field")) where the first "
                        + "line has \(counted(columns.count, "column"))")
            }
            guard cursor.position - start <= Limits.batchBytesMax / 2 else {
                throw CommandError.badInput(
                    "\(path) line \(row.line): a row of \(cursor.position - start) bytes is too large "
                        + "for a record (at most \(Limits.batchBytesMax / 2))")
            }
            rows.append(Row(line: row.line, start: start))
        }
    }

    /// The raw text of a row's fields, quotes taken off.
    func fields(of row: Row) -> [[UInt8]] {
        var cursor = CSVCursor(bytes, at: row.start)
        do {
            return try cursor.nextRow()?.fields ?? []
        } catch { preconditionFailure("the row at line \(row.line) was checked: \(error)") }
    }

    /// The number of a column; throws `badInput` naming those there are.
    func index(ofColumn name: String) throws -> Int {
        guard let index = columns.firstIndex(of: name) else {
            throw CommandError.badInput(
                "\(path) has no column '\(name)'; it has \(columns.joined(separator: ", "))")
        }
        return index
    }

    /// Reads every row's timestamp. Throws `badInput` naming the line of one that is none.
    mutating func readTimestamps(from column: Int) throws {
        for index in rows.indices {
            let text = fields(of: rows[index])[column]
            guard let timestamp = TimestampText.parse(text) else {
                throw CommandError.badInput(
                    "\(path) line \(rows[index].line): '\(String(decoding: text, as: UTF8.self))' in "
                        + "the column '\(columns[column])' is no timestamp (use 2013-01-01T10:00:00Z "
                        + "or milliseconds)")
            }
            rows[index].timestamp = timestamp
        }
    }

    /// Puts the rows in the order of their timestamps; equal ones stay as they were.
    mutating func sort() {
        rows.sort { left, right in
            (left.timestamp ?? .distantPast, left.start)
                < (right.timestamp ?? .distantPast, right.start)
        }
    }

    private static func row(_ cursor: inout CSVCursor, _ path: String) throws -> CSVCursor.Row? {
        do {
            return try cursor.nextRow()
        } catch {
            throw CommandError.badInput("\(path) line \(error.line): \(error.problem)")
        }
    }
}

/// What is wrong with a row.
struct CSVError: Error {
    let line: Int
    let problem: String
}

/// Walks the rows of CSV text.
struct CSVCursor {
    private let bytes: [UInt8]
    private(set) var position: Int
    private var line = 1

    struct Row {
        let line: Int
        let fields: [[UInt8]]
    }

    init(_ bytes: [UInt8], at position: Int) {
        self.bytes = bytes
        self.position = position
    }

    /// The next row that is not empty; nil at the end.
    mutating func nextRow() throws(CSVError) -> Row? {
        while position < bytes.count, endLine() {}
        guard position < bytes.count else { return nil }
        let start = line
        var fields: [[UInt8]] = []
        while true {
            fields.append(try field(from: start))
            if position < bytes.count, bytes[position] == UInt8(ascii: ",") {
                position += 1
            } else {
                break
            }
        }
        guard position == bytes.count || endLine() else {
            throw CSVError(line: line, problem: "text behind a closing quote; a comma was expected")
        }
        return Row(line: start, fields: fields)
    }

    /// Moves behind a line's end, if one is here.
    private mutating func endLine() -> Bool {
        switch bytes[position] {
        case UInt8(ascii: "\n"): position += 1
        case UInt8(ascii: "\r"):
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "\n") { position += 1 }
        default: return false
        }
        line += 1
        return true
    }

    private mutating func field(from start: Int) throws(CSVError) -> [UInt8] {
        let isQuoted = position < bytes.count && bytes[position] == UInt8(ascii: "\"")
        let field = isQuoted ? try quotedField(from: start) : plainField()
        guard field.allSatisfy({ $0 < 0x80 }) || String(validating: field, as: UTF8.self) != nil
        else { throw CSVError(line: start, problem: "a field is not UTF-8 text") }
        return field
    }

    private mutating func plainField() -> [UInt8] {
        let start = position
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
            {
                break
            }
            position += 1
        }
        return Array(bytes[start..<position])
    }

    private mutating func quotedField(from start: Int) throws(CSVError) -> [UInt8] {
        position += 1
        var field: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\n") { line += 1 }
            if byte != UInt8(ascii: "\"") {
                field.append(byte)
            } else if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
                field.append(byte)
                position += 1
            } else {
                return field
            }
        }
        throw CSVError(line: start, problem: "a quote is opened and never closed")
    }
}
