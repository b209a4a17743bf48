// Fixed-width big-endian fields behind a format version, for the small records that the runner keeps in
// a task's state and in the commits topic.

struct FieldWriter {
    private(set) var bytes: [UInt8] = []

    init(version: UInt8) { bytes.append(version) }
    init() {}

    mutating func put<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// Only as the last field: it has no length.
    mutating func put(rest text: String) { bytes.append(contentsOf: text.utf8) }
}

struct FieldReader {
    private var bytes: ArraySlice<UInt8>
    private let what: String

    /// - Parameter what: What is read, for messages.
    init(_ bytes: [UInt8], _ what: String) {
        self.bytes = bytes[...]
        self.what = what
    }

    /// The version byte; refuses those above `newest`.
    mutating func requireVersion(upTo newest: UInt8) throws { _ = try takeVersion(upTo: newest) }

    mutating func takeVersion(upTo newest: UInt8) throws -> UInt8 {
        let version = try take(UInt8.self)
        guard version <= newest else {
            throw JobError(
                .refused,
                "\(what) is of format \(version), written by a newer version; use that one")
        }
        return version
    }

    mutating func take<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        guard bytes.count >= MemoryLayout<T>.size else {
            throw JobError(.refused, "\(what) is cut short: the state is damaged")
        }
        defer { bytes = bytes.dropFirst(MemoryLayout<T>.size) }
        return bytes.prefix(MemoryLayout<T>.size).reduce(T.zero) {
            ($0 << 8) | T(truncatingIfNeeded: $1)
        }
    }

    mutating func takeRest() -> String {
        defer { bytes = [] }
        return String(decoding: bytes, as: UTF8.self)
    }
}
