// Prints one file of a log after the other.

import StreamJobsLog

/// Prints files to one output. Belongs to one thread.
struct FileDump {
    private let output: OutputStream
    private let isJSON: Bool
    private let showsRecords: Bool
    private let stop: StopRequest
    private let reader = DumpedRecords()
    /// What was not right so far.
    private(set) var problemCount = 0

    init(_ output: OutputStream, isJSON: Bool, showsRecords: Bool, _ stop: StopRequest) {
        self.output = output
        self.isJSON = isJSON
        self.showsRecords = showsRecords
        self.stop = stop
    }

    /// Throws what reading the file throws.
    mutating func print(_ file: LogFile) throws {
        if !isJSON { output.write("Dumping \(file.path)\n") }
        switch file.kind {
        case .segment: try printSegment(file)
        case .offsetIndex: try printOffsetIndex(file)
        case .timeIndex: try printTimeIndex(file)
        case .transactionIndex: try printTransactionIndex(file)
        case .producerSnapshot: try printProducers(file)
        case .recoveryPoints: try printRecoveryPoints(file)
        case .text: try printLines(file)
        }
    }

    private func object(
        _ type: String, _ file: LogFile, _ fields: (inout [UInt8]) throws -> Void
    ) rethrows {
        try output.writeObject { line in
            JSONText.append(field: "type", string: type, to: &line)
            JSONText.append(field: "file", string: file.path, to: &line)
            try fields(&line)
        }
    }

    // MARK: Segments

    private mutating func printSegment(_ file: LogFile) throws {
        try file.forEachPiece { position, piece in
            try stop.check()
            switch piece {
            case .batch(let header, let bytes):
                try printBatch(header, bytes, at: position, isValid: true, of: file)
            case .damage(let damage, let byteCount, let header):
                problemCount += 1
                if let header {
                    try printBatch(header, nil, at: position, isValid: false, of: file)
                }
                printDamage(damage, byteCount, at: position, of: file)
            }
            try output.flushIfFull()
            return true
        }
    }

    private mutating func printBatch(
        _ header: BatchHeader, _ bytes: UnsafeRawBufferPointer?, at position: Int, isValid: Bool,
        of file: LogFile
    ) throws {
        let line = BatchLine(header: header, position: position, isValid: isValid)
        if isJSON {
            object("batch", file) { line.appendFields(to: &$0) }
        } else {
            output.write(line.text + "\n")
        }
        guard showsRecords, let bytes else { return }
        do {
            try reader.forEachRecord(of: bytes, header) { record in
                if isJSON {
                    try object("record", file) { try record.appendFields(to: &$0) }
                } else {
                    try record.appendText(to: &output.buffer)
                }
                try output.flushIfFull()
            }
        } catch let damage as MalformedBatch {
            problemCount += 1
            printDamage(damage, header.batchByteCount, at: position, of: file)
        }
    }

    private func printDamage(
        _ damage: MalformedBatch, _ byteCount: Int, at position: Int, of file: LogFile
    ) {
        if isJSON {
            object("damage", file) { line in
                JSONText.append(field: "position", number: position, to: &line)
                JSONText.append(field: "size", number: byteCount, to: &line)
                JSONText.append(field: "message", string: "\(damage)", to: &line)
            }
        } else {
            output.write("damage at position: \(position) size: \(byteCount) \(damage)\n")
        }
    }

    // MARK: Indexes

    /// A line of an index: numbers by name, and what is wrong.
    private mutating func printEntry(
        _ type: String, _ fields: [(name: StaticString, number: Int64)], _ problem: String?,
        of file: LogFile
    ) throws {
        if problem != nil { problemCount += 1 }
        if isJSON {
            object(type, file) { line in
                for (name, number) in fields {
                    JSONText.append(field: name, number: number, to: &line)
                }
                JSONText.append(field: "problem", optionalString: problem, to: &line)
            }
        } else {
            let text = fields.map { "\(Self.camelCase($0.name)): \($0.number)" }
                .joined(separator: " ")
            output.write(text + (problem.map { "  not right: \($0)" } ?? "") + "\n")
        }
        try output.flushIfFull()
    }

    /// Kafka's dump writes `producerId` where JSON here has `producer_id`.
    private static func camelCase(_ name: StaticString) -> String {
        let words = "\(name)".split(separator: "_")
        return words.prefix(1).joined()
            + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    private mutating func printOffsetIndex(_ file: LogFile) throws {
        for line in try file.offsetEntries() {
            try printEntry(
                "index",
                [("offset", line.entry.offset.rawValue), ("position", Int64(line.entry.position))],
                line.problem, of: file)
        }
    }

    private mutating func printTimeIndex(_ file: LogFile) throws {
        for line in try file.timeEntries() {
            try printEntry(
                "timeindex",
                [
                    ("timestamp", line.entry.timestamp.milliseconds),
                    ("offset", line.entry.offset.rawValue),
                ], line.problem, of: file)
        }
    }

    private mutating func printTransactionIndex(_ file: LogFile) throws {
        for line in try file.abortedTransactions() {
            try printEntry(
                "txnindex",
                [
                    ("version", 0), ("producer_id", line.entry.producerID),
                    ("first_offset", line.entry.first.rawValue),
                    ("last_offset", line.entry.last.rawValue),
                    ("last_stable_offset", line.entry.lastStable.rawValue),
                ], line.problem, of: file)
        }
    }

    // MARK: Other files

    private mutating func printProducers(_ file: LogFile) throws {
        for line in try file.producers() {
            try printEntry(
                "producer",
                [
                    ("producer_id", line.producer.id),
                    ("producer_epoch", Int64(line.producer.epoch)),
                    ("coordinator_epoch", Int64(line.coordinatorEpoch)),
                    ("current_txn_first_offset", line.firstOpen?.rawValue ?? -1),
                    ("last_timestamp", line.lastTimestamp.milliseconds),
                    ("last_sequence", Int64(line.lastSequence)), ("last_offset", line.lastOffset),
                    ("offset_delta", Int64(line.offsetDelta)),
                ], nil, of: file)
        }
    }

    private func printRecoveryPoints(_ file: LogFile) throws {
        for line in try file.recoveryPoints() {
            if isJSON {
                object("recovery_point", file) { text in
                    JSONText.append(
                        field: "topic_id", string: line.topicID.description, to: &text)
                    JSONText.append(
                        field: "partition", number: line.partition.rawValue, to: &text)
                    JSONText.append(field: "flushed", number: line.flushed.rawValue, to: &text)
                    JSONText.append(field: "start", number: line.start.rawValue, to: &text)
                    JSONText.append(field: "leader_epoch", number: line.leaderEpoch, to: &text)
                    JSONText.append(field: "write_number", number: line.writeNumber, to: &text)
                }
            } else {
                output.write(
                    "topicId: \(line.topicID) partition: \(line.partition) flushed: \(line.flushed) "
                        + "start: \(line.start) leaderEpoch: \(line.leaderEpoch) "
                        + "writeNumber: \(line.writeNumber)\n")
            }
        }
    }

    private func printLines(_ file: LogFile) throws {
        for line in try file.lines() {
            if isJSON {
                object("line", file) { JSONText.append(field: "text", string: line, to: &$0) }
            } else {
                output.write(line + "\n")
            }
        }
    }
}
