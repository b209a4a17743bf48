// What goes into a record comes out of it, byte for byte.

import StreamJobsLog
import Testing

struct RecordViewTests {
    private let log: TestLog

    init() throws { log = try TestLog() }

    /// Appends `entries` as one batch and gives what is read, after a reopen.
    private func roundTrip(_ entries: [Entry]) throws -> [Entry] {
        try log.withPartition { partition in
            let batch = BatchBuilder()
            for entry in entries {
                try batch.append(
                    key: entry.key, value: entry.value,
                    timestamp: Timestamp(milliseconds: entry.timestamp), headers: entry.headers)
            }
            _ = try withExtendedLifetime(batch) { try partition.append(batch.seal()) }
        }
        return try log.withPartition { try $0.entries() }
    }

    @Test func `null is not empty`() throws {
        let entries = [
            Entry(offset: 0, key: nil, value: nil), Entry(offset: 1, key: [], value: nil),
            Entry(offset: 2, key: nil, value: []), Entry(offset: 3, key: [], value: []),
        ]
        #expect(try roundTrip(entries) == entries)
    }

    @Test func `every timestamp is stored as it is`() throws {
        let times: [Int64] = [
            5, -1, 0, -62_135_596_800_000, 253_402_300_799_999, .max, .min, .max - 1,
        ]
        for start in times.indices {
            let batch = BatchBuilder()
            let rotated = times[start...] + times[..<start]
            for time in rotated {
                try batch.append(key: nil, value: [], timestamp: Timestamp(milliseconds: time))
            }
            let sealed = Array(batch.seal())
            #expect(try entries(sealed).map(\.timestamp) == Array(rotated))
        }
        let stored = times.enumerated().map { Entry(offset: Int64($0), timestamp: $1) }
        #expect(try roundTrip(stored) == stored)
    }

    @Test func `headers keep their order, their doubles, null and empty values`() throws {
        let headers = [
            Header("a", [1]), Header("a", nil), Header("", []), Header("é", [0, 255]),
            Header("a", [1]),
        ]
        let entries = [Entry(offset: 0, headers: headers), Entry(offset: 1)]
        #expect(try roundTrip(entries) == entries)
    }

    @Test func `ten thousand headers and a key of a megabyte fit`() throws {
        let headers = (0..<10_000).map { Header("header \($0)", [UInt8($0 & 255)]) }
        let headerEntry = [Entry(offset: 0, headers: headers)]
        #expect(try roundTrip(headerEntry) == headerEntry)
        let key = [UInt8](repeating: 7, count: 1_000_000)
        let keyEntry = [Entry(offset: 1, key: key, value: nil)]
        #expect(try Array(roundTrip(keyEntry).suffix(1)) == keyEntry)
    }

    @Test func `a kept copy of a record has its bytes and knows null from empty`() throws {
        for (key, value) in [(nil, nil), ([], []), ([1, 2], nil), (nil, [3])]
            as [([UInt8]?, [UInt8]?)]
        {
            let batch = BatchBuilder()
            try batch.append(key: key, value: value, timestamp: Timestamp(milliseconds: 9))
            let sealed = Array(batch.seal())
            try sealed.withUnsafeBytes { sealed in
                var records = BatchRecords(sealed, try BatchHeader(sealed))
                guard let record = try records.next() else {
                    Issue.record("the batch has no record")
                    return
                }
                let entry = try OwnedRecord(record).withView { try Entry($0) }
                #expect(entry == Entry(offset: 0, key: key, value: value, timestamp: 9))
            }
        }
    }

    // MARK: What others wrote

    @Test func `batches of another implementation are read`() throws {
        let plain = try entries(KafkaPythonBatches.plain)
        let headers = [
            Header("source", Array("csv".utf8)), Header("source", nil), Header("", []),
        ]
        #expect(
            plain == [
                Entry(
                    offset: 0, key: Array("EWR|2013-01-01".utf8), value: Array("{}".utf8),
                    timestamp: 1_357_016_400_000, headers: headers),
                Entry(offset: 1, key: nil, value: [], timestamp: -1),
                Entry(offset: 2, key: [], value: nil, timestamp: 0),
                Entry(
                    offset: 3, key: [UInt8](repeating: 0x6b, count: 70),
                    value: [UInt8](repeating: 0x76, count: 130), timestamp: 253_402_300_799_999,
                    headers: [Header("hé", [0, 255])]),
            ])
    }

    @Test func `a file that another implementation wrote opens, and its transaction can be ended`()
        throws
    {
        try writeFile(
            try log.segments[0], KafkaPythonBatches.plain + KafkaPythonBatches.transactional)
        try log.withPartition { partition in
            #expect(partition.logEndOffset == Offset(6))
            #expect(partition.lastStableOffset == Offset(4))
            #expect(partition.openTransactions.map(\.producer) == [ProducerStamp(id: 7, epoch: 3)])
            try partition.end(ProducerStamp(id: 7, epoch: 3), with: .commit)
            #expect(
                try partition.entries(from: 4) == [
                    Entry(offset: 4, key: [0x61], value: [0x31], timestamp: 1000),
                    Entry(offset: 5, key: [0x62], value: [0x32], timestamp: 999),
                ])
        }
    }

    @Test func `our bytes for the same records are those of the other implementation`() throws {
        let batch = BatchBuilder()
        for entry in try entries(KafkaPythonBatches.plain) {
            try batch.append(
                key: entry.key, value: entry.value,
                timestamp: Timestamp(milliseconds: entry.timestamp), headers: entry.headers)
        }
        #expect(Array(batch.seal()) == KafkaPythonBatches.plain)
    }

    /// Kafka: where attribute bit 3 says so, the time of the append stands for that of every record.
    @Test func `a batch with append time has one timestamp for all its records`() throws {
        var batch = KafkaPythonBatches.plain
        batch[22] |= 1 << 3
        #expect(Set(try entries(batch).map(\.timestamp)) == [253_402_300_799_999])
    }

    private func entries(_ batch: [UInt8]) throws -> [Entry] {
        try batch.withUnsafeBytes { batch in
            var records = BatchRecords(batch, try BatchHeader(batch))
            var entries: [Entry] = []
            while let record = try records.next() { entries.append(try Entry(record)) }
            return entries
        }
    }
}
