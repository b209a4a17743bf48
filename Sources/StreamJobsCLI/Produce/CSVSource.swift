// `produce --csv`: the whole file is checked before its first record is sent, so that a broken line loses
// nothing and doubles nothing. A file is read twice; a pipe, and what is to be sorted, is kept in memory.

/// The rows of a CSV file as records.
struct CSVSource {
    private let file: InputFile
    private let columns: CSVColumns
    private let isSorted: Bool

    init(_ file: InputFile, columns: CSVColumns, isSorted: Bool) {
        self.file = file
        self.columns = columns
        self.isSorted = isSorted
    }

    /// Sends all rows; they are on the disk after the writer's next flush.
    func send(to writer: TopicWriter) throws {
        if isSorted || !file.isRegular {
            try sendTable(to: writer)
        } else {
            try sendTwice(to: writer)
        }
    }

    private func sendTable(to writer: TopicWriter) throws {
        var table = RecordTable()
        try forEachRecord(writer.rowBytesMax) { record in
            try writer.check(record.value, key: record.key, from: place(record.line))
            table.append(
                value: record.value, key: record.key, timestamp: record.timestamp,
                line: record.line)
        }
        if isSorted { table.sort() }
        writer.total = table.count
        for index in 0..<table.count {
            let record = table.record(index)
            try writer.send(
                record.value, key: record.key, timestamp: record.timestamp, from: place(record.line)
            )
        }
    }

    private func sendTwice(to writer: TopicWriter) throws {
        var count = 0
        try forEachRecord(writer.rowBytesMax) { record in
            try writer.check(record.value, key: record.key, from: place(record.line))
            count += 1
        }
        writer.total = count
        try file.rewind()
        try forEachRecord(writer.rowBytesMax) { record in
            try writer.send(
                record.value, key: record.key, timestamp: record.timestamp, from: place(record.line)
            )
        }
    }

    private func place(_ line: Int) -> String { "\(file.name) line \(line)" }

    private func forEachRecord(
        _ rowBytesMax: Int, _ body: (CSVRecordReader) throws -> Void
    ) throws {
        var reader = try CSVRecordReader(file, columns: columns, rowBytesMax: rowBytesMax)
        while try reader.next() { try body(reader) }
    }
}
