// JSON written by hand: the shapes are fixed, and bytes that are right go through as they are.

import FoundationEssentials
import StreamJobsLog

package enum JSONText {
    /// Appends `text`, which is UTF-8, as a JSON string. All but quotes, backslashes and control characters
    /// stays as it is.
    package static func append(string text: some Collection<UInt8>, to json: inout [UInt8]) {
        json.append(UInt8(ascii: "\""))
        var rest = text[...]
        while let next = rest.firstIndex(where: needsEscape) {
            json.append(contentsOf: rest[..<next])
            appendEscape(of: rest[next], to: &json)
            rest = rest[rest.index(after: next)...]
        }
        json.append(contentsOf: rest)
        json.append(UInt8(ascii: "\""))
    }

    /// Whether `text` is a number by JSON's grammar (RFC 8259, section 6), all of it.
    package static func isNumber(_ text: some Collection<UInt8>) -> Bool {
        var rest = text[...]
        take("-", from: &rest)
        guard take("0", from: &rest) || takeDigits(from: &rest) else { return false }
        if take(".", from: &rest), !takeDigits(from: &rest) { return false }
        if take("e", from: &rest) || take("E", from: &rest) {
            if !take("+", from: &rest) { take("-", from: &rest) }
            guard takeDigits(from: &rest) else { return false }
        }
        return rest.isEmpty
    }

    @discardableResult
    private static func take<Text: Collection<UInt8>>(
        _ character: Unicode.Scalar, from rest: inout Text
    ) -> Bool where Text.SubSequence == Text {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    /// One digit at least.
    private static func takeDigits<Text: Collection<UInt8>>(from rest: inout Text) -> Bool
    where Text.SubSequence == Text {
        let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        rest.removeFirst(digits.count)
        return !digits.isEmpty
    }

    /// Appends a field that ends with nothing but a comma before the next: the bytes as a string if they
    /// are UTF-8, or else in base64 with another field, `<name>_encoding`, that says so; or null.
    package static func append(
        field name: StaticString, bytes: UnsafeRawBufferPointer?, to json: inout [UInt8]
    ) {
        append(name: name, to: &json)
        guard let bytes else { return json.append(contentsOf: "null".utf8) }
        if isUTF8(bytes) { return append(string: bytes, to: &json) }
        append(string: Data(bytes).base64EncodedData(), to: &json)
        json.append(contentsOf: ",\"".utf8)
        name.withUTF8Buffer { json.append(contentsOf: $0) }
        json.append(contentsOf: "_encoding\":\"base64\"".utf8)
    }

    package static func append(
        field name: StaticString, number: some BinaryInteger, to json: inout [UInt8]
    ) {
        append(name: name, to: &json)
        json.append(contentsOf: String(number).utf8)
    }

    /// A number, or null.
    package static func append(
        field name: StaticString, number: (some BinaryInteger)?, to json: inout [UInt8]
    ) {
        append(name: name, to: &json)
        json.append(contentsOf: (number.map { String($0) } ?? "null").utf8)
    }

    /// A string, or null.
    package static func append(
        field name: StaticString, optionalString string: String?, to json: inout [UInt8]
    ) {
        append(name: name, to: &json)
        guard let string else { return json.append(contentsOf: "null".utf8) }
        append(string: string.utf8, to: &json)
    }

    package static func append(field name: StaticString, string: String, to json: inout [UInt8]) {
        append(name: name, to: &json)
        append(string: string.utf8, to: &json)
    }

    package static func append(field name: StaticString, flag: Bool, to json: inout [UInt8]) {
        append(name: name, to: &json)
        json.append(contentsOf: (flag ? "true" : "false").utf8)
    }

    /// Appends an array of objects; `body` appends the fields of one.
    package static func append<Element>(
        field name: StaticString, objects: some Sequence<Element>, to json: inout [UInt8],
        _ body: (Element, inout [UInt8]) throws -> Void
    ) rethrows {
        append(name: name, to: &json)
        json.append(UInt8(ascii: "["))
        for element in objects {
            if json.last != UInt8(ascii: "[") { json.append(UInt8(ascii: ",")) }
            json.append(UInt8(ascii: "{"))
            try body(element, &json)
            json.append(UInt8(ascii: "}"))
        }
        json.append(UInt8(ascii: "]"))
    }

    /// Appends `"name":`, with a comma before it unless it is an object's first. Names need no escapes.
    package static func append(name: StaticString, to json: inout [UInt8]) {
        if json.last != UInt8(ascii: "{") { json.append(UInt8(ascii: ",")) }
        json.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { json.append(contentsOf: $0) }
        json.append(contentsOf: "\":".utf8)
    }

    private static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.allSatisfy { $0 < 0x80 } || String(validating: bytes, as: UTF8.self) != nil
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func appendEscape(of byte: UInt8, to json: inout [UInt8]) {
        json.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\n"): json.append(UInt8(ascii: "n"))
        case UInt8(ascii: "\r"): json.append(UInt8(ascii: "r"))
        case UInt8(ascii: "\t"): json.append(UInt8(ascii: "t"))
        case 0..<0x20:
            let digits = Array("0123456789abcdef".utf8)
            json.append(contentsOf: "u00".utf8)
            json.append(digits[Int(byte >> 4)])
            json.append(digits[Int(byte & 15)])
        default: json.append(byte)
        }
    }
}

extension JSONText {
    /// Appends the field settings: an object of strings.
    static func append(settings: [TopicSettings.Entry], to json: inout [UInt8]) {
        append(name: "settings", to: &json)
        json.append(UInt8(ascii: "{"))
        for setting in settings {
            if json.last != UInt8(ascii: "{") { json.append(UInt8(ascii: ",")) }
            append(string: setting.name.utf8, to: &json)
            json.append(UInt8(ascii: ":"))
            append(string: setting.value.utf8, to: &json)
        }
        json.append(UInt8(ascii: "}"))
    }

    /// Appends the fields topic and partition.
    static func append(_ partition: TopicPartition, to json: inout [UInt8]) {
        append(field: "topic", string: partition.topic, to: &json)
        append(field: "partition", number: partition.partition.rawValue, to: &json)
    }
}
