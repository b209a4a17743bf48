// CSV as RFC 4180 has it, with its errors named by line, against a writer that shares nothing with
// the reader.

import StreamJobsLog
import TestSupport
import Testing

@testable import StreamJobsCLI

struct CSVFileTests {
    /// The columns and the fields of all rows, as text.
    private func table(_ bytes: [UInt8]) throws -> (columns: [String], rows: [[String]]) {
        let file = try CSVFile(path: "f.csv", bytes: bytes)
        let rows = file.rows.map { file.fields(of: $0).map { String(decoding: $0, as: UTF8.self) } }
        return (file.columns, rows)
    }

    private func rows(_ text: String) throws -> [[String]] { try table(Array(text.utf8)).rows }

    /// The one sentence that reading `bytes` ends with; nil if they are read.
    private func problem(_ bytes: [UInt8]) -> String? {
        do {
            _ = try CSVFile(path: "f.csv", bytes: bytes)
            return nil
        } catch let error as CommandError {
            #expect(error.exitCode == 65)
            return error.message
        } catch { return "another error: \(error)" }
    }

    @Test(
        "rows",
        arguments: [
            ("a,b\n1,2\n", [["1", "2"]]),
            ("a,b\n1,2", [["1", "2"]]),
            ("a,b\r\n1,2\r\n", [["1", "2"]]),
            ("a\r1\r2\r", [["1"], ["2"]]),
            ("a,b\n\n1,2\n\n\n3,4\n\n", [["1", "2"], ["3", "4"]]),
            ("a,b\n,\n", [["", ""]]),
            ("a,b\n\"\",\"x,y\"\n", [["", "x,y"]]),
            ("a,b\n\"1\n2\",\"3\r\n4\"\n", [["1\n2", "3\r\n4"]]),
            ("a,b\n\"\"\"\",\"say \"\"hi\"\"\"\n", [["\"", "say \"hi\""]]),
            ("a,b\nx\"y, z \n", [["x\"y", " z "]]),
            ("a,b\n1,\0\n", [["1", "\0"]]),
            ("a,b", []),
            ("a,b\n", []),
        ] as [(String, [[String]])])
    func reads(_ text: String, _ expected: [[String]]) throws {
        #expect(try rows(text) == expected)
    }

    @Test func `a byte order mark is no part of the first column's name`() throws {
        let plain = try table([0xef, 0xbb, 0xbf] + Array("a,b\n1,2\n".utf8))
        #expect(plain.columns == ["a", "b"])
        let quoted = try table([0xef, 0xbb, 0xbf] + Array("\"a\",b\n1,2\n".utf8))
        #expect(quoted.columns == ["a", "b"])
        #expect(quoted.rows == [["1", "2"]])
    }

    @Test(
        "damage is told with its line",
        arguments: [
            ("", "f.csv is empty: its first line must name the columns"),
            ("\n\r\n", "f.csv is empty: its first line must name the columns"),
            ("a,b\n1,2\n3\n", "f.csv line 3: 1 field where the first line has 2 columns"),
            ("a,b\n1,2,3\n", "f.csv line 2: 3 fields where the first line has 2 columns"),
            ("a,b\n\n\n1\n", "f.csv line 4: 1 field where the first line has 2 columns"),
            (
                "a,b\r\n\"x\r\ny\",\"1\n2\n3\"\r\nbad\r\n",
                "f.csv line 6: 1 field where the first line has 2 columns"
            ),
            ("a,b\n1,\"x\n2,y\n", "f.csv line 2: a quote is opened and never closed"),
            ("\"a,b\n1,2\n", "f.csv line 1: a quote is opened and never closed"),
            (
                "a,b\n1,2\n\"x\"y,2\n",
                "f.csv line 3: text behind a closing quote; a comma was expected"
            ),
            ("a,b,a\n1,2,3\n", "f.csv line 1: the column 'a' is named twice"),
        ])
    func damage(_ text: String, _ sentence: String) {
        #expect(problem(Array(text.utf8)) == sentence)
    }

    @Test(
        "bytes that are no UTF-8 are told with their line",
        arguments: [
            [0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0x80],
        ] as [[UInt8]])
    func notUTF8(_ bytes: [UInt8]) {
        let text = Array("a,b\n1,2\n3,".utf8) + bytes + Array("\n".utf8)
        #expect(problem(text) == "f.csv line 3: a field is not UTF-8 text")
    }

