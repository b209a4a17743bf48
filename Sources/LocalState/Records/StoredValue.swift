// The value in the tree. All numbers are little endian.
//
//     field     bytes
//     whole key:
//     kind      1      0 a value, 1 null; and 2 for the other generation of the store
//     payload   rest   what the value's serde wrote
//     checksum  4      CRC-32C of the stored key and of all that precedes here: a value that is found
//                      under another key than its own is as wrong as a changed one. It stands last,
//                      so that key and value, which lie together in a page, are one run of bytes
//     cut key: one or more entries, ascending by full key, and the checksum behind them. Each:
//     key count      4
//     payload count  4
//     kind           1
//     full key, payload

import StreamJobsChecksum

/// Whether an entry holds a value of its serde or null, and of which of two generations of its store it is:
/// a lazy migration begins the other one (Stores/LazyMigration.swift).
@frozen
@usableFromInline
package enum ValueKind: UInt8, Sendable {
    case value = 0
    case null = 1
    case otherValue = 2
    case otherNull = 3

    @inlinable package var isNull: Bool { rawValue & 1 != 0 }
    /// 0 or 2.
    @inlinable package var generation: UInt8 { rawValue & 2 }
    /// The bit that tells generations apart.
    @inlinable package static var generationBit: UInt8 { 2 }
}

/// An entry as it lies in the map: its bytes end with the snapshot, so that none outlives the scan or
/// the call that it was found by.
@frozen
@usableFromInline
package struct RawEntry {
    @usableFromInline let keyStart: UnsafeRawPointer
    @usableFromInline let payloadStart: UnsafeRawPointer
    // Less than `Limits.recordBytesMax` each, so that four entries take two lines of the processor's cache.
    @usableFromInline let keyCount: UInt32
    @usableFromInline let payloadCount: UInt32
    @usableFromInline package let kind: ValueKind

    init(key: UnsafeRawBufferPointer, kind: ValueKind, payload: UnsafeRawBufferPointer) {
        guard let keyStart = key.baseAddress, let payloadStart = payload.baseAddress else {
            preconditionFailure("what lies in the map has an address")
        }
        self.keyStart = keyStart
        self.payloadStart = payloadStart
        keyCount = UInt32(truncatingIfNeeded: key.count)
        payloadCount = UInt32(truncatingIfNeeded: payload.count)
        self.kind = kind
    }

    /// The full key, its prefix byte included.
    @inlinable
    package var fullKey: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: keyStart, count: Int(keyCount))
    }

    /// The key without its prefix byte.
    @inlinable
    package var key: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: keyStart + 1, count: Int(keyCount) - 1)
    }

    @inlinable
    package var payload: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: payloadStart, count: Int(payloadCount))
    }
}

/// Puts values of the tree together and takes them apart.
package enum StoredValue {
    package static let checksumBytes = 4
    package static let kindBytes = 1
    package static let bucketHeaderBytes = 9

    /// Appends the checksum to a key and its value without checksum.
    static func seal(_ keyAndValue: inout [UInt8]) {
        let checksum = keyAndValue.withUnsafeBytes { CRC32C.checksum($0) }
        withUnsafeBytes(of: checksum.littleEndian) { keyAndValue.append(contentsOf: $0) }
    }

    /// A value with its checksum, for tests.
    package static func sealed(key: [UInt8], body: [UInt8]) -> [UInt8] {
        var bytes = key + body
        seal(&bytes)
        return Array(bytes[key.count...])
    }

    /// Whether the checksum of a value is that of its key and its bytes.
    @inline(__always)
    package static func isIntact(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Bool
    {
        guard value.count >= checksumBytes + kindBytes, let keyStart = key.baseAddress,
            let valueStart = value.baseAddress
        else { return false }
        let bodyCount = value.count - checksumBytes
        let stored = UInt32(
            littleEndian: value.loadUnaligned(fromByteOffset: bodyCount, as: UInt32.self))
        if valueStart == keyStart + key.count {
            // As they lie in a page: one run.
            return stored
                == CRC32C.checksum(
                    UnsafeRawBufferPointer(start: keyStart, count: key.count + bodyCount))
        }
        var checksum = CRC32C()
        checksum.add(key)
        checksum.add(UnsafeRawBufferPointer(start: valueStart, count: bodyCount))
        return stored == checksum.value
    }

    /// The entry of a whole key, if the checksum of its value is right.
    @inline(__always)
    package static func entry(key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)
        -> RawEntry?
    {
        guard isIntact(key: key, value: value), let kind = ValueKind(rawValue: value[0]) else {
            return nil
        }
        let payload = UnsafeRawBufferPointer(
            rebasing: value[kindBytes..<value.count - checksumBytes])
        return RawEntry(key: key, kind: kind, payload: payload)
    }

    /// Appends the entries under a cut key, if the checksum is right; false if it is not, or if they do
    /// not add up.
    package static func appendBucket(
        key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, to entries: inout [RawEntry]
    ) -> Bool {
        guard isIntact(key: key, value: value) else { return false }
        let end = value.count - checksumBytes
        var position = 0
        while position < end {
            guard end - position >= bucketHeaderBytes else { return false }
            let keyCount = count(value, at: position)
            let payloadCount = count(value, at: position + 4)
            let keyStart = position + bucketHeaderBytes
            guard end - keyStart >= keyCount + payloadCount,
                let kind = ValueKind(rawValue: value[position + 8])
            else { return false }
            let payloadStart = keyStart + keyCount
            position = payloadStart + payloadCount
            entries.append(
                RawEntry(
                    key: UnsafeRawBufferPointer(rebasing: value[keyStart..<payloadStart]),
                    kind: kind,
                    payload: UnsafeRawBufferPointer(rebasing: value[payloadStart..<position])))
        }
        return true
    }

    /// Appends an entry of a bucket.
    package static func appendBucketEntry(
        fullKey: UnsafeRawBufferPointer, kind: ValueKind, payload: UnsafeRawBufferPointer,
        to buffer: inout [UInt8]
    ) {
        for count in [fullKey.count, payload.count] {
            withUnsafeBytes(of: UInt32(count).littleEndian) { buffer.append(contentsOf: $0) }
        }
        buffer.append(kind.rawValue)
        buffer.append(contentsOf: fullKey)
        buffer.append(contentsOf: payload)
    }

    private static func count(_ value: UnsafeRawBufferPointer, at position: Int) -> Int {
        Int(UInt32(littleEndian: value.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
    }
}
