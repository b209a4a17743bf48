// The entries under a stored key, copied out of their page.

extension StoredValue {
    /// The entries under a stored key, copied; nil if their checksum is wrong or they do not add up.
    static func copies(key: [UInt8], value: [UInt8]) -> [InspectedEntry]? {
        key.withUnsafeBytes { key in
            value.withUnsafeBytes { value in
                var entries: [RawEntry] = []
                if KeyEncoding.isCut(storedKeyCount: key.count) {
                    guard appendBucket(key: key, value: value, to: &entries) else { return nil }
                } else {
                    guard let entry = entry(key: key, value: value) else { return nil }
                    entries = [entry]
                }
                return entries.map { entry in
                    InspectedEntry(
                        key: [UInt8](entry.key),
                        payload: entry.kind == .null ? nil : [UInt8](entry.payload))
                }
            }
        }
    }
}
