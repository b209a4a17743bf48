// What must be known of each partition before its files are read: up to where it is known to be flushed,
// where it begins, and its leader epoch. The flushed point is exact: it is on the disk before anybody is
// told that data below it is. So after a crash of any kind, damage below a partition's point is rot and is
// refused, and what is damaged behind it was never acknowledged as flushed and is cut (decision 0006).
//
// One file `recovery-points` for the data directory, so that partitions flushed in one round share its
// flush. Pages of 4096 bytes; a slot has a copy in each page of a pair, written in turn, so that a torn
// write leaves the copy before. It is written in place: a full disk does not keep a retention from noting
// what it removes. Integers big-endian.
//
//  page 0      magic "SJRECPTS"  8 │ version int32 (1)  4 │ zeros
//  page 1 + 2k slots 64k … 64k+63, first copies;  page 2 + 2k  the second copies
//
//  slot (64)   topic id 16 │ partition int32 4 │ leader epoch int32 4 │ flushed offset int64 8 │
//              write number int64 8 │ start offset int64 8 │ zeros 12 │ CRC-32C of the 60 bytes before 4

import StreamJobsChecksum
import Synchronization

/// Any thread may call.
final class RecoveryPoints: Sendable {
    struct Key: Hashable {
        let topicID: TopicID
        let partition: PartitionID
    }

    struct Point: Equatable {
        /// Everything below was flushed.
        var flushed = Offset.zero
        /// What lay below was removed.
        var start = Offset.zero
        /// The leader epoch of the last opening.
        var leaderEpoch: Int32 = 0
    }

    /// What is nil stays as it is.
    struct Change {
        let key: Key
        var flushed: Offset?
        var start: Offset?
        var leaderEpoch: Int32?
    }

    struct Slot {
        /// Nil where the slot is free.
        var key: Key?
        var point = Point()
        /// Of the slot, whoever has it: the copy with the higher one is the newer.
        var writeNumber: Int64 = 0
        /// The number of its last change.
        var changeNumber: Int64 = 0
    }

    private struct State {
        var slots: [Slot] = []
        var indexes: [Key: Int] = [:]
        /// Slots that were changed and not written yet.
        var changed: Set<Int> = []
        /// Counts the changes; what a flush waits for.
        var changeNumber: Int64 = 0
        /// Of the file.
        var byteCount: Int
        var failure: LogError?
    }

    static let fileName = "/recovery-points"
    private static let magic: [UInt8] = Array("SJRECPTS".utf8)
    private static let version: Int32 = 1
    static let pageBytes = 4096
    /// Magic and version; zeros follow.
    static let headerBytes = 12
    static let slotBytes = 64
    private static let slotsPerPage = pageBytes / slotBytes

    private let file: File
    private let state: Mutex<State>
    private let flushes = SharedFlush(done: 0)

    /// Whether the file was there: if not, nothing is known of what was flushed.
    let isNew: Bool

    /// Opens the file of `directory`, or makes it. Throws `newerFormat` or `corrupted`.
    init(_ directory: String, in files: FileSystem) throws {
        let path = directory + Self.fileName
        isNew = try !files.exists(path)
        if isNew {
            // With its first pages, so that they need no room later.
            let bytes = Self.header + Self.emptyPair
            try bytes.withUnsafeBytes { try files.replaceFile(path, with: $0) }
        }
        file = try File(path, .readWrite, in: files)
        let bytes = try files.bytes(of: path) ?? []
        try Self.checkHeader(bytes, path)
        var state = State(byteCount: bytes.count)
        state.slots = Self.slots(bytes)
        for (index, slot) in state.slots.enumerated() {
            if let key = slot.key { state.indexes[key] = index }
        }
        // What a crash has torn of a slot that nobody has yet: zeros with the next write.
        state.changed = Self.tornFreeSlots(bytes, state.slots)
        if let last = state.changed.max(), last >= state.slots.count {
            state.slots += Array(repeating: Slot(), count: last + 1 - state.slots.count)
        }
        self.state = Mutex(state)
    }

    /// Nil if nothing is known of the partition.
    func point(of key: Key) -> Point? {
        state.withLock { state in state.indexes[key].map { state.slots[$0].point } }
    }

    /// When it returns, the changes survive a power loss. What lies below a flushed point must do so
    /// already; it never goes back: threads that flush a partition one after the other may come here in any
    /// order. Throws `noSpace` where the file has to grow and cannot: then it may be tried again. Any other
    /// failure refuses all further calls: what is on the disk is unknown from then on.
    func set(_ changes: [Change]) throws {
        let target = state.withLock { state in
            changes.map { Self.make($0, in: &state) }.max() ?? 0
        }
        try flushes.reach(target) { try write() }
    }

