// Which JSON a row becomes, and which key.

import Foundation
import TestSupport
import Testing

@testable import StreamJobsCLI

struct CSVRecordTests {
    private func value(_ fields: [String]) -> String {
        let columns = fields.indices.map { Array("\"c\($0)\"".utf8) }
        var json: [UInt8] = Array("what was there before".utf8)
        CSVRecord.value(fields.map { Array($0.utf8) }, columns: columns, into: &json)
        return String(decoding: json, as: UTF8.self)
    }

    private func key(_ fields: [String], _ columns: [Int]) -> String? {
        CSVRecord.key(fields.map { Array($0.utf8) }, columns: columns)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(
        "a field",
        arguments: [
            ("", "null"), ("NA", "null"), ("na", "\"na\""), ("NA ", "\"NA \""), ("N/A", "\"N/A\""),
            ("9E", "\"9E\""), ("9", "9"), ("-0", "-0"), ("007", "\"007\""), ("1e5", "1e5"),
            ("true", "\"true\""), ("null", "\"null\""), ("NaN", "\"NaN\""), (" 1", "\" 1\""),
            ("a\"b\\c\n", #""a\"b\\c\n""#), ("é", "\"é\""),
        ])
    func field(_ text: String, _ json: String) {
        #expect(value([text]) == "{\"c0\":\(json)}")
    }

    @Test func `a row's fields stand in the order of their columns`() {
        #expect(value(["b", "", "1"]) == #"{"c0":"b","c1":null,"c2":1}"#)
    }

    @Test(
        "a key",
        arguments: [
            (["a", "b"], [0], "a"), (["a", "b"], [1, 0], "b|a"), (["", "b"], [0, 1], "|b"),
            (["NA", "NA"], [0, 1], "|"), (["NA", "b"], [0], nil), (["", "b"], [0], nil),
            (["x|y", "b"], [0, 1], "x|y|b"),
        ] as [([String], [Int], String?)])
    func keyOf(_ fields: [String], _ columns: [Int], _ expected: String?) {
        #expect(key(fields, columns) == expected)
    }

    @Test func `any fields make an object that Foundation reads back`() throws {
        var generator = SeededGenerator.seeded()
        let pieces = [
            "\"", "\\", "\n", "\u{1}", "é", "😀", "a", "/", "\u{2028}", "-", "1", ".", "e",
        ]
        for _ in 0..<500 {
            let fields = (0..<3).map { _ in
                (0..<Int.random(in: 0...5, using: &generator))
                    .map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            }
            let json = value(fields)
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any], "\(json)"
            )
            for (index, field) in fields.enumerated() {
                switch object["c\(index)"] {
                case is NSNull: #expect(field.isEmpty, "\(json)")
                case let text as String: #expect(text == field, "\(json)")
                case let number as NSNumber: #expect(number.doubleValue == Double(field), "\(json)")
                default: Issue.record("c\(index) is missing in \(json)")
                }
            }
        }
    }
}
