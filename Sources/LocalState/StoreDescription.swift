// What the data of a store was written as. Kept in the database `stores`, compared at open.
//
//     field         bytes     all numbers little endian
//     four strings  4 + n     each: count, UTF-8: name, kind, key codec, value serde
//     version       8
//     generation    1         the bit that the kinds of its entries have: 0 or 2
//     older         rest      nothing, or, while entries of an older version are left: value serde (a string
//                             as above) and version (8)

/// What the data of a store was written as.
package struct StoreDescription: Sendable, Hashable, CustomStringConvertible {
    /// A version whose entries have the other generation.
    package struct Older: Sendable, Hashable {
        package var valueSerde: String
        package var version: Int64
    }

    package var name: String
    /// `key-value`, `expiring`, `window`, `session`, `buffer`.
    package var kind: String
    package var keyCodec: String
    package var valueSerde: String
    package var version: Int64
    /// The bit of the kinds of its entries, ``ValueKind/generation``.
    package var generation: UInt8 = 0
    /// While there are entries of an older version.
    package var older: Older?

    package init(name: String, kind: String, keyCodec: String, valueSerde: String, version: Int64) {
        self.name = name
        self.kind = kind
        self.keyCodec = keyCodec
        self.valueSerde = valueSerde
        self.version = version
    }

    package var description: String {
        let text = "\(kind) of \(keyCodec) to \(valueSerde), version \(version)"
        guard let older else { return text }
        return "\(text) (migrating from \(older.valueSerde), version \(older.version))"
    }

    /// Whether entries written now would be as those of the other.
    func isSame(as other: StoreDescription) -> Bool {
        (kind, keyCodec, valueSerde, version)
            == (other.kind, other.keyCodec, other.valueSerde, other.version)
    }

    /// The serde of an entry's value.
    package func valueSerde(of kind: ValueKind) -> String {
        kind.generation == generation ? valueSerde : older?.valueSerde ?? valueSerde
    }

    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        func append(_ text: String) {
            withUnsafeBytes(of: UInt32(text.utf8.count).littleEndian) {
                bytes.append(contentsOf: $0)
            }
            bytes.append(contentsOf: text.utf8)
        }
        func append(_ version: Int64) {
            withUnsafeBytes(of: version.littleEndian) { bytes.append(contentsOf: $0) }
        }
        for text in [name, kind, keyCodec, valueSerde] { append(text) }
        append(version)
        bytes.append(generation)
        if let older {
            append(older.valueSerde)
            append(older.version)
        }
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
        func text() -> String? {
            guard let count = number(4), rest.count >= Int(count) else { return nil }
            defer { rest = rest.dropFirst(Int(count)) }
            return String(validating: rest.prefix(Int(count)), as: UTF8.self)
        }
        guard let name = text(), let kind = text(), let keyCodec = text(),
            let valueSerde = text(), let version = number(8), let generation = number(1),
            generation & ~UInt64(ValueKind.generationBit) == 0
        else { return nil }
        self.init(
            name: name, kind: kind, keyCodec: keyCodec, valueSerde: valueSerde,
            version: Int64(bitPattern: version))
        self.generation = UInt8(generation)
        guard !rest.isEmpty else { return }
        guard let olderSerde = text(), let olderVersion = number(8), rest.isEmpty else {
            return nil
        }
        older = Older(valueSerde: olderSerde, version: Int64(bitPattern: olderVersion))
    }
}
