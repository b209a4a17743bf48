// Undoing what a callback has written. Each write of an environment that has a savepoint first notes what
// the entry was; going back puts those back, the last one first.

extension KeyValueStore {
    /// What an entry was before a write.
    @frozen
    @usableFromInline
    struct UndoEntry {
        @usableFromInline let key: Key
        /// 0: the key had no slot.
        @usableFromInline let meta: UInt64
        @usableFromInline let value: Value?

        @inlinable
        init(key: Key, meta: UInt64, value: Value?) {
            self.key = key
            self.meta = meta
            self.value = value
        }
    }

    @inlinable
    var undo: UnsafeMutablePointer<UndoEntry> {
        fields.pointee.undo.assumingMemoryBound(to: UndoEntry.self)
    }

    /// Notes what the entry of a key is; its slot, or -1 if it has none.
    @inlinable
    func noteUndo(_ key: Key, _ index: Int) {
        let savepoint = fields.pointee.shared.pointee.savepoint
        if fields.pointee.undoSavepoint != savepoint {
            dropUndo()
            fields.pointee.undoSavepoint = savepoint
        }
        if fields.pointee.undoCount == fields.pointee.undoRoom { growUndo() }
        let table = self.table
        let meta = index < 0 ? 0 : table.meta(index)
        let value = meta & EntryFlags.hasValue != 0 ? table.value(index).pointee : nil
        (undo + fields.pointee.undoCount).initialize(
            to: UndoEntry(key: key, meta: meta, value: value))
        fields.pointee.undoCount &+= 1
    }

    /// What was noted is not needed any more.
    @inlinable
    func dropUndo() {
        undo.deinitialize(count: fields.pointee.undoCount)
        fields.pointee.undoCount = 0
    }

    @inlinable
    @inline(never)
    func growUndo() {
        let room = Swift.max(16, fields.pointee.undoRoom * 2)
        let grown = UnsafeMutablePointer<UndoEntry>.allocate(capacity: room)
        grown.moveInitialize(from: undo, count: fields.pointee.undoCount)
        undo.deallocate()
        fields.pointee.undo = UnsafeMutableRawPointer(grown)
        fields.pointee.undoRoom = room
    }

    /// Puts back what was written since the savepoint.
    package func rollbackToSavepoint() {
        guard fields.pointee.undoSavepoint == fields.pointee.shared.pointee.savepoint else {
            return
        }
        for number in (0..<fields.pointee.undoCount).reversed() { putBack(undo[number]) }
        fields.pointee.writeCount &+= 1
        dropUndo()
    }

    private func putBack(_ entry: UndoEntry) {
        let table = self.table
        let index = table.find(entry.key, table.hash(entry.key))
        precondition(index >= 0, "what was written is in memory until the commit")
        let meta = table.meta(index)
        account(index, meta, entry.value)
        if meta & EntryFlags.hasValue != 0 { table.value(index).deinitialize(count: 1) }
        if let value = entry.value { table.value(index).initialize(to: value) }
        // A key that had no slot keeps one of which nothing is known: the next read looks it up.
        let hash = meta & EntryFlags.hashMask
        table.setMeta(index, entry.meta == 0 ? hash | EntryFlags.isTaken : entry.meta)
    }
}
