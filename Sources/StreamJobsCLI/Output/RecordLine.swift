import StreamJobsLog

/// One record as a line of JSON, built field by field.
struct RecordLine {
    private var json: [UInt8] = [UInt8(ascii: "{")]

    mutating func add(_ name: String, string: String) {
        begin(name)
        JSONText.append(string: string, to: &json)
    }

    mutating func add(_ name: String, number: Int64) {
        begin(name)
        json.append(contentsOf: String(number).utf8)
    }

    /// A string if the bytes are UTF-8; base64 otherwise, with a field behind that says so.
    mutating func add(_ name: String, bytes: UnsafeRawBufferPointer?) {
        begin(name)
        guard let bytes else { return json.append(contentsOf: "null".utf8) }
        if String(validating: bytes, as: UTF8.self) != nil {
            JSONText.append(string: bytes, to: &json)
        } else {
            JSONText.append(string: JSONText.base64(bytes), to: &json)
            add(name + "_encoding", string: "base64")
        }
    }

    mutating func add(_ name: String, headers: [Header]) {
        begin(name)
        json.append(UInt8(ascii: "["))
        for (index, header) in headers.enumerated() {
            if index > 0 { json.append(UInt8(ascii: ",")) }
            var object = RecordLine()
            object.add("key", string: header.key)
            if let value = header.value {
                value.withUnsafeBytes { object.add("value", bytes: $0) }
            } else {
                object.add("value", bytes: nil)
            }
            json.append(contentsOf: object.json)
            json.append(UInt8(ascii: "}"))
        }
        json.append(UInt8(ascii: "]"))
    }

    /// The line with its end.
    func finished() -> [UInt8] { json + Array("}\n".utf8) }

    private mutating func begin(_ name: String) {
        if json.count > 1 { json.append(UInt8(ascii: ",")) }
        JSONText.append(string: name, to: &json)
        json.append(UInt8(ascii: ":"))
    }
}