    /// Forgets a partition that is no more; on the disk with the next flush.
    func remove(_ keys: [Key]) {
        state.withLock { state in
            for key in keys {
                guard let index = state.indexes.removeValue(forKey: key) else { continue }
                state.slots[index].key = nil
                state.changed.insert(index)
            }
        }
    }

    /// Forgets all other partitions.
    func remove(allBut keys: Set<Key>) {
        remove(state.withLock { state in state.indexes.keys.filter { !keys.contains($0) } })
    }

    /// Gives the number of the change after which all is as `change` says.
    private static func make(_ change: Change, in state: inout State) -> Int64 {
        let index: Int
        if let known = state.indexes[change.key] {
            index = known
        } else {
            index = state.slots.firstIndex { $0.key == nil } ?? state.slots.count
            if index == state.slots.count { state.slots.append(Slot()) }
            state.slots[index].key = change.key
            state.slots[index].point = Point()
            state.slots[index].changeNumber = 0
            state.indexes[change.key] = index
        }
        let known = state.slots[index]
        var point = known.point
        point.flushed = max(point.flushed, change.flushed ?? .zero)
        point.start = change.start ?? point.start
        point.leaderEpoch = change.leaderEpoch ?? point.leaderEpoch
        // The first change in this process, which has no number yet, is written in any case.
        guard point != known.point || known.changeNumber == 0 else { return known.changeNumber }
        state.slots[index].point = point
        state.changeNumber += 1
        state.slots[index].changeNumber = state.changeNumber
        state.changed.insert(index)
        return state.changeNumber
    }

    /// Writes and flushes what was changed; gives the number of the last change among it.
    private func write() throws -> Int64 {
        let (changes, number, have, needed) = try state.withLock { state in
            if let failure = state.failure { throw failure }
            for index in state.changed { state.slots[index].writeNumber += 1 }
            defer { state.changed.removeAll(keepingCapacity: true) }
            let pairsNeeded = (state.slots.count + Self.slotsPerPage - 1) / Self.slotsPerPage
            return (
                state.changed.map { ($0, state.slots[$0]) }, state.changeNumber, state.byteCount,
                Self.pageBytes * (1 + 2 * pairsNeeded)
            )
        }
        do {
            // From the end of the file, which may lie within a pair that has slots, where it was cut.
            for start in stride(from: have, to: needed, by: Self.emptyPair.count) {
                try Self.emptyPair.prefix(needed - start).withUnsafeBytes {
                    try file.write($0, at: start)
                }
            }
            for (index, slot) in changes { try write(slot, at: index) }
        } catch let failure as LogError where failure.code == .noSpace {
            // Nothing that counts was overwritten: the copies before are whole.
            state.withLock { state in
                for (index, _) in changes {
                    state.slots[index].writeNumber -= 1
                    state.changed.insert(index)
                }
            }
            throw failure
        } catch {
            throw fail(error)
        }
        do { try file.flush() } catch { throw fail(error) }
        state.withLock { $0.byteCount = max(have, needed) }
        return number
    }

    private func fail(_ error: any Error) -> any Error {
        guard let failure = (error as? LogError)?.forGood else { return error }
        state.withLock { $0.failure = failure }
        return failure
    }

    // MARK: Format

    /// The slots of a file that somebody else writes; empty if there is none. Throws `newerFormat` or
    /// `corrupted`.
    static func slots(inFile path: String, _ files: FileSystem) throws -> [Slot] {
        guard let bytes = try files.bytes(of: path) else { return [] }
        try checkHeader(bytes, path)
        return slots(bytes)
    }

    /// Slots that a file of so many bytes has room for.
    static func slotCount(in byteCount: Int) -> Int {
        (max(0, byteCount / pageBytes) / 2 + 1) * slotsPerPage
    }

    static func position(_ index: Int, copy: Int) -> Int {
        let page = 1 + 2 * (index / slotsPerPage) + copy
        return page * pageBytes + index % slotsPerPage * slotBytes
    }

