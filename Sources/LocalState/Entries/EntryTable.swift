// The entries of a store in memory: open addressing, linear probing, a power of two of slots, key and
// value inline. It knows what is dirty, not where the rest of the data is. All of it is inlinable, so that
// it is compiled for the types of a user's store in the user's module.
//
//     slot   meta 8 bytes | key | value        each aligned; the value is there only if a flag says so
//     meta   hash 32 bits | interval 24 bits | flags 8 bits;   0: the slot is free
//
// Entries leave the table only when it is made anew, so that a probe ends at the first free slot and
// nothing marks where an entry was. Not Sendable: confined to the thread of its store.

/// What an entry is, in the lowest bits of its meta word.
@usableFromInline
enum EntryFlags {
    /// In every entry.
    @inlinable static var isTaken: UInt64 { 1 }
    /// The value is there.
    @inlinable static var hasValue: UInt64 { 2 }
    /// The entry is what a read gives: its value, or that there is none. Without it, a value is what is
    /// to be added to the committed one, and no value means that the entry must be read first.
    @inlinable static var isKnown: UInt64 { 4 }
    @inlinable static var all: UInt64 { 0xff }
    @inlinable static var intervalShift: UInt64 { 8 }
    @inlinable static var intervalMask: UInt64 { 0xff_ffff }
    @inlinable static var hashShift: UInt64 { 32 }
    @inlinable static var hashMask: UInt64 { 0xffff_ffff << 32 }
}

/// The entries of a store in memory.
@frozen
@usableFromInline
struct EntryTable<Key: StoreKey, Value> {
    @usableFromInline let fields: UnsafeMutablePointer<TableFields>

    @inlinable
    init(_ fields: UnsafeMutablePointer<TableFields>) { self.fields = fields }

    // MARK: Slots

    @inlinable static var keyOffset: Int { align(8, MemoryLayout<Key>.alignment) }
    @inlinable static var valueOffset: Int {
        align(keyOffset + MemoryLayout<Key>.size, MemoryLayout<Value>.alignment)
    }
    @inlinable static var slotBytes: Int {
        align(
            valueOffset + MemoryLayout<Value>.size,
            max(8, max(MemoryLayout<Key>.alignment, MemoryLayout<Value>.alignment)))
    }

    @inlinable
    static func align(_ offset: Int, _ alignment: Int) -> Int {
        (offset + alignment - 1) & ~(alignment - 1)
    }

    @inlinable
    @inline(__always)
    func slot(_ index: Int) -> UnsafeMutableRawPointer {
        fields.pointee.slots + index &* Self.slotBytes
    }

    @inlinable
    @inline(__always)
    func meta(_ index: Int) -> UInt64 { slot(index).load(as: UInt64.self) }

    @inlinable
    @inline(__always)
    func setMeta(_ index: Int, _ meta: UInt64) { slot(index).storeBytes(of: meta, as: UInt64.self) }

    @inlinable
    @inline(__always)
    func key(_ index: Int) -> UnsafeMutablePointer<Key> {
        (slot(index) + Self.keyOffset).assumingMemoryBound(to: Key.self)
    }

    @inlinable
    @inline(__always)
    func value(_ index: Int) -> UnsafeMutablePointer<Value> {
        (slot(index) + Self.valueOffset).assumingMemoryBound(to: Value.self)
    }

    @inlinable
    @inline(__always)
    func isDirty(_ meta: UInt64) -> Bool {
        (meta >> EntryFlags.intervalShift) & EntryFlags.intervalMask == fields.pointee.interval
    }

    @inlinable
    @inline(__always)
    static func flags(_ meta: UInt64, are flags: UInt64) -> Bool { meta & flags == flags }

    // MARK: Finding and adding

    @inlinable
    @inline(__always)
    func hash(_ key: Key) -> UInt32 {
        UInt32(truncatingIfNeeded: key.storeHash(seed: fields.pointee.seed) >> 32)
    }

    /// The slot of a key; -1 if it has none.
    @inlinable
    @inline(__always)
    func find(_ key: Key, _ hash: UInt32) -> Int {
        let mask = fields.pointee.mask
        var index = Int(hash) & mask
        while true {
            let meta = meta(index)
            if meta == 0 { return -1 }
            if UInt32(truncatingIfNeeded: meta >> EntryFlags.hashShift) == hash,
                Key.isSameKey(self.key(index).pointee, key)
            {
                return index
            }
            index = (index &+ 1) & mask
        }
    }

    /// Takes a slot for a key that has none. Its value is not there, and nothing is known of it.
    @inlinable
    @inline(__always)
    func insert(_ key: Key, _ hash: UInt32) -> Int {
        // Three quarters are as full as linear probing likes it.
        if fields.pointee.count &* 4 >= (fields.pointee.mask &+ 1) &* 3 { makeRoom() }
        let index = freeSlot(hash)
        setMeta(index, (UInt64(hash) << EntryFlags.hashShift) | EntryFlags.isTaken)
        self.key(index).initialize(to: key)
        fields.pointee.count &+= 1
        return index
    }

    @inlinable
    @inline(__always)
    func freeSlot(_ hash: UInt32) -> Int {
        let mask = fields.pointee.mask
        var index = Int(hash) & mask
        while meta(index) != 0 { index = (index &+ 1) & mask }
        return index
    }

    /// Sets flags, keeping the hash; the entry is dirty then, and listed as such.
    @inlinable
    @inline(__always)
    func markDirty(_ index: Int, _ old: UInt64, flags: UInt64) {
        let interval = fields.pointee.interval
        setMeta(
            index,
            (old & EntryFlags.hashMask) | (interval << EntryFlags.intervalShift)
                | EntryFlags.isTaken | flags)
        fields.pointee.writeCount &+= 1
        if !isDirty(old) { listDirty(index) }
    }

