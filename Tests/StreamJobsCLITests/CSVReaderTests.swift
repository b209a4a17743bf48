// The CSV reader against tables that a small writer of its own writes, whatever the pieces they come in.

import StreamJobsCLI
import TestSupport
import Testing

struct CSVReaderTests {
    private struct Row: Equatable {
        let line: Int
        let fields: [String]
    }

    private func rows(_ text: String, sizes: [Int] = [.max]) throws -> [Row] {
        try rows(Pieces(text, sizes: sizes))
    }

    private func rows(_ source: Pieces) throws -> [Row] {
        var reader = CSVReader(source)
        var rows: [Row] = []
        while try reader.next() {
            let fields = (0..<reader.fieldCount).map {
                String(decoding: reader.field($0), as: UTF8.self)
            }
            rows.append(Row(line: reader.rowLine, fields: fields))
        }
        return rows
    }

    private func problem(_ bytes: some Sequence<UInt8>) -> String {
        message(exitCode: 65) { _ = try rows(Pieces(bytes)) }
    }

    @Test func `fields are divided by commas and rows by LF, CR LF or CR`() throws {
        let expected = [
            Row(line: 1, fields: ["a", "b"]), Row(line: 2, fields: ["1", ""]),
            Row(line: 3, fields: ["", "2"]),
        ]
        #expect(try rows("a,b\n1,\n,2\n") == expected)
        #expect(try rows("a,b\r\n1,\r\n,2\r\n") == expected)
        #expect(try rows("a,b\r1,\r,2\r") == expected)
        #expect(try rows("a,b\n1,\n,2") == expected)
    }

    @Test func `quotes hold commas, line ends and doubled quotes`() throws {
        let text = #"""
            "a,b","say ""hi""",""
            "first
            second",x,"y"
            plain " and "" quotes,1,2
            """#
        #expect(
            try rows(text) == [
                Row(line: 1, fields: ["a,b", #"say "hi""#, ""]),
                Row(line: 2, fields: ["first\nsecond", "x", "y"]),
                Row(line: 4, fields: [#"plain " and "" quotes"#, "1", "2"]),
            ])
    }

    @Test func `a byte order mark and empty lines are left out, and lines are still counted`()
        throws
    {
        #expect(
            try rows("\u{feff}a\n\n\r\n\"\"\n\nb") == [
                Row(line: 1, fields: ["a"]), Row(line: 4, fields: [""]),
                Row(line: 6, fields: ["b"]),
            ])
        #expect(try rows("\u{feff}a", sizes: [1]) == [Row(line: 1, fields: ["a"])])
        #expect(try rows("").isEmpty)
        #expect(try rows("\u{feff}").isEmpty)
        #expect(try rows("\r\n\n").isEmpty)
    }

    @Test func `what is broken is named with the line that its row begins in`() {
        #expect(
            problem("a,b\n1,\"x\ny\n2,3\n".utf8)
                == "test.csv line 2: the quote that is opened in line 2 is never closed")
        #expect(
            problem("a,b\n\"1\n2\",\"x\ny\n".utf8)
                == "test.csv line 2: the quote that is opened in line 3 is never closed")
        #expect(
            problem("a,b\n\n1,\"x\"y\n".utf8)
                == "test.csv line 3: field 2 goes on behind its closing quote (a quote inside a quoted "
                + "field is written twice)")
        #expect(
            problem(Array("a,b\n1,caf".utf8) + [0xe9] + Array("\n".utf8))
                == "test.csv line 2: field 2 is not UTF-8; save the file as UTF-8")
    }

    @Test func `a character cut in two by a comma is no UTF-8`() {
        // Put together the two fields would be an é.
        #expect(problem([0xc3, UInt8(ascii: ","), 0xa9]).contains("field 1 is not UTF-8"))
    }

    @Test func `a quote that is never closed does not fill the memory`() {
        let text = "a\n\"" + String(repeating: "x", count: Limits.rowBytesMax + 1)
        #expect(problem(text.utf8).contains("line 2: the row is longer than 4 MiB"))
    }

    @Test func `a row of commas alone does not fill the memory`() {
        let text = "a\n" + String(repeating: ",", count: Limits.rowBytesMax + 1)
        #expect(problem(text.utf8).contains("line 2: the row is longer than 4 MiB"))
    }

    @Test func `any table comes back as it was written, in pieces of any size`() throws {
        var generator = SeededGenerator.seeded()
        for _ in 0..<300 {
            let table = RandomTable(using: &generator)
            let sizes = (0..<20).map { _ in Int.random(in: 1...40, using: &generator) }
            let read = try rows(table.text, sizes: sizes)
            #expect(read.map(\.fields) == table.rows)
            #expect(read.map(\.line) == table.lines)
        }
    }

    /// A table and its text, with every liberty that the format leaves.
    private struct RandomTable {
        var rows: [[String]] = []
        /// The line that each row begins in.
        var lines: [Int] = []
        var text = ""

        init(using generator: inout SeededGenerator) {
            let pieces = [
                "a", "9E", " ", ",", "\"", "\n", "\r\n", "\r", "é", "漢", "😀", "NA", "\0", "\t",
            ]
            let lineEnd = ["\n", "\r\n", "\r"].randomElement(using: &generator) ?? "\n"
            let columns = Int.random(in: 1...5, using: &generator)
            if Bool.random(using: &generator) { text = "\u{feff}" }
            var line = 1
            for _ in 0..<Int.random(in: 0...12, using: &generator) {
                while Int.random(in: 0..<6, using: &generator) == 0 {
                    text += lineEnd
                    line += 1
                }
                lines.append(line)
                let row = (0..<columns).map { _ in
                    (0..<Int.random(in: 0...4, using: &generator)).map { _ in
                        pieces.randomElement(using: &generator) ?? ""
                    }.joined()
                }
                rows.append(row)
                text += row.map { Self.written($0, isAlone: columns == 1, &generator) }
                    .joined(separator: ",")
                text += lineEnd
                line += 1 + row.joined(separator: ",").utf8.count { $0 == UInt8(ascii: "\n") }
            }
            // The last row needs no end.
            if !rows.isEmpty, Bool.random(using: &generator) {
                text.unicodeScalars.removeLast(lineEnd.unicodeScalars.count)
            }
        }

        private static func written(
            _ field: String, isAlone: Bool, _ generator: inout SeededGenerator
        ) -> String {
            let needsQuotes =
                field.utf8.contains { ",\r\n".utf8.contains($0) } || field.hasPrefix("\"")
                || (isAlone && field.isEmpty)
            guard needsQuotes || Bool.random(using: &generator) else { return field }
            var text = "\""
            for scalar in field.unicodeScalars {
                text.unicodeScalars.append(scalar)
                if scalar == "\"" { text.unicodeScalars.append(scalar) }
            }
            return text + "\""
        }
    }
}