    @Test func `a column that is not there is told with those that are`() throws {
        let file = try CSVFile(path: "f.csv", bytes: Array("a,b\n1,2\n".utf8))
        #expect(try file.index(ofColumn: "b") == 1)
        let error = #expect(throws: CommandError.self) { try file.index(ofColumn: "c") }
        #expect(error?.message == "f.csv has no column 'c'; it has a, b")
        #expect(error?.exitCode == 65)
    }

    @Test func `rows are sorted by their timestamps and stay in order where these are equal`()
        throws
    {
        var file = try CSVFile(
            path: "f.csv",
            bytes: Array("t,x\n2013-01-02,a\n5,\"b\nb\"\n2013-01-02T00:00:00Z,c\n5,d\n-1,e\n".utf8))
        try file.readTimestamps(from: file.index(ofColumn: "t"))
        file.sort()
        let names = file.rows.map { String(decoding: file.fields(of: $0)[1], as: UTF8.self) }
        #expect(names == ["e", "b\nb", "d", "a", "c"])
        #expect(file.rows.map(\.line) == [7, 3, 6, 2, 5])
        #expect(
            file.rows.map(\.timestamp?.milliseconds) == [
                -1, 5, 5, 1_357_084_800_000, 1_357_084_800_000,
            ])
    }

    @Test func `a timestamp that is none is told with its line and column`() throws {
        var file = try CSVFile(path: "f.csv", bytes: Array("t\n\"1\"\n2013-02-29\n".utf8))
        let error = #expect(throws: CommandError.self) { try file.readTimestamps(from: 0) }
        let message = try #require(error?.message)
        #expect(message.hasPrefix("f.csv line 3: '2013-02-29' in the column 't' is no timestamp"))
    }

    @Test func `what any table is written as is read as that table`() throws {
        var generator = SeededGenerator.seeded()
        for _ in 0..<300 {
            let columnCount = Int.random(in: 1...5, using: &generator)
            let columns = (0..<columnCount).map { "c\($0)" }
            let rows = (0..<Int.random(in: 0...8, using: &generator)).map { _ in
                (0..<columnCount).map { _ in RandomCSV.field(using: &generator) }
            }
            let text = RandomCSV.text([columns] + rows, using: &generator)
            let table = try table(Array(text.utf8))
            #expect(table.columns == columns, "\(text.debugDescription)")
            #expect(table.rows == rows, "\(text.debugDescription)")
        }
    }

    @Test func `a broken row behind any table is told with the line it begins on`() throws {
        var generator = SeededGenerator.seeded()
        for _ in 0..<200 {
            let rows = (0..<Int.random(in: 0...6, using: &generator)).map { _ in
                (0..<2).map { _ in RandomCSV.field(using: &generator) }
            }
            let text = RandomCSV.text(
                [["a", "b"]] + rows, using: &generator, endsWithNewline: true)
            // A lone carriage return within quotes is no line's end for most tools, nor here.
            let line = text.unicodeScalars.count { $0 == "\n" } + 1
            #expect(
                problem(Array((text + "1,2,3").utf8))
                    == "f.csv line \(line): 3 fields where the first line has 2 columns",
                "\(text.debugDescription)")
        }
    }
}

/// A writer of CSV of its own, which quotes where it must and, by chance, where it need not.
private enum RandomCSV {
    static func field(using generator: inout SeededGenerator) -> String {
        let pieces = [
            "", "a", "NA", "1.5", ",", "\"", "\n", "\r\n", "\r", " ", "é", "→", "😀", "\0", "|",
        ]
        return (0..<Int.random(in: 0...4, using: &generator))
            .map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
    }

    static func text(
        _ rows: [[String]], using generator: inout SeededGenerator, endsWithNewline: Bool? = nil
    ) -> String {
        let newline = Bool.random(using: &generator) ? "\n" : "\r\n"
        let lines = rows.map { row in
            let mustQuote = row == [""]
            return row.map { field in
                let isSpecial = field.unicodeScalars.contains {
                    ",\"\r\n".unicodeScalars.contains($0)
                }
                guard isSpecial || mustQuote || Bool.random(using: &generator) else { return field }
                var quoted = "\""
                for scalar in field.unicodeScalars {
                    if scalar == "\"" { quoted.unicodeScalars.append("\"") }
                    quoted.unicodeScalars.append(scalar)
                }
                quoted.unicodeScalars.append("\"")
                return quoted
            }.joined(separator: ",")
        }
        let ends = endsWithNewline ?? Bool.random(using: &generator)
        return lines.joined(separator: newline) + (ends ? newline : "")
    }
}
