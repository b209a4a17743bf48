// From CSV rows to records, with Foundation's JSON reader as the oracle.

import Foundation
import StreamJobsCLI
import StreamJobsLog
import TestSupport
import Testing

struct CSVRecordReaderTests {
    private struct Read: Equatable {
        let key: String?
        let value: String
        var timestamp: Int64?
    }

    private func records(_ text: String, key: [String] = [], timestamp: String? = nil) throws
        -> [Read]
    {
        var reader = try CSVRecordReader(
            Pieces(text), columns: CSVColumns(key: key, timestamp: timestamp))
        var records: [Read] = []
        while try reader.next() {
            records.append(
                Read(
                    key: reader.key.map { String(decoding: $0, as: UTF8.self) },
                    value: String(decoding: reader.value, as: UTF8.self),
                    timestamp: reader.timestamp?.milliseconds))
        }
        return records
    }

    private func problem(_ text: String, key: [String] = [], timestamp: String? = nil) -> String {
        message(exitCode: 65) { _ = try records(text, key: key, timestamp: timestamp) }
    }

    @Test func `a row becomes an object with the columns in their order`() throws {
        let text = """
            carrier,dep_delay,tailnum,"say ""x""\"
            9E,-2.5,NA,
            UA,011,"N1,2",true
            """
        #expect(
            try records(text, key: ["carrier"]) == [
                Read(
                    key: "9E",
                    value:
                        #"{"carrier":"9E","dep_delay":-2.5,"tailnum":null,"say \"x\"":null}"#),
                Read(
                    key: "UA",
                    value:
                        #"{"carrier":"UA","dep_delay":"011","tailnum":"N1,2","say \"x\"":"true"}"#
                ),
            ])
    }

    @Test(arguments: [
        (["a"], "1,2", "1"), (["a", "b"], "1,2", "1|2"), (["b", "a"], "1,2", "2|1"),
        (["a"], "NA,2", nil), (["a"], ",2", nil), (["a", "b"], "NA,2", "|2"),
        (["a", "b"], "1,", "1|"), (["a", "b"], "NA,NA", "|"), (["a", "b", "a"], "x,y", "x|y|x"),
        ([], "1,2", nil), (["a"], "\"1|,\",2", "1|,"),
    ])
    func `the key is the text of its columns`(columns: [String], row: String, key: String?) throws {
        #expect(try records("a,b\n" + row, key: columns).map(\.key) == [key])
    }

    @Test func `a column gives the timestamp, and none gives none`() throws {
        let text = "t,v\n2013-01-01T10:00:00Z,1\n1357034400001,2\n"
        #expect(
            try records(text, timestamp: "t").map(\.timestamp)
                == [1_357_034_400_000, 1_357_034_400_001])
        #expect(try records(text).map(\.timestamp) == [nil, nil])
    }

    @Test func `a header without rows has no records`() throws {
        #expect(try records("a,b\n").isEmpty)
    }

    @Test func `what is wrong is named with its line and what was expected`() {
        #expect(
            problem("a,b\n1,2\n\n1,2,3\n")
                == "test.csv line 4: 3 fields where the first line has 2 columns")
        #expect(
            problem("\na,b\n1\n") == "test.csv line 3: 1 field where the first line has 2 columns")
        #expect(problem("a,b,a\n") == "test.csv line 1: the column 'a' is named twice")
        #expect(problem("") == "test.csv is empty: its first line must name the columns")
        #expect(problem("a,b\n", key: ["c"]) == "test.csv has no column 'c'; it has a, b")
        #expect(problem("a,b\n", timestamp: "A") == "test.csv has no column 'A'; it has a, b")
        #expect(
            problem("t\n2013-01-01\nsoon\n", timestamp: "t")
                == "test.csv line 3: 'soon' in the column 't' is no timestamp (use "
                + "2013-01-01T10:00:00Z or milliseconds)")
        #expect(problem("t,v\nNA,1\n", timestamp: "t").contains("'NA' in the column 't'"))
    }

    @Test func `Foundation reads every object as it was meant`() throws {
        var generator = SeededGenerator.seeded()
        let fields = [
            "0", "-0", "12", "-1.50", "1e3", "1E-2", "9E", "01", "+1", ".5", "1.", "NA", "", "null",
            "true", "é", "\"", "\\", "\u{1}", "\u{7f}", "\n", "\r\n", "\t", "a/b", "😀", "\u{2028}",
        ]
        for _ in 0..<200 {
            let columns = (0..<4).map { "c\($0)" + (fields.randomElement(using: &generator) ?? "") }
            let row = columns.map { _ in fields.randomElement(using: &generator) ?? "" }
            let text = [columns, row].map { line in
                line.map { "\"" + $0.replacingOccurrences(of: "\"", with: "\"\"") + "\"" }
                    .joined(separator: ",")
            }.joined(separator: "\n")
            let value = try #require(try records(text).first).value
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(value.utf8)) as? [String: Any])
            #expect(object.count == columns.count)
            for (name, field) in zip(columns, row) {
                try expect(object[name], isWhatIsMeantBy: field)
            }
            let positions = columns.compactMap { name in
                value.firstRange(of: "\"c\(name.dropFirst().prefix(1))")?.lowerBound
            }
            #expect(positions == positions.sorted() && positions.count == columns.count)
        }
    }

    private func expect(_ value: Any?, isWhatIsMeantBy field: String) throws {
        let numbers = ["0", "-0", "12", "-1.50", "1e3", "1E-2"]
        if field.isEmpty || field == "NA" {
            #expect(value is NSNull)
        } else if numbers.contains(field) {
            #expect((value as? NSNumber)?.doubleValue == Double(field))
        } else {
            #expect(value as? String == field)
        }
    }
}
