// Lines against splitting the whole text at once, and how a line becomes key and value.

import StreamJobsCLI
import TestSupport
import Testing

struct LineReaderTests {
    private func lines(_ text: String, sizes: [Int] = [.max]) throws -> [String] {
        var reader = LineReader(Pieces(text, sizes: sizes))
        var lines: [String] = []
        while let line = try reader.next() { lines.append(String(decoding: line, as: UTF8.self)) }
        #expect(reader.count == lines.count)
        let behindTheLast = try reader.next()
        #expect(behindTheLast == nil)
        return lines
    }

    @Test(arguments: [
        ("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\nb", ["a", "b"]), ("\n", [""]),
        ("\n\n", ["", ""]), ("a\r\nb\r\n", ["a", "b"]), ("a\r", ["a"]), ("a\rb\n", ["a\rb"]),
        ("a\n\nb", ["a", "", "b"]),
    ])
    func `lines end with LF or CR LF, the last one also at the end`(
        text: String, expected: [String]
    )
        throws
    {
        #expect(try lines(text) == expected)
        #expect(try lines(text, sizes: [1]) == expected)
    }

    @Test func `any text is split as if it were in one piece`() throws {
        var generator = SeededGenerator.seeded()
        for _ in 0..<200 {
            let expected = (0..<Int.random(in: 0...20, using: &generator)).map { _ in
                String(repeating: "x", count: .random(in: 0...30, using: &generator))
            }
            let sizes = (0..<30).map { _ in Int.random(in: 1...50, using: &generator) }
            #expect(try lines(expected.map { $0 + "\n" }.joined(), sizes: sizes) == expected)
        }
    }

    @Test func `a whole line is at hand before more is read`() throws {
        var reader = LineReader(Pieces("a\nb\nc", sizes: [4, 1]))
        var isAtHand: [Bool] = []
        for _ in 0..<3 {
            isAtHand.append(reader.hasLine())
            _ = try reader.next()
        }
        #expect(isAtHand == [false, true, false])
    }

    @Test func `a line without an end does not fill the memory`() {
        let text = "a\n" + String(repeating: "x", count: Limits.rowBytesMax + 2)
        let message = message(exitCode: 65) {
            var reader = LineReader(Pieces(text, sizes: [100_000]))
            while try reader.next() != nil {}
        }
        #expect(
            message.hasPrefix(
                "test.csv line 2: the line is longer than 4194304 bytes, too long for a record"))
    }

    private func split(_ line: String, separator: String?) throws -> [String?] {
        var format = LineFormat()
        format.keySeparator = separator.map(LineFormat.bytes)
        let record = try LineSource(Pieces(""), format).record(ArraySlice(line.utf8), number: 7)
        return [record.key, record.value].map { $0.map { String(decoding: $0, as: UTF8.self) } }
    }

    @Test(
        arguments: [
            ("a:b", nil, [nil, "a:b"]), ("a:b", ":", ["a", "b"]), ("a:b:c", ":", ["a", "b:c"]),
            (":b", ":", ["", "b"]), ("a:", ":", ["a", ""]), ("a::b", "::", ["a", "b"]),
            ("a:b::c", "::", ["a:b", "c"]), ("a\tb", #"\t"#, ["a", "b"]), ("", nil, [nil, ""]),
            ("a=>\tb", #"=>\t"#, ["a", "b"]),
        ] as [(String, String?, [String?])])
    func `the first separator divides key and value`(
        line: String, separator: String?, expected: [String?]
    ) throws {
        #expect(try split(line, separator: separator) == expected)
    }

    @Test func `a line without the separator is named`() {
        #expect(
            message(exitCode: 65) { _ = try split("ab", separator: "::") }
                == "test.csv line 7: there is no key separator '::'")
    }
}
