// Reading a store in key order: what is committed, merged with what is not.

extension KeyValueStore {
    /// Hands entries to `body` in ascending order of their keys, until it returns false.
    ///
    /// The body may write to the store: each key that was there at the start is visited at most
    /// once, with the value that it has then, or not at all if it has been deleted before; keys
    /// that the body adds are not visited.
    /// - Parameters:
    ///   - from: the first key that may be visited; nil begins with the lowest.
    ///   - to: the first key that is no longer visited; nil ends with the highest.
    ///   - body: returns whether to go on.
    public func scan(
        from: Key? = nil, to: Key? = nil, _ body: (Key, Value) throws -> Bool
    ) throws {
        let table = boundTable()
        let lower = fullKey(from)
        let upper = to.map { fullKey($0) }
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

    /// Hands all entries to `body` in ascending order of their keys; as ``scan(from:to:_:)`` does.
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
