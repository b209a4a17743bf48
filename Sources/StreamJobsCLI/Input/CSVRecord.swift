// From a row of CSV to a record: the value is a JSON object with the columns in their order, the key is made
// of some columns.

enum CSVRecord {
    static let null = Array("NA".utf8)

    static func isNull(_ field: [UInt8]) -> Bool { field.isEmpty || field == null }

    /// A field is null if it is empty or `NA`, a number only if it is one by JSON's grammar (`9E` is a
    /// carrier), and a string otherwise.
    static func value(_ fields: [[UInt8]], columns: [[UInt8]], into json: inout [UInt8]) {
        json.removeAll(keepingCapacity: true)
        json.append(UInt8(ascii: "{"))
        for (index, field) in fields.enumerated() {
            if index > 0 { json.append(UInt8(ascii: ",")) }
            json.append(contentsOf: columns[index])
            json.append(UInt8(ascii: ":"))
            if isNull(field) {
                json.append(contentsOf: Array("null".utf8))
            } else if JSONText.isNumber(field) {
                json.append(contentsOf: field)
            } else {
                JSONText.append(string: field, to: &json)
            }
        }
        json.append(UInt8(ascii: "}"))
    }

    /// The key columns joined by `|`, null ones empty; a single null column is a null key.
    /// No column at all is a null key too.
    static func key(_ fields: [[UInt8]], columns: [Int]) -> [UInt8]? {
        if columns.isEmpty { return nil }
        if let only = columns.first, columns.count == 1 {
            return isNull(fields[only]) ? nil : fields[only]
        }
        var key: [UInt8] = []
        for (index, column) in columns.enumerated() {
            if index > 0 { key.append(UInt8(ascii: "|")) }
            if !isNull(fields[column]) { key.append(contentsOf: fields[column]) }
        }
        return key
    }
}
