// Keys of stores as JSON, by the names of their codecs.

extension JSONForm {
    /// How keys of a codec are shown; those of an unknown one as bytes.
    package static func keys(named codecName: String) -> JSONForm {
        guard let form = FormatName(codecName).flatMap(KeyForm.init) else { return .bytes }
        return JSONForm(
            read: { try form.read($0) },
            write: { json in
                var bytes: [UInt8] = []
                try form.write(json, &bytes)
                return bytes
            })
    }

    /// The bytes that all keys begin with whose first parts these are: text of strings and bytes, or the first
    /// part or parts of a tuple. Throws ``SerdeError`` where the codec has no such beginnings.
    package static func keyPrefix(named codecName: String, json text: String) throws -> [UInt8] {
        let name = FormatName(codecName)
        let json = try JSONValue(text)
        if let name, name.arguments.isEmpty, ["string", "bytes"].contains(name.head),
            let text = json.string
        {
            return Array(text.utf8)
        }
        guard let name, ["pair", "triple"].contains(name.head) else {
            throw SerdeError("keys of \(codecName) have no prefixes.")
        }
        var parts = [json]
        if case .array(let elements) = json { parts = elements }
        var bytes: [UInt8] = []
        for (part, argument) in zip(parts, name.arguments.dropLast()) {
            guard let form = KeyForm(argument) else { throw SerdeError("\(codecName) is unknown.") }
            try form.writePart(part, &bytes)
        }
        guard parts.count < name.arguments.count else {
            throw SerdeError("\(json.excerpt) is a whole key of \(codecName), no prefix.")
        }
        return bytes
    }
}

extension StoreKey {
    /// How keys are shown where their type is not known.
    public static var jsonForm: JSONForm { .keys(named: codecName) }
}

/// Reads and writes keys of one codec, alone and as parts of tuples.
private struct KeyForm: Sendable {
    let read: @Sendable (RawSpan) throws -> JSONValue
    let write: @Sendable (JSONValue, inout [UInt8]) throws -> Void
    let takePart: @Sendable (RawSpan, inout Int) throws -> JSONValue
    let writePart: @Sendable (JSONValue, inout [UInt8]) throws -> Void

    init?(_ name: FormatName) {
        guard name.arguments.isEmpty else {
            let arguments = name.arguments.compactMap(KeyForm.init)
            guard arguments.count == name.arguments.count else { return nil }
            switch (name.head, arguments.count) {
            case ("optional", 1): self.init(optional: arguments[0])
            case ("pair", 2), ("triple", 3): self.init(tuple: arguments)
            default: return nil
            }
            return
        }
        switch name.head {
        case "string": self.init(String.self, { .string($0) }, \.string)
        case "bytes":
            self.init(
                [UInt8].self, { try JSONForm.bytes.read($0.span.bytes) },
                { try JSONForm.bytes.write($0) })
        case "int8": self.init(integer: Int8.self)
        case "int16": self.init(integer: Int16.self)
        case "int32": self.init(integer: Int32.self)
        case "int64", "timestamp": self.init(integer: Int64.self)
        case "uint8": self.init(integer: UInt8.self)
        case "uint16": self.init(integer: UInt16.self)
        case "uint32": self.init(integer: UInt32.self)
        case "uint64": self.init(integer: UInt64.self)
        case "double", "date":
            self.init(Double.self, { JSONValue($0) }, { $0.floatingPoint(Double.self) })
        case "float": self.init(Float.self, { JSONValue($0) }, { $0.floatingPoint(Float.self) })
        case "bool": self.init(Bool.self, { .bool($0) }, \.bool)
        case "uuid":
            self.init(
                UUIDBytes.self, { .string($0.description) },
                { $0.string.flatMap { UUIDBytes($0) } })
        default: return nil
        }
    }

    private init<Key: StoreKey & FixedWidthInteger>(integer: Key.Type) {
        self.init(Key.self, { .number(String($0)) }, { $0.integer(Key.self) })
    }

    /// `key` gives nil for JSON that is no such key.
    private init<Key: StoreKey>(
        _: Key.Type, _ json: @escaping @Sendable (Key) throws -> JSONValue,
        _ key: @escaping @Sendable (JSONValue) throws -> Key?
    ) {
        @Sendable func checked(_ json: JSONValue) throws -> Key {
            guard let key = try key(json) else {
                throw SerdeError("\(json.excerpt) is no \(Key.codecName).")
            }
            return key
        }
        read = { try json(try Key(orderedBytes: $0)) }
        write = { try checked($0).encodeOrdered(into: &$1) }
        takePart = { try json(try Key.takeOrderedPart(of: $0, at: &$1)) }
        writePart = { try checked($0).encodeOrderedPart(into: &$1) }
    }

    /// As OptionalKeys.swift has it.
    private init(optional form: KeyForm) {
        read = { bytes in
            try UInt8?.isNil(bytes, at: 0) ? .null : form.read(bytes.extracting(1...))
        }
        write = { json, bytes in
            bytes.append(json.isNull ? 0 : 1)
            if !json.isNull { try form.write(json, &bytes) }
        }
        takePart = { bytes, position in
            let isNil = try UInt8?.isNil(bytes, at: position)
            position += 1
            return isNil ? .null : try form.takePart(bytes, &position)
        }
        writePart = { json, bytes in
            bytes.append(json.isNull ? 0 : 1)
            if !json.isNull { try form.writePart(json, &bytes) }
        }
    }

    /// As TupleKeys.swift has it: the last part stands as it is, unless the tuple is a part itself.
    private init(tuple forms: [KeyForm]) {
        let last = forms[forms.count - 1]
        @Sendable func elements(_ json: JSONValue) throws -> [JSONValue] {
            guard case .array(let elements) = json, elements.count == forms.count else {
                throw SerdeError("\(json.excerpt) is no array of \(forms.count).")
            }
            return elements
        }
        read = { bytes in
            var position = 0
            var elements: [JSONValue] = []
            for form in forms.dropLast() { elements.append(try form.takePart(bytes, &position)) }
            return .array(elements + [try last.read(bytes.extracting(position...))])
        }
        write = { json, bytes in
            let elements = try elements(json)
            for (form, element) in zip(forms.dropLast(), elements) {
                try form.writePart(element, &bytes)
            }
            try last.write(elements[forms.count - 1], &bytes)
        }
        takePart = { bytes, position in
            var elements: [JSONValue] = []
            for form in forms { elements.append(try form.takePart(bytes, &position)) }
            return .array(elements)
        }
        writePart = { json, bytes in
            for (form, element) in zip(forms, try elements(json)) {
                try form.writePart(element, &bytes)
            }
        }
    }
}
