// A key-value store whose entries live for a time. The value of an entry:
//
//     field     bytes
//     expiry    8      big endian: milliseconds since 1970 of event time, from which on it is not there
//     is null   1      1 if the value is null
//     value     rest   as its serde writes it

/// A map from keys to values that are gone after a time, by event time: that of the record which the task
/// works on, or the task's watermark where a record is late. So the same input gives the same state.
///
/// What has expired is never read; it is removed by the commits that follow, some entries in each. Threads
/// and errors are those of ``KeyValueStore``.
public final class ExpiringStore<Key: StoreKey, Value> {
    /// What it is kept in.
    @usableFromInline package let entries: KeyValueStore<Key, Expiring<Value>>
    @usableFromInline let clock: StoreClock
    /// How long an entry lives that is put without a time of its own, in milliseconds.
    @usableFromInline let lifetime: Int64

    /// - Parameters:
    ///   - name: unique within the task.
    ///   - timeToLive: how long an entry lives that is put without a time of its own.
    ///   - version: raise it when the meaning of the values changes, but not their serde's name.
    ///   - migrating: how entries of older versions become entries of this one; they keep their expiry.
    @inlinable
    package init(
        name: String, value: Serde<Value>, timeToLive: Duration, clock: StoreClock,
        version: Int = 1, migrating migrations: [StoreMigration<Value>] = []
    ) {
        entries = KeyValueStore(
            name: name, value: .expiring(value), version: version,
            migrating: migrations.map(\.expiring))
        self.clock = clock
        lifetime = timeToLive.heldMilliseconds
        entries.kind = "expiring"
        entries.owner = self
        entries.expire(by: clock, .payload, lifetime: 0) { _, entry in entry.expiry }
    }

    /// The value of a key, or nil if it has none, or none any more.
    @inlinable
    public func get(_ key: Key) throws -> Value? {
        guard let entry = try entries.get(key), entry.expiry > clock.now else { return nil }
        return entry.value
    }

    /// Sets the value of a key; committed with the next commit of the task.
    /// - Parameter timeToLive: how long from now it lives; the store's time unless given. What was there
    ///   before is replaced, its time included.
    @inlinable
    public func put(_ key: Key, _ value: Value, timeToLive: Duration? = nil) throws {
        let lifetime = timeToLive?.heldMilliseconds ?? lifetime
        try entries.put(key, Expiring(value, expiry: clock.now.addingHeld(lifetime)))
    }

    /// Removes a key and its value, if it has one; committed with the next commit of the task.
    @inlinable
    public func delete(_ key: Key) throws { try entries.delete(key) }

    /// Hands the entries that have not expired to `body` in the order of their keys, until it returns
    /// false. As ``KeyValueStore/scan(from:to:order:_:)`` does.
    public func scan(
        from: Key? = nil, to: Key? = nil, order: ScanOrder = .ascending,
        _ body: (Key, Value) throws -> Bool
    ) throws {
        let now = clock.now
        try entries.scan(from: from, to: to, order: order) { key, entry in
            try entry.expiry <= now || body(key, entry.value)
        }
    }

    /// Hands all entries that have not expired to `body` in ascending order of their keys.
    public func forEach(_ body: (Key, Value) throws -> Void) throws {
        try scan { key, value in
            try body(key, value)
            return true
        }
    }

    /// The event time from which on the entry of a key is gone, in milliseconds since 1970; nil if it has
    /// none.
    package func expiryMilliseconds(of key: Key) throws -> Int64? {
        guard let entry = try entries.get(key), entry.expiry > clock.now else { return nil }
        return entry.expiry
    }
}

/// A value, and when it is gone.
@frozen
@usableFromInline
package struct Expiring<Value> {
    @usableFromInline package let value: Value
    @usableFromInline package let expiry: Int64

    @inlinable
    package init(_ value: Value, expiry: Int64) {
        self.value = value
        self.expiry = expiry
    }
}

extension Serde {
    /// A value behind its expiry, by the wrapped serde.
    @inlinable
    package static func expiring<Wrapped>(_ wrapped: Serde<Wrapped>) -> Serde<Expiring<Wrapped>>
    where Value == Expiring<Wrapped> {
        Serde<Expiring<Wrapped>>(
            name: "expiring(\(wrapped.name))",
            encode: { entry, buffer in
                entry.expiry.appendBigEndian(to: &buffer)
                let isNull = wrapped.isNull(entry.value)
                buffer.append(isNull ? 1 : 0)
                if !isNull { try wrapped.encode(entry.value, &buffer) }
            },
            decode: { bytes in
                let head = try ExpiringHead(bytes)
                guard head.isNull else {
                    return Expiring(
                        try wrapped.decode(bytes.extracting(ExpiringHead.byteCount...)),
                        expiry: head.expiry)
                }
                guard let decodeNull = wrapped.decodeNull else {
                    throw SerdeError("null is not a value of \(wrapped.name).")
                }
                return Expiring(decodeNull(), expiry: head.expiry)
            },
            jsonForm: wrapped.ownForm.map { .expiring($0) })
    }
}

/// What stands before a value that expires.
@usableFromInline
struct ExpiringHead {
    @usableFromInline static let byteCount = 9
    @usableFromInline let expiry: Int64
    @usableFromInline let isNull: Bool

    @usableFromInline
    init(_ bytes: RawSpan) throws {
        guard bytes.byteCount >= Self.byteCount else {
            throw SerdeError("\(bytes.byteCount) bytes hold no value with its expiry before it.")
        }
        expiry = try Int64(bigEndianBytes: bytes.extracting(0..<8), as: "expiry")
        isNull = try Bool(orderedBytes: bytes.extracting(8..<9))
    }
}

extension JSONForm {
    @usableFromInline
    static func expiring(_ form: JSONForm) -> JSONForm {
        JSONForm(
            read: { bytes in
                let head = try ExpiringHead(bytes)
                let value =
                    try head.isNull ? .null : form.read(bytes.extracting(ExpiringHead.byteCount...))
                return .object([
                    ("expires", .number(String(head.expiry))), ("value", value),
                ])
            },
            write: { json in
                guard case .object(let members) = json,
                    members.map(\.name) == ["expires", "value"],
                    let expiry = members[0].value.integer(Int64.self)
                else {
                    throw SerdeError("\(json.excerpt) is not {\"expires\": …, \"value\": …}.")
                }
                var bytes: [UInt8] = []
                expiry.appendBigEndian(to: &bytes)
                let value = try form.write(members[1].value)
                bytes.append(value == nil ? 1 : 0)
                return bytes + (value ?? [])
            })
    }
}
