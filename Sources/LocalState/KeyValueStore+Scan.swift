// Reading a store in key order: what is committed, merged with what is not.

/// The direction of a scan.
@frozen
public enum ScanOrder: Sendable, Hashable {
    case ascending
    case descending
}

extension KeyValueStore {
    /// Hands entries to `body` in the order of their keys, until it returns false.
    ///
    /// The body may write to the store: each key that was there at the start is visited at most
    /// once, with the value that it has then, or not at all if it has been deleted before; keys
    /// that the body adds are not visited.
    /// - Parameters:
    ///   - from: no key below it is visited, in either order; nil sets no bound.
    ///   - to: neither it nor a key above it is visited, in either order; nil sets no bound.
    ///   - order: ascending visits the lowest key first, descending the highest.
    ///   - body: returns whether to go on.
    public func scan(
        from: Key? = nil, to: Key? = nil, order: ScanOrder = .ascending,
        _ body: (Key, Value) throws -> Bool
    ) throws {
        try scan(fullKeysFrom: fullKey(from), to: to.map { fullKey($0) }, order: order, body)
    }

    /// As ``scan(from:to:order:_:)``, between bounds as ``StoreKey/encodeOrdered(into:)`` writes keys, or
    /// beginnings of such.
    package func scan(
        encodedFrom: [UInt8], encodedTo: [UInt8]?, order: ScanOrder = .ascending,
        _ body: (Key, Value) throws -> Bool
    ) throws {
        try scan(
            fullKeysFrom: [Limits.keyPrefix] + encodedFrom,
            to: encodedTo.map { [Limits.keyPrefix] + $0 }, order: order, body)
    }

    /// How many entries there are, those not yet committed included. It reads all of them.
    public func count() throws -> Int {
        var count = 0
        try scan { _, _ in
            count += 1
            return true
        }
        return count
    }

    private func scan(
        fullKeysFrom lower: [UInt8], to upper: [UInt8]?, order: ScanOrder,
        _ body: (Key, Value) throws -> Bool
    ) throws {
        guard order == .descending else {
            return try scanAscending(from: lower, to: upper, body)
        }
        var keys: [Key] = []
        try scanAscending(from: lower, to: upper) { key, _ in
            keys.append(key)
            return true
        }
        for key in keys.reversed() {
            guard let value = try get(key) else { continue }
            guard try body(key, value) else { return }
        }
    }

    private func scanAscending(
        from lower: [UInt8], to upper: [UInt8]?, _ body: (Key, Value) throws -> Bool
    ) throws {
        let table = boundTable()
        orderDirtyKeys()
        let keys = dirtyKeys
        let ordered = orderedKeys
        let startWriteCount = writeCount
        var next = ordered.firstIndex(notLessThan: lower.span.bytes)
        var goesOn = true

        func visitDirty() throws {
            let key = keys[ordered.items[next].slot]
            next += 1
            // An entry can be missing here: the body may have rolled back.
            if let value = try get(key) { goesOn = try body(key, value) }
        }
        func isWithin(_ fullKey: RawSpan) -> Bool {
            guard let upper else { return true }
            return fullKey.order(against: upper.span.bytes) < 0
        }

        try table.scan(from: lower) { fullKey, kind, payload in
            guard isWithin(fullKey) else { return false }
            var order = -1
            while next < ordered.count {
                order = ordered.order(of: ordered.items[next], against: fullKey)
                guard order < 0 else { break }
                try visitDirty()
                guard goesOn else { return false }
            }
            if next < ordered.count, order == 0 {
                try visitDirty()
                return goesOn
            }
            let key = try decodeKey(fullKey)
            if writeCount != startWriteCount, let entry = entries[CachedKey(key)] {
                if let value = entry.value { goesOn = try body(key, value) }
            } else {
                goesOn = try body(key, try decodeValue(kind, payload, fullKey))
            }
            return goesOn
        }
        while goesOn, next < ordered.count {
            let key = ordered.bytes.span.bytes.extracting(ordered.key(ordered.items[next]))
            guard isWithin(key) else { return }
            try visitDirty()
        }
    }

    /// Hands all entries to `body` in ascending order of their keys; as ``scan(from:to:order:_:)`` does.
    public func forEach(_ body: (Key, Value) throws -> Void) throws {
        try scan { key, value in
            try body(key, value)
            return true
        }
    }

    private func fullKey(_ key: Key?) -> [UInt8] {
        var fullKey = [Limits.keyPrefix]
        key?.encodeOrdered(into: &fullKey)
        return fullKey
    }

    private func decodeValue(
        _ kind: ValueKind, _ payload: RawSpan, _ fullKey: RawSpan
    ) throws -> Value {
        do {
            return try decode(kind, payload)
        } catch {
            throw undecodable("value of key", fullKey.copied, error)
        }
    }

    private func decodeKey(_ fullKey: RawSpan) throws -> Key {
        do {
            return try Key(orderedBytes: fullKey.extracting(Limits.keyPrefixBytes...))
        } catch {
            throw undecodable("key", fullKey.copied, error)
        }
    }
}
