// The plain fields of a store's table of entries, behind one pointer: what is read and written with
// every call costs neither an exclusivity check nor a reference count there. And the memory of tables.

import Glibc

/// The fields of a table of entries.
@frozen
@usableFromInline
struct TableFields {
    /// Where the slots lie: `mask + 1` of them.
    @usableFromInline var slots: UnsafeMutableRawPointer
    @usableFromInline var mask: Int
    /// Slots that hold an entry.
    @usableFromInline var count = 0
    /// The interval between commits that we are in, from 1: an entry is dirty if it has this number.
    @usableFromInline var interval: UInt64 = 1
    /// The slots that became dirty in this interval, in that order. A slot may be named twice, and may
    /// have become clean again (a savepoint was rolled back to); `Int32.max` names none.
    @usableFromInline var dirtySlots: UnsafeMutablePointer<UInt32>
    @usableFromInline var dirtyCount = 0
    @usableFromInline var dirtyRoom = 0
    /// Counts writes, so that a scan notices those of its body.
    @usableFromInline var writeCount = 0
    /// Counts how often dirty entries were committed or dropped: places in `dirtySlots` end with that.
    @usableFromInline var dirtyEpoch = 0
    /// False before the store is opened, and after a commit with unknown outcome.
    @usableFromInline var isWritable = false
    /// Of the environment that the store belongs to.
    @usableFromInline var shared: UnsafeMutablePointer<SharedFields>
    /// What entries were before they were written, since a savepoint; of the store's own type.
    @usableFromInline var undo: UnsafeMutableRawPointer
    /// The savepoint that `undo` goes back to.
    @usableFromInline var undoSavepoint: UInt64 = 0
    @usableFromInline var undoCount = 0
    @usableFromInline var undoRoom = 0
    /// Bytes of keys and values outside of the slots, and those of dirty entries among them; estimated
    /// where a type does not tell.
    @usableFromInline var payloadBytes = 0
    @usableFromInline var dirtyPayloadBytes = 0
    /// Bytes of an encoded value on average, for types that do not tell their size.
    @usableFromInline var averageBytes = 0
    /// Writes until a value is measured again.
    @usableFromInline var writesUntilMeasured = 1
    @usableFromInline let seed: UInt64

    @usableFromInline
    init(slotBytes: Int, shared: UnsafeMutablePointer<SharedFields>) {
        slots = SlotMemory.allocate(slotBytes * Limits.tableSlotsMin)
        mask = Limits.tableSlotsMin - 1
        dirtySlots = .allocate(capacity: 0)
        undo = .allocate(byteCount: 0, alignment: 16)
        self.shared = shared
        seed = .random(in: 0 ... .max)
    }
}

/// What the stores of an environment share.
@frozen
@usableFromInline
package struct SharedFields {
    /// The number of the current savepoint; 0 as long as nobody has asked for one.
    @usableFromInline package var savepoint: UInt64 = 0
    /// Bytes of all tables and payloads.
    @usableFromInline package var memoryBytes = 0
    /// Bytes of what the next commit writes, and of what it needs to put it in order.
    @usableFromInline package var dirtyBytes = 0
    /// Clean entries are dropped when `memoryBytes` is above this.
    @usableFromInline package var reclaimBytes: Int

    init(reclaimBytes: Int) { self.reclaimBytes = reclaimBytes }
}

/// Memory for slots, zero at first.
@usableFromInline
enum SlotMemory {
    @usableFromInline
    static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
        guard byteCount >= Limits.hugeTableBytesMin else {
            guard let memory = calloc(byteCount, 1) else { outOfMemory(byteCount) }
            return memory
        }
        // Aligned, so that huge pages fit: a probe then rarely misses the processor's table of pages.
        let alignment = Limits.hugePageBytes
        let whole = mmap(
            nil, byteCount + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let whole, whole != MAP_FAILED else { outOfMemory(byteCount) }
        let lead = -Int(bitPattern: whole) & (alignment - 1)
        if lead > 0 { munmap(whole, lead) }
        let start = whole + lead
        let used = pages(byteCount)
        munmap(start + used, alignment - lead + byteCount - used)
        madvise(start, used, MADV_HUGEPAGE)
        return start
    }

    @usableFromInline
    static func free(_ memory: UnsafeMutableRawPointer, _ byteCount: Int) {
        guard byteCount >= Limits.hugeTableBytesMin else { return Glibc.free(memory) }
        munmap(memory, pages(byteCount))
    }

    private static func pages(_ byteCount: Int) -> Int { (byteCount + 4095) & ~4095 }

    private static func outOfMemory(_ byteCount: Int) -> Never {
        preconditionFailure("the system has no \(byteCount) bytes for the entries of a store")
    }
}
