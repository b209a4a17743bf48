// From the rows of a CSV file to records: the first row names the columns, every other one is a record
// whose value is a JSON object with the columns in their order.

package import StreamJobsLog

/// Which columns of a CSV file make key and timestamp.
package struct CSVColumns {
    /// Joined by `|`; the key is null if there are none.
    let key: [String]
    let timestamp: String?

    package init(key: [String], timestamp: String? = nil) {
        self.key = key
        self.timestamp = timestamp
    }
}

/// Reads records one after another. Everything that can be wrong with a row as
/// such is found by reading it.
package struct CSVRecordReader {
    private var rows: CSVReader
    private let columns: [String]
    /// For each column `{"name":` or `,"name":`.
    private let prefixes: [[UInt8]]
    private let keyColumns: [Int]
    private let timestampColumn: Int?

    /// The record that `next` has read. The timestamp is nil if there is no column for it.
    package private(set) var key: [UInt8]?
    package private(set) var value: [UInt8] = []
    package private(set) var timestamp: Timestamp?
    /// The physical line that it begins in.
    package var line: Int { rows.rowLine }

    /// Reads the names of the columns. Throws `badInput` where one is named twice, or one that is asked for
    /// is not there.
    package init(
        _ source: any ByteSource, columns wanted: CSVColumns, rowBytesMax: Int = Limits.rowBytesMax
    ) throws {
        rows = CSVReader(source, rowBytesMax: rowBytesMax)
        guard try rows.next() else {
            throw CommandError.badInput(
                "\(source.name) is empty: its first line must name the columns")
        }
        var columns: [String] = []
        for index in 0..<rows.fieldCount {
            let name = String(decoding: rows.field(index), as: UTF8.self)
            guard !columns.contains(name) else {
                throw rows.error("the column '\(name)' is named twice")
            }
            columns.append(name)
        }
        func index(of name: String) throws -> Int {
            if let index = columns.firstIndex(of: name) { return index }
            throw CommandError.badInput(
                "\(source.name) has no column '\(name)'; it has \(columns.joined(separator: ", "))"
            )
        }
        self.columns = columns
        prefixes = columns.enumerated().map { index, name in
            var prefix = Array((index == 0 ? "{" : ",").utf8)
            JSONText.append(string: name.utf8, to: &prefix)
            return prefix + [UInt8(ascii: ":")]
        }
        keyColumns = try wanted.key.map(index)
        timestampColumn = try wanted.timestamp.map(index)
    }

    /// Goes to the next record; false behind the last. Throws `badInput` naming file and line.
    package mutating func next() throws -> Bool {
        guard try rows.next() else { return false }
        guard rows.fieldCount == columns.count else {
            throw rows.error(
                "\(counted(rows.fieldCount, "field")) where the first line has "
                    + "\(counted(columns.count, "column"))")
        }
        readValue()
        readKey()
        try readTimestamp()
        return true
    }

    /// A field is null if it is empty or `NA`, a number only if it is one by JSON's grammar (`9E` is a
    /// carrier), and a string otherwise.
    private mutating func readValue() {
        value.removeAll(keepingCapacity: true)
        for index in prefixes.indices {
            value.append(contentsOf: prefixes[index])
            let field = rows.field(index)
            if Self.isNull(field) {
                value.append(contentsOf: "null".utf8)
            } else if JSONText.isNumber(field) {
                value.append(contentsOf: field)
            } else {
                JSONText.append(string: field, to: &value)
            }
        }
        value.append(UInt8(ascii: "}"))
    }

    /// The raw text of the key's columns. A null one is empty; alone, it makes a null key.
    private mutating func readKey() {
        guard let first = keyColumns.first else { return key = nil }
        guard keyColumns.count > 1 else {
            let field = rows.field(first)
            return key = Self.isNull(field) ? nil : Array(field)
        }
        var key: [UInt8] = []
        for (index, column) in keyColumns.enumerated() {
            if index > 0 { key.append(UInt8(ascii: "|")) }
            let field = rows.field(column)
            if !Self.isNull(field) { key.append(contentsOf: field) }
        }
        self.key = key
    }

    private mutating func readTimestamp() throws {
        guard let timestampColumn else { return }
        let text = rows.field(timestampColumn)
        guard let timestamp = TimestampText.parse(text) else {
            throw rows.error(
                "'\(String(decoding: text.prefix(80), as: UTF8.self))' in the column "
                    + "'\(columns[timestampColumn])' is no timestamp (use \(TimestampText.forms))")
        }
        self.timestamp = timestamp
    }

    private static func isNull(_ field: ArraySlice<UInt8>) -> Bool {
        field.isEmpty || field.elementsEqual("NA".utf8)
    }
}
