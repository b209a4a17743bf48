// Values as JSON, by the names of their serdes.

extension JSONForm {
    /// How values of a serde are shown; those of an unknown one as bytes.
    package static func values(named name: String) -> JSONForm {
        // What stands in the parentheses may be a type of the user's, and any text.
        if name.hasPrefix("json(") { return json }
        if let wrapped = Self.argument(of: "optional", in: name) {
            return optional(values(named: wrapped))
        }
        if let wrapped = Self.argument(of: "expiring", in: name) {
            return expiring(values(named: wrapped))
        }
        return switch name {
        case "string": value(.string, { .string($0) }, \.string)
        case "int16": integer(.int16)
        case "int32": integer(.int32)
        case "int64": integer(.int64)
        // StreamJobs has it: milliseconds, as Kafka's `LongSerializer` writes them.
        case "timestamp": integer(.int64)
        case "double": value(.double, { JSONValue($0) }, { $0.floatingPoint(Double.self) })
        case "float": value(.float, { JSONValue($0) }, { $0.floatingPoint(Float.self) })
        case "bool": value(.bool, { .bool($0) }, \.bool)
        case "uuid":
            value(
                .uuidBytes, { .string($0.description) }, { $0.string.flatMap { UUIDBytes($0) } })
        default: .bytes
        }
    }

    static func argument(of head: String, in name: String) -> String? {
        guard name.hasPrefix(head + "("), name.hasSuffix(")") else { return nil }
        return String(name.dropFirst(head.count + 1).dropLast())
    }

    /// Any JSON.
    private static let json = JSONForm(
        read: { bytes in
            try bytes.withUnsafeBytes {
                try JSONValue(utf8: $0.assumingMemoryBound(to: UInt8.self))
            }
        },
        write: { json in
            var bytes: [UInt8] = []
            json.append(to: &bytes)
            return bytes
        })

    private static func value<Value>(
        _ serde: Serde<Value>, _ json: @escaping @Sendable (Value) -> JSONValue,
        _ value: @escaping @Sendable (JSONValue) -> Value?
    ) -> JSONForm {
        JSONForm(
            read: { json(try serde.decode($0)) },
            write: { json in
                guard let value = value(json) else {
                    throw SerdeError("\(json.excerpt) is no \(serde.name).")
                }
                var bytes: [UInt8] = []
                try serde.encode(value, &bytes)
                return bytes
            })
    }

    private static func integer<Value: FixedWidthInteger & SendableMetatype>(_ serde: Serde<Value>)
        -> JSONForm
    {
        value(serde, { .number(String($0)) }, { $0.integer(Value.self) })
    }

    @usableFromInline
    static func optional(_ form: JSONForm) -> JSONForm {
        JSONForm(read: form.read, write: { $0.isNull ? nil : try form.write($0) })
    }
}
