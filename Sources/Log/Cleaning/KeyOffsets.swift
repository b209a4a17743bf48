// The last offset of each key, exact: keys are kept as bytes and compared, so that no two of them are ever
// taken for one (Kafka's map keeps a hash of 16 bytes). An open-addressing table of 16-byte slots over an
// arena of keys; nothing is ever removed. Bounded: what does not fit is left for the next pass.
//
//   slots: │ tag 4 │ place in the arena + 1 4 │ offset 8 │ …      place 0: free
//   arena: │ length 4 │ key │ length 4 │ key │ …

import Glibc

/// Belongs to one thread.
package final class KeyOffsets {
    private struct Slot {
        var tag: UInt32 = 0
        var place: UInt32 = 0
        var offset: Int64 = 0
    }

    private static let lengthBytes = 4
    private static let slotsMin = 1024
    private static let arenaBytesMin = 64 * 1024

    private let byteCountMax: Int
    /// Different for each map, so that nobody can make keys that collide.
    private let seed = UInt64.random(in: .min ... .max)
    private var slots: UnsafeMutableBufferPointer<Slot>
    private var arena: UnsafeMutableRawBufferPointer
    private var arenaCount = 0
    package private(set) var count = 0

    /// - Parameter byteCountMax: Of table and keys; one key is taken however long it is. While the table
    ///   grows, the old one is there as well.
    package init(byteCountMax: Int) {
        precondition(byteCountMax <= Int(UInt32.max), "places in the arena have 32 bits")
        self.byteCountMax = byteCountMax
        slots = Self.makeSlots(Self.slotsMin)
        arena = .allocate(byteCount: Self.arenaBytesMin, alignment: 16)
    }

    deinit {
        slots.deallocate()
        arena.deallocate()
    }

    /// Notes that `key` has its last record at `offset`. False, and nothing is noted, where a new key does
    /// not fit.
    package func put(_ key: UnsafeRawBufferPointer, _ offset: Int64) -> Bool {
        let hash = hash(key)
        var index = find(key, hash)
        if slots[index].place == 0 {
            guard makeRoom(for: key.count) else { return false }
            index = find(key, hash)
            slots[index].tag = UInt32(truncatingIfNeeded: hash >> 32)
            slots[index].place = UInt32(arenaCount + 1)
            arena.storeBytes(of: UInt32(key.count), toByteOffset: arenaCount, as: UInt32.self)
            arenaCount += Self.lengthBytes
            UnsafeMutableRawBufferPointer(rebasing: arena[arenaCount...]).copyMemory(from: key)
            // Lengths are aligned.
            arenaCount += (key.count + 3) & ~3
            count += 1
        }
        slots[index].offset = offset
        return true
    }

    /// Nil for a key that was never noted.
    package func offset(of key: UnsafeRawBufferPointer) -> Int64? {
        let slot = slots[find(key, hash(key))]
        return slot.place == 0 ? nil : slot.offset
    }

    // MARK: The table

    private static func makeSlots(_ count: Int) -> UnsafeMutableBufferPointer<Slot> {
        let slots = UnsafeMutableBufferPointer<Slot>.allocate(capacity: count)
        slots.initialize(repeating: Slot())
        return slots
    }

    /// The key's slot, or the free one where it belongs. There is always a free one.
    private func find(_ key: UnsafeRawBufferPointer, _ hash: UInt64) -> Int {
        let tag = UInt32(truncatingIfNeeded: hash >> 32)
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: hash) & mask
        while slots[index].place != 0 {
            if slots[index].tag == tag, isKey(key, at: Int(slots[index].place) - 1) {
                return index
            }
            index = (index + 1) & mask
        }
        return index
    }

    private func keyBytes(at place: Int) -> UnsafeRawBufferPointer {
        let count = Int(arena.load(fromByteOffset: place, as: UInt32.self))
        let start = place + Self.lengthBytes
        return UnsafeRawBufferPointer(rebasing: arena[start..<start + count])
    }

    private func isKey(_ key: UnsafeRawBufferPointer, at place: Int) -> Bool {
        let known = keyBytes(at: place)
        guard known.count == key.count else { return false }
        guard let left = known.baseAddress, let right = key.baseAddress else { return true }
        return memcmp(left, right, key.count) == 0
    }

    private func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
        var hash = seed ^ UInt64(key.count)
        var position = 0
        while position + 8 <= key.count {
            hash = Self.mix(hash, key.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            position += 8
        }
        var tail: UInt64 = 0
        while position < key.count {
            tail = tail << 8 | UInt64(key[position])
            position += 1
        }
        return Self.mix(Self.mix(hash, tail), seed)
    }

    private static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let product = (hash ^ word ^ 0x9e37_79b9_7f4a_7c15)
            .multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
        return product.high ^ product.low
    }

    // MARK: Room

    private func makeRoom(for keyCount: Int) -> Bool {
        let needed = arenaCount + Self.lengthBytes + (keyCount + 3) & ~3
        // Three quarters full at most: behind that the runs of taken slots grow long.
        let slotCount = 4 * (count + 1) > 3 * slots.count ? 2 * slots.count : slots.count
        var arenaBytes = arena.count
        if needed > arenaBytes {
            let left = byteCountMax - slotCount * MemoryLayout<Slot>.stride
            arenaBytes = max(needed, min(2 * arenaBytes, left))
        }
        let total = slotCount * MemoryLayout<Slot>.stride + arenaBytes
        guard total <= byteCountMax || count == 0 else { return false }
        if arenaBytes > arena.count { growArena(to: arenaBytes) }
        if slotCount > slots.count { growSlots(to: slotCount) }
        return true
    }

    private func growArena(to byteCount: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: arena[..<arenaCount]))
        arena.deallocate()
        arena = larger
    }

    private func growSlots(to count: Int) {
        let old = slots
        slots = Self.makeSlots(count)
        let mask = count - 1
        for slot in old where slot.place != 0 {
            var index =
                Int(truncatingIfNeeded: hash(keyBytes(at: Int(slot.place) - 1))) & mask
            while slots[index].place != 0 { index = (index + 1) & mask }
            slots[index] = slot
        }
        old.deallocate()
    }
}
