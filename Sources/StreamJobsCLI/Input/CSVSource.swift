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
        var count = 0
        do {
            for row in file.rows {
                if stop.isStopping { break }
                let fields = file.fields(of: row)
                CSVRecord.value(fields, columns: columns, into: &value)
                try producer.send(
                    value, key: CSVRecord.key(fields, columns: keyColumns), to: topic,
                    timestamp: row.timestamp)
                count += 1
                if count.isMultiple(of: 1024) {
                    progress.update(done: count, remaining: file.rows.count - count)
                }
            }
            try producer.flush()
        } catch {
            let line = file.rows[min(count, file.rows.count - 1)].line
            throw producer.stopped(by: error, at: "\(file.path) line \(line)", after: count)
        }
        return count
    }
}

extension Producer {
    /// The error to end with when sending stops in the midst: what came before is written, as far as that
    /// still goes, and the message says how much of it is.
    func stopped(by error: any Error, at place: String, after count: Int) -> CommandError {
        // A second failure is of the same cause; the first is the one to tell.
        try? flush()
        let isAll = writtenCount == count
        let written =
            isAll
            ? "the \(counted(count, "record")) before it \(count == 1 ? "is" : "are") written"
            : "only \(writtenCount) of the \(counted(count, "record")) before it are written"
        return CommandError(
            exitCode: ExitCodes.code(of: error), message: "\(place): \(error); \(written)")
    }
}
