// Reading a store in key order: what is committed, a chunk of checked entries at a time, merged with what
// is not.

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
    /// once, with the value that it has then, or not at all if it has been deleted before. Keys that
    /// the body adds may be visited or not.
    /// - Parameters:
    ///   - from: no key below it is visited, in either order; nil sets no bound.
    ///   - to: neither it nor a key above it is visited, in either order; nil sets no bound.
    ///   - order: ascending visits the lowest key first, descending the highest.
    ///   - body: returns whether to go on.
    @inlinable
    public func scan(
        from: Key? = nil, to: Key? = nil, order: ScanOrder = .ascending,
        _ body: (Key, Value) throws -> Bool
    ) throws {
        try scan(fullKeysFrom: fullKey(from), to: to.map { fullKey($0) }, order: order, body)
    }

    /// Hands all entries to `body` in ascending order of their keys; as ``scan(from:to:order:_:)`` does.
    @inlinable
    public func forEach(_ body: (Key, Value) throws -> Void) throws {
        try scan { key, value in
            try body(key, value)
            return true
        }
    }

    /// How many entries there are, those not yet committed included. It reads all of them.
    @inlinable
    public func count() throws -> Int {
        var count = 0
        try scan { _, _ in
            count += 1
            return true
        }
        return count
    }

    /// As ``scan(from:to:order:_:)``, between bounds as ``StoreKey/encodeOrdered(into:)`` writes keys, or
    /// beginnings of such.
    @inlinable
    package func scan(
        encodedFrom: [UInt8], encodedTo: [UInt8]?, order: ScanOrder = .ascending,
        _ body: (Key, Value) throws -> Bool
    ) throws {
        try scan(
            fullKeysFrom: [KeyPrefix.byte] + encodedFrom,
            to: encodedTo.map { [KeyPrefix.byte] + $0 }, order: order, body)
    }

    @inlinable
    func fullKey(_ key: Key?) -> [UInt8] {
        var fullKey = [KeyPrefix.byte]
        key?.encodeOrdered(into: &fullKey)
        return fullKey
    }

    @inlinable
    func scan(
        fullKeysFrom lower: [UInt8], to upper: [UInt8]?, order direction: ScanOrder,
        _ body: (Key, Value) throws -> Bool
    ) throws {
        let records = boundRecords()
        let startWriteCount = fields.pointee.writeCount
        var overlay: DirtyOverlay?
        if fields.pointee.dirtyCount > 0 {
            orderDirtyEntries()
            let made = DirtyOverlay(order, from: lower, to: upper, order: direction)
            if made.place >= 0 { overlay = made }
        }
        let startEpoch = fields.pointee.dirtyEpoch
        let scan = try records.beginScan(from: lower, to: upper, order: direction)
        defer { records.endScan(scan) }
        while true {
            let count = try scan.fill()
            if count == 0 { break }
            for number in 0..<count {
                let entry = scan.chunk[number]
                if let dirty = overlay {
                    let step = try visitDirty(dirty, before: entry, startEpoch, body)
                    if step == .stop { return }
                    if dirty.place < 0 { overlay = nil }
                    if step == .tookThis { continue }
                }
                let key = try decodeKey(entry)
                if fields.pointee.writeCount != startWriteCount {
                    switch try written(key) {
                    case .same: break
                    case .deleted: continue
                    case .value(let value):
                        guard try body(key, value) else { return }
                        continue
                    }
                }
                // Nil: a migration leaves it out.
                guard let value = try decodeValue(entry) else { continue }
                guard try body(key, value) else { return }
            }
        }
        while let dirty = overlay, dirty.place >= 0 {
            if try visitDirty(dirty, before: nil, startEpoch, body) == .stop { return }
        }
    }

    // MARK: Dirty entries

    /// What was done about an entry of the tree before it is looked at.
    @usableFromInline
    enum DirtyStep {
        /// The body does not want to go on.
        case stop
        /// The entry has a dirty one of the same key, which was visited in its place.
        case tookThis
        /// The entry is next.
        case goOn
    }

    /// Visits the dirty entries that come before an entry of the tree, or all of them.
    @inlinable
    func visitDirty(
        _ dirty: DirtyOverlay, before entry: RawEntry?, _ startEpoch: Int,
        _ body: (Key, Value) throws -> Bool
    ) throws -> DirtyStep {
        let table = self.table
        while dirty.place >= 0 {
            var order = -1
            if let entry {
                order = dirty.compare(to: entry)
                if order > 0 { return .goOn }
            }
            // After a rollback within the body no place holds any more.
            guard fields.pointee.dirtyEpoch == startEpoch else {
                dirty.advance()
                continue
            }
            let slot = fields.pointee.dirtySlots[dirty.place]
            dirty.advance()
            // Clean again: what is committed counts.
            guard slot != .max, table.isDirty(table.meta(Int(slot))) else {
                if order == 0 { return .goOn }
                continue
            }
            let index = Int(slot)
            let meta = table.meta(index)
            let key = table.key(index).pointee
            if meta & EntryFlags.hasValue != 0 {
                let value =
                    meta & EntryFlags.isKnown != 0 ? table.value(index).pointee : try get(key)
                if let value, try !body(key, value) { return .stop }
            }
            if order == 0 { return .tookThis }
        }
        return .goOn
    }

    /// What the body has written to a key of the tree.
    @usableFromInline
    enum Written {
        case same
        case deleted
        case value(Value)
    }

    @inlinable
    func written(_ key: Key) throws -> Written {
        let table = self.table
        let index = table.find(key, table.hash(key))
        guard index >= 0 else { return .same }
        let meta = table.meta(index)
        guard table.isDirty(meta) else { return .same }
        return try get(key).map { .value($0) } ?? .deleted
    }

    // MARK: Decoding

    @inlinable
    @inline(__always)
    func decodeKey(_ entry: RawEntry) throws -> Key {
        do {
            return try Key(orderedBytes: entry.key.bytes)
        } catch { throw undecodable("key", entry.fullKey, error) }
    }

    @inlinable
    @inline(__always)
    func decodeValue(_ entry: RawEntry) throws -> Value? {
        do {
            return try decode(entry.kind, entry.payload)
        } catch { throw undecodable("value of key", entry.fullKey, error) }
    }
}
