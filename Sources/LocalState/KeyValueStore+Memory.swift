// What a store holds in memory: counted as entries come and change, dropped where it is too much.

extension KeyValueStore {
    /// Bytes of the table and of what keys and values take outside of it.
    package var memoryBytes: Int {
        (fields.pointee.mask + 1) * EntryTable<Key, Value>.slotBytes + fields.pointee.payloadBytes
    }

    /// Counts a key that gets a slot.
    @inlinable
    func accountKey(_ key: Key) { addPayload(payloadBytes(of: key)) }

    @inlinable
    func payloadBytes(of key: Key) -> Int {
        PayloadSize<Key>.isTold ? PayloadSize<Key>.bytes(of: key) : fields.pointee.averageBytes
    }

    @inlinable
    func payloadBytes(of value: Value) -> Int {
        PayloadSize<Value>.isTold
            ? PayloadSize<Value>.bytes(of: value) : fields.pointee.averageBytes
    }

    /// Counts a value that is about to take the place of a slot's; nil: it is about to go.
    @inlinable
    @inline(__always)
    func account(_ index: Int, _ meta: UInt64, _ new: Value?) {
        if PayloadSize<Key>.isInline, PayloadSize<Value>.isInline { return }
        accountPayload(index, meta, new)
    }

    @inlinable
    func accountPayload(_ index: Int, _ meta: UInt64, _ new: Value?) {
        if !PayloadSize<Value>.isTold, let new { measure(new) }
        let table = self.table
        let oldBytes =
            meta & EntryFlags.hasValue != 0 ? payloadBytes(of: table.value(index).pointee) : 0
        let newBytes = new.map { payloadBytes(of: $0) } ?? 0
        addPayload(newBytes - oldBytes)
        let dirty =
            table.isDirty(meta)
            ? newBytes - oldBytes : newBytes + payloadBytes(of: table.key(index).pointee)
        fields.pointee.dirtyPayloadBytes &+= dirty
        fields.pointee.shared.pointee.dirtyBytes &+= dirty
    }

    @inlinable
    func addPayload(_ bytes: Int) {
        fields.pointee.payloadBytes &+= bytes
        fields.pointee.shared.pointee.memoryBytes &+= bytes
    }

    /// Encodes a value now and then, to know what the values of this store take.
    @inlinable
    func measure(_ value: Value) {
        fields.pointee.writesUntilMeasured -= 1
        guard fields.pointee.writesUntilMeasured <= 0, !serde.isNull(value) else { return }
        fields.pointee.writesUntilMeasured = Limits.measuredWritesInterval
        var buffer: [UInt8] = []
        do {
            try serde.encode(value, &buffer)
        } catch {
            // The commit will say so; until then its size is unknown.
            return
        }
        let average = fields.pointee.averageBytes
        let bytes = buffer.count + PayloadSize<Value>.overhead
        // Large ones count at once, and are forgotten slowly: what must not be exceeded is the memory.
        fields.pointee.averageBytes = bytes > average ? bytes : average - (average - bytes) / 8
    }

    /// Drops clean entries of all stores of the environment.
    @usableFromInline
    func reclaim() { reclaimAll?() }

    /// Makes the table anew with the dirty entries only.
    @inlinable
    func dropCleanEntries() {
        let capacity = fields.pointee.mask + 1
        var needed = Limits.tableSlotsMin
        while needed < fields.pointee.dirtyCount * 2 { needed *= 2 }
        table.rebuild(capacity: max(needed, capacity / 4), keepsClean: false)
        addPayload(fields.pointee.dirtyPayloadBytes - fields.pointee.payloadBytes)
    }
}
