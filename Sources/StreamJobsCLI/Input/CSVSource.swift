import StreamJobsLog

/// The rows of a CSV file as records. Everything about the file is checked when it is opened.
struct CSVSource {
    private let file: CSVFile
    private let keyColumns: [Int]

    init(path: String, keyColumns: String?, timestampColumn: String?, sort: Bool) throws {
        var file = try CSVFile(path: path)
        let names = keyColumns?.split(separator: ",").map(String.init) ?? []
        self.keyColumns = try names.map(file.index(ofColumn:))
        if let timestampColumn {
            try file.readTimestamps(from: file.index(ofColumn: timestampColumn))
        }
        if sort { file.sort() }
        self.file = file
    }

    /// Sends all rows, or those that were sent before `stop`; when it returns they are on the disk. Gives
    /// how many.
    func send(to topic: Topic, of log: CommitLog, until stop: StopRequest) throws -> Int {
        let columns = file.columns.map { name in
            var json: [UInt8] = []
            JSONText.append(string: name, to: &json)
            return json
        }
        let producer = Producer(log)
        var progress = ProgressReport("records")
        var value: [UInt8] = []
        for (count, row) in file.rows.enumerated() {
            let fields = file.fields(of: row)
            CSVRecord.value(fields, columns: columns, into: &value)
            do {
                try producer.send(
                    value,
                    key: keyColumns.isEmpty ? nil : CSVRecord.key(fields, columns: keyColumns),
                    to: topic, timestamp: row.timestamp)
            } catch {
                try producer.flush()
                throw partial(error, count, row)
            }
            if stop.isStopping {
                try producer.flush()
                return count + 1
            }
            if count.isMultiple(of: 1024) {
                progress.update(done: count, remaining: file.rows.count - count)
            }
        }
        try producer.flush()
        return file.rows.count
    }

    private func partial(_ error: any Error, _ count: Int, _ row: CSVFile.Row) -> CommandError {
        CommandError(
            exitCode: ExitCodes.code(of: error),
            message:
                "\(file.path) line \(row.line): \(error); the \(count) records before it are written"
        )
    }
}
