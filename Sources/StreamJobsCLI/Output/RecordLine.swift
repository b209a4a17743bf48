// What `consume` prints of a record.

import StreamJobsLog

enum RecordLine {
    /// One JSON object: topic, partition, offset, timestamp, key, value, headers. Throws `corrupted`.
    static func appendJSON(
        of record: borrowing RecordView, in name: TopicPartition, to line: inout [UInt8]
    ) throws {
        line.append(UInt8(ascii: "{"))
        JSONText.append(name, to: &line)
        JSONText.append(field: "offset", number: record.offset.rawValue, to: &line)
        JSONText.append(field: "timestamp", number: record.timestamp.milliseconds, to: &line)
        try appendContent(of: record, to: &line)
        line += "}\n".utf8
    }

    /// Appends the fields key, value and headers. Throws `corrupted`.
    static func appendContent(of record: borrowing RecordView, to line: inout [UInt8]) throws {
        record.withKey { JSONText.append(field: "key", bytes: $0, to: &line) }
        record.withValue { JSONText.append(field: "value", bytes: $0, to: &line) }
        JSONText.append(name: "headers", to: &line)
        line.append(UInt8(ascii: "["))
        for (index, header) in try record.headers().enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            append(header, to: &line)
        }
        line.append(UInt8(ascii: "]"))
    }

    private static func append(_ header: Header, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "{"))
        JSONText.append(field: "key", string: header.key, to: &line)
        if let value = header.value {
            value.withUnsafeBytes { JSONText.append(field: "value", bytes: $0, to: &line) }
        } else {
            JSONText.append(field: "value", bytes: nil, to: &line)
        }
        line.append(UInt8(ascii: "}"))
    }
}