    @inlinable
    @inline(__always)
    func listDirty(_ index: Int) {
        if fields.pointee.dirtyCount == fields.pointee.dirtyRoom { growDirtyList(fields) }
        fields.pointee.dirtySlots[fields.pointee.dirtyCount] = UInt32(truncatingIfNeeded: index)
        fields.pointee.dirtyCount &+= 1
        fields.pointee.shared.pointee.dirtyBytes &+= Self.dirtyEntryBytes
    }

    /// Bytes that a dirty entry takes beside its payload: its slot with the free ones around it, its place in
    /// the list, and twice what a commit sorts.
    @inlinable static var dirtyEntryBytes: Int { slotBytes * 3 / 2 + 4 + 2 * 16 }

    // MARK: Making anew

    /// Makes room for another entry: with more slots, or, where memory is short, without clean entries.
    @inlinable
    @inline(never)
    func makeRoom() {
        let capacity = fields.pointee.mask + 1
        let isDear =
            fields.pointee.shared.pointee.memoryBytes + capacity * Self.slotBytes
            > fields.pointee.shared.pointee.reclaimBytes
        let isMostlyDirty = fields.pointee.dirtyCount * 4 > fields.pointee.count * 3
        if isDear && !isMostlyDirty {
            rebuild(capacity: capacity, keepsClean: false)
        } else {
            precondition(
                capacity < 1 << 30, "a store holds a billion entries that are not committed")
            rebuild(capacity: capacity * 2, keepsClean: true)
        }
    }

    /// Moves the entries into new slots. Places in the list of dirty slots stay what they were.
    @inlinable
    @inline(never)
    func rebuild(capacity: Int, keepsClean: Bool) {
        let old = fields.pointee.slots
        let oldCapacity = fields.pointee.mask + 1
        fields.pointee.slots = SlotMemory.allocate(capacity * Self.slotBytes)
        fields.pointee.mask = capacity - 1
        fields.pointee.count = 0
        fields.pointee.shared.pointee.memoryBytes += (capacity - oldCapacity) * Self.slotBytes
        // First those on the list, in its order. A slot that was moved holds where to; its hash is not 0,
        // which no meta word without its lowest bit can be taken for.
        for place in 0..<fields.pointee.dirtyCount {
            let listed = fields.pointee.dirtySlots[place]
            guard listed != .max else { continue }
            let from = old + Int(listed) * Self.slotBytes
            let meta = from.load(as: UInt64.self)
            if meta & EntryFlags.isTaken == 0 {
                fields.pointee.dirtySlots[place] = UInt32(truncatingIfNeeded: meta >> 1)
            } else if keepsClean || isDirty(meta) {
                let index = move(from, meta)
                from.storeBytes(of: UInt64(index) << 1, as: UInt64.self)
                fields.pointee.dirtySlots[place] = UInt32(truncatingIfNeeded: index)
            } else {
                destroy(from, meta)
                from.storeBytes(of: UInt64(UInt32.max) << 1, as: UInt64.self)
                fields.pointee.dirtySlots[place] = .max
            }
        }
        for index in 0..<oldCapacity {
            let from = old + index * Self.slotBytes
            let meta = from.load(as: UInt64.self)
            guard meta & EntryFlags.isTaken != 0 else { continue }
            if keepsClean {
                _ = move(from, meta)
            } else {
                destroy(from, meta)
            }
        }
        SlotMemory.free(old, oldCapacity * Self.slotBytes)
    }

    @inlinable
    func move(_ from: UnsafeMutableRawPointer, _ meta: UInt64) -> Int {
        let index = freeSlot(UInt32(truncatingIfNeeded: meta >> EntryFlags.hashShift))
        setMeta(index, meta)
        key(index).moveInitialize(
            from: (from + Self.keyOffset).assumingMemoryBound(to: Key.self), count: 1)
        if meta & EntryFlags.hasValue != 0 {
            value(index).moveInitialize(
                from: (from + Self.valueOffset).assumingMemoryBound(to: Value.self), count: 1)
        }
        fields.pointee.count += 1
        return index
    }

    @inlinable
    func destroy(_ slot: UnsafeMutableRawPointer, _ meta: UInt64) {
        (slot + Self.keyOffset).assumingMemoryBound(to: Key.self).deinitialize(count: 1)
        if meta & EntryFlags.hasValue != 0 {
            (slot + Self.valueOffset).assumingMemoryBound(to: Value.self).deinitialize(count: 1)
        }
    }

    /// Ends all entries, and gives the memory back.
    @inlinable
    func free() {
        let capacity = fields.pointee.mask + 1
        for index in 0..<capacity where meta(index) != 0 { destroy(slot(index), meta(index)) }
        SlotMemory.free(fields.pointee.slots, capacity * Self.slotBytes)
        fields.pointee.shared.pointee.memoryBytes -= capacity * Self.slotBytes
    }
}

/// Doubles the room of the list of dirty slots.
@usableFromInline
func growDirtyList(_ fields: UnsafeMutablePointer<TableFields>) {
    let room = max(Limits.tableSlotsMin, fields.pointee.dirtyRoom * 2)
    let grown = UnsafeMutablePointer<UInt32>.allocate(capacity: room)
    grown.update(from: fields.pointee.dirtySlots, count: fields.pointee.dirtyCount)
    fields.pointee.dirtySlots.deallocate()
    fields.pointee.dirtySlots = grown
    fields.pointee.dirtyRoom = room
}
