// JSON (RFC 8259) without Foundation: for showing what a store holds and reading it back. Numbers keep the
// digits that they were written with, objects the order of their members.

/// A JSON value.
package indirect enum JSONValue: Sendable {
    case null
    case bool(Bool)
    /// As it is written.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([(name: String, value: JSONValue)])

    /// Reads one value, which must be all of the text; throws ``SerdeError`` with the position.
    package init(_ text: String) throws {
        var text = text
        self = try text.withUTF8 { try JSONValue(utf8: $0) }
    }

    package init(utf8 bytes: UnsafeBufferPointer<UInt8>) throws {
        var parser = JSONParser(bytes)
        self = try parser.takeDocument()
    }

    /// The text, without blanks.
    package var text: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    package func append(to json: inout [UInt8]) {
        switch self {
        case .null: json.append(contentsOf: "null".utf8)
        case .bool(let value): json.append(contentsOf: (value ? "true" : "false").utf8)
        case .number(let digits): json.append(contentsOf: digits.utf8)
        case .string(let string): Self.append(string: string, to: &json)
        case .array(let elements):
            json.append(UInt8(ascii: "["))
            for (number, element) in elements.enumerated() {
                if number > 0 { json.append(UInt8(ascii: ",")) }
                element.append(to: &json)
            }
            json.append(UInt8(ascii: "]"))
        case .object(let members):
            json.append(UInt8(ascii: "{"))
            for (number, member) in members.enumerated() {
                if number > 0 { json.append(UInt8(ascii: ",")) }
                Self.append(string: member.name, to: &json)
                json.append(UInt8(ascii: ":"))
                member.value.append(to: &json)
            }
            json.append(UInt8(ascii: "}"))
        }
    }

    private static func append(string: String, to json: inout [UInt8]) {
        json.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                json.append(UInt8(ascii: "\\"))
                json.append(byte)
            case UInt8(ascii: "\n"): json.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\r"): json.append(contentsOf: "\\r".utf8)
            case UInt8(ascii: "\t"): json.append(contentsOf: "\\t".utf8)
            case 0..<0x20:
                json.append(contentsOf: "\\u00".utf8)
                for digit in [byte >> 4, byte & 15] {
                    json.append(contentsOf: String(digit, radix: 16).utf8)
                }
            default: json.append(byte)
            }
        }
        json.append(UInt8(ascii: "\""))
    }
}

/// Reads JSON.
private struct JSONParser {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    private var depth = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    mutating func takeDocument() throws -> JSONValue {
        let value = try takeValue()
        skipBlanks()
        guard position == bytes.count else { throw unexpected("the end") }
        return value
    }

    private mutating func takeValue() throws -> JSONValue {
        skipBlanks()
        switch peek {
        case UInt8(ascii: "{"): return .object(try takeMembers())
        case UInt8(ascii: "["): return .array(try takeElements())
        case UInt8(ascii: "\""): return .string(try takeString())
        case UInt8(ascii: "t"): return try take("true", .bool(true))
        case UInt8(ascii: "f"): return try take("false", .bool(false))
        case UInt8(ascii: "n"): return try take("null", .null)
        default: return .number(try takeNumber())
        }
    }

    private mutating func takeMembers() throws -> [(name: String, value: JSONValue)] {
        var members: [(name: String, value: JSONValue)] = []
        try takeList(end: UInt8(ascii: "}")) { parser in
            let name = try parser.takeString()
            parser.skipBlanks()
            guard parser.take(UInt8(ascii: ":")) else { throw parser.unexpected("':'") }
            members.append((name, try parser.takeValue()))
        }
        return members
    }

    private mutating func takeElements() throws -> [JSONValue] {
        var elements: [JSONValue] = []
        try takeList(end: UInt8(ascii: "]")) { elements.append(try $0.takeValue()) }
        return elements
    }

    private mutating func takeList(
        end: UInt8, _ element: (inout JSONParser) throws -> Void
    ) throws {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Limits.jsonDepthMax else {
            throw SerdeError("the JSON is nested deeper than \(Limits.jsonDepthMax).")
        }
        position += 1
        skipBlanks()
        if take(end) { return }
        while true {
            skipBlanks()
            try element(&self)
            skipBlanks()
            if take(end) { return }
            guard take(UInt8(ascii: ",")) else { throw unexpected("',' or the end of the list") }
        }
    }

    private mutating func takeString() throws -> String {
        guard take(UInt8(ascii: "\"")) else { throw unexpected("a string") }
        var text: [UInt8] = []
        while let byte = peek, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw unexpected("no control character") }
            position += 1
            if byte == UInt8(ascii: "\\") {
                text.append(contentsOf: String(try takeEscape()).utf8)
            } else {
                text.append(byte)
            }
        }
        guard take(UInt8(ascii: "\"")) else { throw unexpected("the end of a string") }
        guard let string = String(validating: text, as: UTF8.self) else {
            throw SerdeError("the JSON string that ends at byte \(position) is not UTF-8.")
        }
        return string
    }

    private mutating func takeEscape() throws -> Character {
        let letter = peek
        position += 1
        switch letter {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try takeScalar()
        default: throw unexpected("an escape")
        }
    }

    /// Four digits, or a pair of surrogates.
    private mutating func takeScalar() throws -> Character {
        let unit = try takeUnit()
        if let scalar = Unicode.Scalar(UInt32(unit)) { return Character(scalar) }
        guard UTF16.isLeadSurrogate(unit), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
            throw unexpected("a pair of surrogates")
        }
        let trail = try takeUnit()
        guard UTF16.isTrailSurrogate(trail),
            let scalar = Unicode.Scalar(
                0x10000 + (UInt32(unit & 0x3ff) << 10 | UInt32(trail & 0x3ff)))
        else { throw unexpected("the second of two surrogates") }
        return Character(scalar)
    }

    private mutating func takeUnit() throws -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = peek,
                let digit = Character(Unicode.Scalar(byte)).hexDigitValue
            else { throw unexpected("four hexadecimal digits") }
            unit = unit << 4 | UInt16(digit)
            position += 1
        }
        return unit
    }

    private mutating func takeNumber() throws -> String {
        let start = position
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try takeDigits() }
        if take(UInt8(ascii: ".")) { try takeDigits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try takeDigits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func takeDigits() throws {
        let start = position
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            position += 1
        }
        guard position > start else { throw unexpected("a value") }
    }

    private mutating func take(_ word: String, _ value: JSONValue) throws -> JSONValue {
        guard bytes[position...].starts(with: word.utf8) else { throw unexpected("a value") }
        position += word.utf8.count
        return value
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipBlanks() {
        while let byte = peek, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { position += 1 }
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func unexpected(_ wanted: String) -> SerdeError {
        SerdeError("no JSON: at byte \(position) of \(bytes.count) stands something but \(wanted).")
    }
}
