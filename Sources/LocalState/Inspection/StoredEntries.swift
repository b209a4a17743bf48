// The entries under a stored key, copied out of their page.

extension StoredValue {
    /// The entries under a stored key; nil if their checksum is wrong or they do not add up.
    static func copies(key: [UInt8], value: [UInt8]) -> [InspectedEntry]? {
        let span = value.span.bytes
        guard isIntact(key: key.span.bytes, value: span) else { return nil }
        if KeyEncoding.isCut(storedKeyCount: key.count) {
            return bucket(span)?.map { entry in
                InspectedEntry(
                    key: Array(entry.fullKey.dropFirst(Limits.keyPrefixBytes)),
                    payload: entry.kind == .null ? nil : entry.payload)
            }
        }
        guard let kind = ValueKind(rawValue: value[checksumBytes]) else { return nil }
        return [
            InspectedEntry(
                key: Array(key.dropFirst(Limits.keyPrefixBytes)),
                payload: kind == .null ? nil : Array(value[payloadStart...]))
        ]
    }
}
