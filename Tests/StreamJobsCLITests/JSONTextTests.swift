// JSON written by hand, against RFC 8259 and Foundation's reader; base64 against Foundation's.

import Foundation
import TestSupport
import Testing

@testable import StreamJobsCLI

struct JSONTextTests {
    private func string(_ text: String) -> String {
        var json: [UInt8] = []
        JSONText.append(string: text, to: &json)
        return String(decoding: json, as: UTF8.self)
    }

    private func readByFoundation(_ json: String) throws -> String? {
        let array = try JSONSerialization.jsonObject(with: Data("[\(json)]".utf8)) as? [String]
        return array?.first
    }

    @Test(
        "numbers by JSON's grammar",
        arguments: [
            "0", "-0", "1", "-1", "10", "1234567890123456789012345678901234567890", "0.0", "-0.5",
            "1.50", "0e0", "0E+0", "1e5", "1E-3", "-12.75e+10", "1e999",
        ])
    func isNumber(_ text: String) { #expect(JSONText.isNumber(Array(text.utf8))) }

    @Test(
        "no numbers by JSON's grammar",
        arguments: [
            "", "-", "+1", "01", "-01", "00", "1.", ".5", "-.5", "1.e5", "1e", "1e+", "1E-", "9E",
            "1e5.0",
            "1 ", " 1", "1\n", "0x10", "1_000", "1,5", "NaN", "Infinity", "-Infinity", "inf", "--1",
            "1-1",
            "1e5e5", "1..2", "٣", "1\0", "e5", "true",
        ])
    func isNoNumber(_ text: String) { #expect(!JSONText.isNumber(Array(text.utf8))) }

    @Test func `what is a number is one for an expression of the grammar too`() throws {
        var generator = SeededGenerator.seeded()
        let grammar = try NSRegularExpression(
            pattern: #"\A-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\z"#)
        for _ in 0..<5000 {
            let text = String(
                (0..<Int.random(in: 0...7, using: &generator))
                    .map { _ in "0019-+.eE ".randomElement(using: &generator) ?? "0" })
            let range = NSRange(location: 0, length: text.utf16.count)
            let expected = grammar.firstMatch(in: text, range: range) != nil
            #expect(JSONText.isNumber(Array(text.utf8)) == expected, "\(text.debugDescription)")
        }
    }

    @Test func `every character below U+0080 is read back as it was`() throws {
        for code in UInt8(0)..<0x80 {
            let text = "a\(Character(UnicodeScalar(code)))b"
            #expect(try readByFoundation(string(text)) == text, "U+\(String(code, radix: 16))")
        }
    }

    @Test(
        "strings",
        arguments: [
            ("", #""""#), ("\"\\/", #""\"\\/""#), ("\n\r\t", #""\n\r\t""#),
            ("\0\u{1f}\u{8}\u{c}", #""\u0000\u001f\u0008\u000c""#), ("é→😀", "\"é→😀\""),
            ("\u{7f}", "\"\u{7f}\""),
        ])
    func escapes(_ text: String, _ json: String) { #expect(string(text) == json) }

    @Test func `any text is read back as it was`() throws {
        var generator = SeededGenerator.seeded()
        for _ in 0..<500 {
            var text = ""
            for _ in 0..<Int.random(in: 0...20, using: &generator) {
                let limit: UInt32 = Bool.random(using: &generator) ? 0x80 : 0x10FFFF
                let code = UInt32.random(in: 0...limit, using: &generator)
                text.unicodeScalars.append(UnicodeScalar(code) ?? "?")
            }
            let read = try #require(try readByFoundation(string(text)))
            #expect(Array(read.utf8) == Array(text.utf8), "\(text.debugDescription)")
        }
    }

    @Test func `base64 is Foundation's, whatever the length`() {
        var generator = SeededGenerator.seeded()
        for count in 0...100 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let text = bytes.withUnsafeBytes { JSONText.base64($0) }
            #expect(String(decoding: text, as: UTF8.self) == Data(bytes).base64EncodedString())
        }
    }
}
