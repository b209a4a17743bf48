// The line of a record in a dump, as Kafka's dump tool writes it, and the same as JSON.

import StreamJobsLog

/// A record of a batch, or a transaction's marker.
struct DumpedRecord: ~Copyable {
    let view: RecordView
    let header: BatchHeader

    /// The sequence of the record; -1 where its producer does not count.
    private var sequence: Int64 {
        guard header.baseSequence >= 0 else { return -1 }
        let delta = view.offset.rawValue - header.baseOffset
        return (Int64(header.baseSequence) + delta) & Int64(Int32.max)
    }

    func appendText(to line: inout [UInt8]) throws {
        let keySize = view.withKey { $0?.count ?? -1 }
        let valueSize = view.withValue { $0?.count ?? -1 }
        let headers = try view.headers()
        line += "| offset: \(view.offset) ".utf8
        line += header.isAppendTime ? "LogAppendTime".utf8 : "CreateTime".utf8
        line += ": \(view.timestamp) keySize: \(keySize) valueSize: \(valueSize) ".utf8
        line += "sequence: \(sequence) ".utf8
        line += "headerKeys: [\(headers.map(\.key).joined(separator: ","))]".utf8
        if header.isControl {
            line += " endTxnMarker: \(marker.name) coordinatorEpoch: \(marker.epoch)".utf8
        } else {
            if keySize >= 0 {
                line += " key: ".utf8
                view.withKey { if let key = $0 { line += key } }
            }
            line += " payload: ".utf8
            view.withValue { if let value = $0 { line += value } else { line += "null".utf8 } }
        }
        line.append(UInt8(ascii: "\n"))
    }

    func appendFields(to line: inout [UInt8]) throws {
        JSONText.append(field: "offset", number: view.offset.rawValue, to: &line)
        JSONText.append(field: "timestamp", number: view.timestamp.milliseconds, to: &line)
        JSONText.append(field: "sequence", number: sequence, to: &line)
        guard !header.isControl else {
            JSONText.append(field: "marker", string: marker.name.lowercased(), to: &line)
            JSONText.append(field: "coordinator_epoch", number: marker.epoch, to: &line)
            return
        }
        try RecordLine.appendContent(of: view, to: &line)
    }

    private var marker: (name: String, epoch: Int32) {
        let marker = view.withKey { $0.flatMap(TransactionMarker.init(key:)) }
        let epoch = view.withValue { TransactionMarker.coordinatorEpoch(value: $0) }
        return switch marker {
        case .commit: ("COMMIT", epoch)
        case .abort: ("ABORT", epoch)
        case nil: ("UNKNOWN", epoch)
        }
    }
}

/// Goes through the records of batches, compressed or not. Belongs to one thread.
struct DumpedRecords {
    private let walk = BatchRecordWalk()

    /// Throws `MalformedBatch`, and what `body` throws.
    func forEachRecord(
        of batch: UnsafeRawBufferPointer, _ header: BatchHeader,
        _ body: (borrowing DumpedRecord) throws -> Void
    ) throws {
        try walk.forEachRecord(of: batch, header) { view in
            try body(DumpedRecord(view: view, header: header))
        }
    }
}
