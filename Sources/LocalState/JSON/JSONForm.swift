// How keys and values are shown as JSON, and made of it: for people and tools that have the bytes of a store
// and the names of its formats, but not its types.
//
//     format                     JSON
//     string                     a string
//     int8 … uint64, timestamp   a number; a timestamp in milliseconds since 1970
//     double, float, date        a number; "NaN", "Infinity", "-Infinity"; a date in seconds since 2001,
//                                as Foundation's JSON has it, so that it comes back exactly
//     bool                       true or false
//     uuid                       a string
//     bytes, unknown formats     a string if they are text without control characters, otherwise
//                                {"base64": "…"}; both are read
//     json(…)                    as it is, without blanks
//     optional(…)                null, or the other
//     pair(…), triple(…)         an array
//     expiring(…)                {"expires": milliseconds since 1970, "value": …}

/// How bytes of one format are shown as JSON, and made of it.
public struct JSONForm: Sendable {
    let read: @Sendable (RawSpan) throws -> JSONValue
    let write: @Sendable (JSONValue) throws -> [UInt8]?

    /// A form of one's own.
    /// - Parameters:
    ///   - json: makes JSON text of bytes; throws ``SerdeError`` where they are not of this format.
    ///   - bytes: the reverse.
    public init(
        json: @escaping @Sendable (RawSpan) throws -> String,
        bytes: @escaping @Sendable (String) throws -> [UInt8]
    ) {
        read = { try JSONValue(try json($0)) }
        write = { try bytes($0.text) }
    }

    init(
        read: @escaping @Sendable (RawSpan) throws -> JSONValue,
        write: @escaping @Sendable (JSONValue) throws -> [UInt8]?
    ) {
        self.read = read
        self.write = write
    }

    /// The JSON text of bytes, in one line. Throws ``SerdeError`` where they are not of this format.
    public func json(of bytes: RawSpan) throws -> String { try read(bytes).text }

    /// The bytes of JSON text; nil for the null of an optional value. Throws ``SerdeError`` where the
    /// text is no JSON, or not such a value.
    public func bytes(json text: String) throws -> [UInt8]? { try write(try JSONValue(text)) }

    /// Bytes that are shown as text if they are text.
    public static let bytes = JSONForm(
        read: { bytes in
            let bytes = bytes.copied
            if let text = String(validating: bytes, as: UTF8.self),
                text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
            {
                return .string(text)
            }
            return .object([("base64", .string(Base64.encoded(bytes)))])
        },
        write: { json in
            switch json {
            case .string(let text): return Array(text.utf8)
            case .object(let members) where members.map(\.name) == ["base64"]:
                guard case .string(let text) = members[0].value,
                    let bytes = Base64.decoded(text)
                else { break }
                return bytes
            default: break
            }
            throw SerdeError("\(json.excerpt) is neither a string nor {\"base64\": \"…\"}.")
        })
}

extension JSONValue {
    /// A number, or the name of what is none.
    init(_ number: some BinaryFloatingPoint & LosslessStringConvertible) {
        self =
            number.isFinite
            ? .number(String(number))
            : .string(number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity")
    }

    func floatingPoint<Number: BinaryFloatingPoint & LosslessStringConvertible>(
        _: Number.Type
    ) -> Number? {
        switch self {
        case .number(let digits): Number(digits)
        case .string("NaN"): .nan
        case .string("Infinity"): .infinity
        case .string("-Infinity"): -.infinity
        default: nil
        }
    }

    func integer<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
        guard case .number(let digits) = self else { return nil }
        return Number(digits)
    }

    var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    var bool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    var isNull: Bool {
        guard case .null = self else { return false }
        return true
    }

    /// As an error message shows it.
    var excerpt: String {
        let text = text
        return text.count > 60 ? "\(text.prefix(60))…" : text
    }
}
