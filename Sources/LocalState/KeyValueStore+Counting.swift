// Counters: a number is added to without being decoded, encoded or, where nobody wants to know the sum,
// read.

extension KeyValueStore where Value: FixedWidthInteger {
    /// Adds a number to the value of a key, which counts as 0 if it has none; gives the sum. A sum that
    /// leaves the type's range wraps round.
    @inlinable
    @discardableResult
    public func add(_ number: Value, to key: Key) throws -> Value {
        if !fields.pointee.isWritable { try refuseWrite() }
        let table = self.table
        let hash = table.hash(key)
        var index = table.find(key, hash)
        var old: Value = 0
        if index >= 0, table.meta(index) & EntryFlags.isKnown != 0 {
            if table.meta(index) & EntryFlags.hasValue != 0 { old = table.value(index).pointee }
        } else {
            old = try load(key, hash) ?? 0
            index = table.find(key, hash)
        }
        if fields.pointee.shared.pointee.savepoint != 0 { noteUndo(key, index) }
        if index < 0 { index = insert(key, hash) }
        let sum = old &+ number
        write(index, sum)
        return sum
    }

    /// Adds a number to the value of a key as ``add(_:to:)`` does, without telling the sum: so a key that is not
    /// in memory is not read before the commit, which does it in the order of keys. Faster where there are
    /// more keys than memory holds.
    @inlinable
    public func increment(_ key: Key, by number: Value = 1) throws {
        let table = self.table
        let index = try slotToWrite(key)
        let meta = table.meta(index)
        if meta & EntryFlags.isKnown != 0 {
            let old = meta & EntryFlags.hasValue != 0 ? table.value(index).pointee : 0
            return write(index, old &+ number)
        }
        if meta & EntryFlags.hasValue != 0 {
            table.value(index).pointee &+= number
        } else {
            if merge == nil { merge = { ($0 ?? 0) &+ $1 } }
            table.value(index).initialize(to: number)
        }
        table.markDirty(index, meta, flags: EntryFlags.hasValue)
    }
}
