// Records in memory, to be sorted: bytes in one piece, and a few numbers for each record.

package import StreamJobsLog

package struct RecordTable {
    private var bytes: [UInt8] = []
    private var entries: [Entry] = []

    private struct Entry {
        let timestamp: Timestamp?
        let start: Int
        /// -1 for a null key.
        let keyCount: Int32
        let valueCount: Int32
        let line: Int
    }

    package init() {}

    package var count: Int { entries.count }

    package mutating func append(
        value: [UInt8], key: [UInt8]?, timestamp: Timestamp?, line: Int
    ) {
        entries.append(
            Entry(
                timestamp: timestamp, start: bytes.count, keyCount: Int32(key?.count ?? -1),
                valueCount: Int32(value.count), line: line))
        if let key { bytes += key }
        bytes += value
    }

    /// In the order of the timestamps; equal ones stay as they were.
    package mutating func sort() {
        entries.sort {
            ($0.timestamp ?? .distantPast, $0.start) < ($1.timestamp ?? .distantPast, $1.start)
        }
    }

    package func record(_ index: Int) -> (
        value: [UInt8], key: [UInt8]?, timestamp: Timestamp?, line: Int
    ) {
        let entry = entries[index]
        let keyEnd = entry.start + max(0, Int(entry.keyCount))
        return (
            Array(bytes[keyEnd..<keyEnd + Int(entry.valueCount)]),
            entry.keyCount < 0 ? nil : Array(bytes[entry.start..<keyEnd]), entry.timestamp,
            entry.line
        )
    }
}
