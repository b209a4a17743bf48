// The value in the tree. All numbers are little endian.
//
//     field     bytes
//     checksum  4      CRC-32C of the stored key, then of all that follows here: a value that is
//                      found under another key than its own is as wrong as a changed one
//     whole key:
//     kind      1      0 a value, 1 null
//     payload   rest   what the value's serde wrote
//     cut key: one or more entries, ascending by full key, each
//     key count      4
//     payload count  4
//     kind           1
//     full key, payload

import StreamJobsChecksum

/// Whether an entry holds a value of its serde or null.
@frozen
@usableFromInline
package enum ValueKind: UInt8, Sendable {
    case value = 0
    case null = 1
}

/// Puts values of the tree together and takes them apart.
package enum StoredValue {
    package static let checksumBytes = 4
    package static let kindBytes = 1
    /// Where the payload of a value of a whole key begins.
    package static let payloadStart = checksumBytes + kindBytes
    package static let bucketHeaderBytes = 9

    /// An entry of a bucket.
    package struct BucketEntry {
        package var fullKey: [UInt8]
        package var kind: ValueKind
        package var payload: [UInt8]

        package init(fullKey: [UInt8], kind: ValueKind, payload: [UInt8]) {
            self.fullKey = fullKey
            self.kind = kind
            self.payload = payload
        }
    }

    package static func checksum(key: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer)
        -> UInt32
    {
        var checksum = CRC32C()
        checksum.add(key)
        checksum.add(body)
        return checksum.value
    }

    /// Whether the checksum of a value is that of its key and its bytes.
    package static func isIntact(key: RawSpan, value: RawSpan) -> Bool {
        guard value.byteCount >= checksumBytes + kindBytes else { return false }
        return key.withUnsafeBytes { key in
            value.withUnsafeBytes { value in
                let stored = UInt32(littleEndian: value.loadUnaligned(as: UInt32.self))
                let body = UnsafeRawBufferPointer(rebasing: value[checksumBytes...])
                return stored == checksum(key: key, body: body)
            }
        }
    }

    /// The entries of a bucket whose checksum is right; nil if they do not add up.
    package static func bucket(_ value: RawSpan) -> [BucketEntry]? {
        value.withUnsafeBytes { value in
            var entries: [BucketEntry] = []
            var position = checksumBytes
            while position < value.count {
                guard value.count - position >= bucketHeaderBytes else { return nil }
                let keyCount = count(value, at: position)
                let payloadCount = count(value, at: position + 4)
                let keyStart = position + bucketHeaderBytes
                guard value.count - keyStart >= keyCount + payloadCount,
                    let kind = ValueKind(rawValue: value[position + 8])
                else { return nil }
                let payloadStart = keyStart + keyCount
                position = payloadStart + payloadCount
                entries.append(
                    BucketEntry(
                        fullKey: Array(value[keyStart..<payloadStart]), kind: kind,
                        payload: Array(value[payloadStart..<position])))
            }
            return entries
        }
    }

    package static func append(_ entry: BucketEntry, to buffer: inout [UInt8]) {
        for count in [entry.fullKey.count, entry.payload.count] {
            withUnsafeBytes(of: UInt32(count).littleEndian) { buffer.append(contentsOf: $0) }
        }
        buffer.append(entry.kind.rawValue)
        buffer.append(contentsOf: entry.fullKey)
        buffer.append(contentsOf: entry.payload)
    }

    private static func count(_ value: UnsafeRawBufferPointer, at position: Int) -> Int {
        Int(UInt32(littleEndian: value.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
    }
}
