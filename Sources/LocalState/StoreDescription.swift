// What the data of a store was written as. Kept in the database `stores`, compared at open.
//
//     field         bytes     all numbers little endian
//     four strings  4 + n     each: count, UTF-8: name, kind, key codec, value serde
//     version       8

/// What the data of a store was written as.
package struct StoreDescription: Sendable, Hashable, CustomStringConvertible {
    package var name: String
    /// `key-value`, `expiring`, `window`, `session`, `buffer`.
    package var kind: String
    package var keyCodec: String
    package var valueSerde: String
    package var version: Int64

    package var description: String {
        "\(kind) of \(keyCodec) to \(valueSerde), version \(version)"
    }

    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        for text in [name, kind, keyCodec, valueSerde] {
            withUnsafeBytes(of: UInt32(text.utf8.count).littleEndian) {
                bytes.append(contentsOf: $0)
            }
            bytes.append(contentsOf: text.utf8)
        }
        withUnsafeBytes(of: version.littleEndian) { bytes.append(contentsOf: $0) }
        return bytes
    }
}

extension StoreDescription {
    /// nil if the bytes are no description.
    init?(encoded: [UInt8]) {
        var rest = encoded[...]
        func number(_ byteCount: Int) -> UInt64? {
            guard rest.count >= byteCount else { return nil }
            defer { rest = rest.dropFirst(byteCount) }
            return rest.prefix(byteCount).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        var texts: [String] = []
        for _ in 0..<4 {
            guard let count = number(4), rest.count >= Int(count),
                let text = String(validating: rest.prefix(Int(count)), as: UTF8.self)
            else { return nil }
            rest = rest.dropFirst(Int(count))
            texts.append(text)
        }
        guard let version = number(8), rest.isEmpty else { return nil }
        self.init(
            name: texts[0], kind: texts[1], keyCodec: texts[2], valueSerde: texts[3],
            version: Int64(bitPattern: version))
    }
}
