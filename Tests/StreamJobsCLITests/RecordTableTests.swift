// Records kept in memory, against an array that is sorted by the standard library's stable rules.

import StreamJobsCLI
import StreamJobsLog
import TestSupport
import Testing

struct RecordTableTests {
    @Test func `sorting goes by timestamp and keeps the order of equal ones`() {
        var generator = SeededGenerator.seeded()
        var table = RecordTable()
        var expected: [(value: [UInt8], key: [UInt8]?, time: Int64)] = []
        for line in 0..<500 {
            let bytes = (0..<Int.random(in: 0...5, using: &generator)).map { _ in
                UInt8.random(in: .min ... .max, using: &generator)
            }
            let key: [UInt8]? = Bool.random(using: &generator) ? bytes : nil
            let value = Array("\(line)".utf8)
            let time = Int64.random(in: -5...5, using: &generator)
            table.append(
                value: value, key: key, timestamp: Timestamp(milliseconds: time), line: line)
            expected.append((value, key, time))
        }
        table.sort()
        expected = (-5...5).flatMap { time in expected.filter { $0.time == time } }
        #expect(table.count == expected.count)
        for (index, record) in expected.enumerated() {
            let found = table.record(index)
            #expect(found.value == record.value)
            #expect(found.key == record.key)
            #expect(found.timestamp?.milliseconds == record.time)
        }
    }
}
