// JSON's number grammar as a table and as a pattern, strings and base64 against Foundation.

import Foundation
import StreamJobsCLI
import TestSupport
import Testing

struct JSONTextTests {
    @Test(arguments: [
        "0", "-0", "1", "-1", "10", "1234567890123456789012345", "0.5", "-0.5", "1.0", "1.50",
        "0e0",
        "1e5", "1E5", "1e+5", "1e-5", "1.5e10", "-1.5E-10", "0.0", "1e999",
    ])
    func `is a number`(text: String) { #expect(JSONText.isNumber(text.utf8)) }

    @Test(arguments: [
        "", "-", "+1", "01", "-01", "00", ".5", "-.5", "1.", "1.e5", "9E", "1e", "1e+", "1e-",
        "1e5.0",
        "1 ", " 1", "1,5", "1_000", "0x10", "NaN", "Infinity", "-Infinity", "inf", "--1", "1-1",
        "٣",
        "1e٣", "1\n", "1\0",
    ])
    func `is no number`(text: String) { #expect(!JSONText.isNumber(text.utf8)) }

    @Test func `any text is a number where the grammar as a pattern says so`() throws {
        var generator = SeededGenerator.seeded()
        let alphabet = Array("0019.-+eE ")
        for _ in 0..<20_000 {
            let text = String(
                (0..<Int.random(in: 1...6, using: &generator)).map { _ in
                    alphabet.randomElement(using: &generator) ?? "0"
                })
            #expect(JSONText.isNumber(text.utf8) == isNumberByPattern(text), "\(text)")
        }
    }

    /// The grammar of RFC 8259 once more, as a pattern.
    private func isNumberByPattern(_ text: String) -> Bool {
        text.range(
            of: #"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$"#, options: .regularExpression)
            != nil
    }

    @Test func `Foundation reads every string as it was`() throws {
        for scalar in (0...0x2ff).compactMap(Unicode.Scalar.init) + ["😀", "\u{2028}", "\u{ffff}"] {
            let text = "a\(scalar)b\(scalar)"
            var json: [UInt8] = []
            JSONText.append(string: text.utf8, to: &json)
            let read = try JSONSerialization.jsonObject(
                with: Data(json), options: .fragmentsAllowed)
            #expect(read as? String == text)
            #expect(!json.contains { $0 < 0x20 })
        }
    }

    @Test(arguments: [
        (nil, #"{"key":null"#), ([], #"{"key":"""#), ([0x61], #"{"key":"a""#),
        ([0xff, 0x00], #"{"key":"/wA=","key_encoding":"base64""#),
        ([0xc3], #"{"key":"ww==","key_encoding":"base64""#), ([0xc3, 0xa9], #"{"key":"é""#),
    ])
    func `bytes are a string, base64 that says so, or null`(bytes: [UInt8]?, json: String) {
        var found = Array("{".utf8)
        if let bytes {
            bytes.withUnsafeBytes { JSONText.append(field: "key", bytes: $0, to: &found) }
        } else {
            JSONText.append(field: "key", bytes: nil, to: &found)
        }
        #expect(String(decoding: found, as: UTF8.self) == json)
    }
}