    private func write(_ slot: Slot, at index: Int) throws {
        var bytes = [UInt8](repeating: 0, count: Self.slotBytes)
        guard let key = slot.key else {
            // A free slot is zeros in both copies.
            for copy in 0...1 {
                try bytes.withUnsafeBytes {
                    try file.write($0, at: Self.position(index, copy: copy))
                }
            }
            return
        }
        bytes.withUnsafeMutableBytes { buffer in
            guard let memory = buffer.baseAddress else { return }
            memory.storeBigEndian(key.topicID.high, at: 0)
            memory.storeBigEndian(key.topicID.low, at: 8)
            memory.storeBigEndian(key.partition.rawValue, at: 16)
            memory.storeBigEndian(slot.point.leaderEpoch, at: 20)
            memory.storeBigEndian(slot.point.flushed.rawValue, at: 24)
            memory.storeBigEndian(slot.writeNumber, at: 32)
            memory.storeBigEndian(slot.point.start.rawValue, at: 40)
            let covered = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<60])
            memory.storeBigEndian(CRC32C.checksum(covered), at: 60)
        }
        try bytes.withUnsafeBytes {
            try file.write($0, at: Self.position(index, copy: Int(slot.writeNumber & 1)))
        }
    }

    private static func slots(_ bytes: [UInt8]) -> [Slot] {
        let found = bytes.withUnsafeBytes { bytes in
            (0..<slotCount(in: bytes.count)).map { index -> Slot in
                let copies = [0, 1].compactMap { slot(bytes, at: position(index, copy: $0)) }
                return copies.max { $0.writeNumber < $1.writeNumber } ?? Slot()
            }
        }
        let used = found.lastIndex { $0.key != nil }.map { $0 + 1 } ?? 0
        return Array(found[..<used])
    }

    /// The slots without a partition that are not zeros.
    private static func tornFreeSlots(_ bytes: [UInt8], _ slots: [Slot]) -> Set<Int> {
        let free = (0..<slotCount(in: bytes.count)).filter {
            $0 >= slots.count || slots[$0].key == nil
        }
        return Set(
            free.filter { index in
                [0, 1].contains { copy in
                    let start = position(index, copy: copy)
                    let slot = bytes[min(start, bytes.count)..<min(start + slotBytes, bytes.count)]
                    return slot.contains { $0 != 0 }
                }
            })
    }

    /// Nil for what is none.
    static func slot(_ bytes: UnsafeRawBufferPointer, at position: Int) -> Slot? {
        guard position + slotBytes <= bytes.count else { return nil }
        let slot = UnsafeRawBufferPointer(rebasing: bytes[position..<position + slotBytes])
        let crc = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: slot[..<60]))
        let partition = slot.loadBigEndian(Int32.self, at: 16)
        let leaderEpoch = slot.loadBigEndian(Int32.self, at: 20)
        let flushed = slot.loadBigEndian(Int64.self, at: 24)
        let writeNumber = slot.loadBigEndian(Int64.self, at: 32)
        let start = slot.loadBigEndian(Int64.self, at: 40)
        guard slot.loadBigEndian(UInt32.self, at: 60) == crc, partition >= 0, flushed >= 0,
            writeNumber > 0, start >= 0, (0..<LeaderEpochs.end).contains(leaderEpoch)
        else { return nil }
        let key = Key(
            topicID: TopicID(
                high: slot.loadBigEndian(UInt64.self, at: 0),
                low: slot.loadBigEndian(UInt64.self, at: 8)),
            partition: PartitionID(Int(partition)))
        return Slot(
            key: key,
            point: Point(
                flushed: Offset(flushed), start: Offset(start), leaderEpoch: leaderEpoch),
            writeNumber: writeNumber)
    }

    private static let emptyPair = [UInt8](repeating: 0, count: 2 * pageBytes)

    private static var header: [UInt8] {
        var page = magic + [UInt8](repeating: 0, count: pageBytes - magic.count)
        withUnsafeBytes(of: version.bigEndian) { page.replaceSubrange(8..<12, with: $0) }
        return page
    }

    private static func checkHeader(_ bytes: [UInt8], _ path: String) throws {
        guard bytes.count >= 12, bytes.starts(with: magic) else {
            throw LogError(
                .corrupted,
                "\(path) is damaged: it does not begin with its name; put it back from a copy, or "
                    + "remove it, after 'log verify' has found nothing")
        }
        let version = bytes.withUnsafeBytes { $0.loadBigEndian(Int32.self, at: 8) }
        guard version == Self.version else {
            throw LogError(
                .newerFormat,
                "\(path) is of version \(version), this program knows version \(Self.version) only; "
                    + "use the program that wrote it, or a later one")
        }
    }
}
