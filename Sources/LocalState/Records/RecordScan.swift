// Reads a table in the order of its full keys, in either direction, a chunk of checked entries at a
// time. Not generic: what a store does with the entries is specialised around it.
//
// Stored keys with the same lead (the first 495 bytes) lie together, but not in the order of their full
// keys: such a run is gathered whole and sorted before it is handed on. It takes 32 bytes an entry.

/// A scan of a table: begun, filled until it gives no more, ended. The entries lie in the map.
@usableFromInline
package final class RecordScan {
    private unowned let table: RecordTable
    private var cursor: LMDBCursor?
    /// Whether the cursor has begun, and stands on an entry that was not looked at yet.
    private var isPlaced = false
    private var isOpen = false
    private var lower: [UInt8] = []
    private var upper: [UInt8]?
    private var order = ScanOrder.ascending
    /// The entries of one lead, in the scan's order, and how many of them were handed on.
    private var run: [RawEntry] = []
    private var runTaken = 0
    private var room = 0
    private var failure: (any Error)?

    /// What the last ``fill()`` has found. Allocated here, freed with the scan.
    @usableFromInline let chunk: UnsafeMutablePointer<RawEntry>

    init(_ table: RecordTable) {
        self.table = table
        chunk = .allocate(capacity: Limits.scanChunkEntriesMax)
    }

    deinit { chunk.deallocate() }

    func begin(from lower: [UInt8], to upper: [UInt8]?, order: ScanOrder) throws {
        self.lower = lower
        self.upper = upper
        self.order = order
        room = Limits.scanChunkEntriesMin
        table.environment.scanCount += 1
        isOpen = true
        if let cursor {
            try table.environment.renew(cursor)
        } else {
            cursor = try table.environment.makeCursor(table.database)
        }
        isPlaced = try order == .ascending ? placeAtLower() : placeAtUpper()
    }

    func end() {
        if isOpen { table.environment.scanCount -= 1 }
        isOpen = false
        isPlaced = false
        upper = nil
        run.removeAll()
        runTaken = 0
        failure = nil
    }

    func close() {
        cursor?.close()
        cursor = nil
    }

    /// Fills the chunk with the next entries; gives how many those are, zero at the end. A damaged entry
    /// throws when all before it were handed on.
    @usableFromInline
    package func fill() throws -> Int {
        if let failure { throw failure }
        guard let cursor else { preconditionFailure("a scan is filled between begin and end") }
        let room = self.room
        self.room = min(2 * room, Limits.scanChunkEntriesMax)
        var count = 0
        do {
            while count < room {
                if runTaken < run.count {
                    (chunk + count).initialize(to: run[runTaken])
                    runTaken += 1
                    count += 1
                    continue
                }
                guard isPlaced else { break }
                let key = cursor.key
                guard key.count < Limits.keyLeadBytes else {
                    isPlaced = mayReach(key)
                    if isPlaced { try gatherRun(cursor) }
                    continue
                }
                guard isWithin(key) else {
                    isPlaced = false
                    break
                }
                guard let entry = StoredValue.entry(key: key, value: cursor.value) else {
                    throw table.corrupted(key)
                }
                (chunk + count).initialize(to: entry)
                count += 1
                isPlaced = try order == .ascending ? cursor.next() : cursor.previous()
            }
        } catch {
            guard count > 0 else { throw error }
            failure = error
        }
        return count
    }

    private func advance(_ cursor: LMDBCursor) throws {
        isPlaced = try order == .ascending ? cursor.next() : cursor.previous()
    }

    /// Whether a key is before the bound that the scan goes to; the other one is where it began.
    @inline(__always)
    private func isWithin(_ fullKey: UnsafeRawBufferPointer) -> Bool {
        switch order {
        case .ascending:
            guard let upper else { return true }
            return upper.withUnsafeBytes { compareBytes(fullKey, $0) } < 0
        case .descending: return lower.withUnsafeBytes { compareBytes(fullKey, $0) } >= 0
        }
    }

    // MARK: Long keys

    /// Whether an entry with the lead of this stored key can be before the bound that the scan goes to.
    private func mayReach(_ storedKey: UnsafeRawBufferPointer) -> Bool {
        let lead = UnsafeRawBufferPointer(rebasing: storedKey[..<Limits.keyLeadBytes])
        switch order {
        case .ascending: return isWithin(lead)
        case .descending:
            return lower.prefix(Limits.keyLeadBytes).withUnsafeBytes { compareBytes(lead, $0) } >= 0
        }
    }

    /// Gathers all entries with the lead that the cursor stands on, and leaves it behind them.
    private func gatherRun(_ cursor: LMDBCursor) throws {
        run.removeAll(keepingCapacity: true)
        runTaken = 0
        let lead = UnsafeRawBufferPointer(rebasing: cursor.key[..<Limits.keyLeadBytes])
        while isPlaced {
            let key = cursor.key
            guard key.count >= Limits.keyLeadBytes,
                compareBytes(UnsafeRawBufferPointer(rebasing: key[..<Limits.keyLeadBytes]), lead)
                    == 0
            else { break }
            if KeyEncoding.isCut(storedKeyCount: key.count) {
                guard StoredValue.appendBucket(key: key, value: cursor.value, to: &run) else {
                    throw table.corrupted(key)
                }
            } else {
                guard let entry = StoredValue.entry(key: key, value: cursor.value) else {
                    throw table.corrupted(key)
                }
                run.append(entry)
            }
            try advance(cursor)
        }
        run.removeAll { entry in
            lower.withUnsafeBytes { compareBytes(entry.fullKey, $0) } < 0
                || upper.map { $0.withUnsafeBytes { compareBytes(entry.fullKey, $0) } >= 0 }
                    ?? false
        }
        let isAscending = order == .ascending
        run.sort { one, other in
            let order = compareBytes(one.fullKey, other.fullKey)
            return isAscending ? order < 0 : order > 0
        }
    }

    // MARK: Placing the cursor

    private func placeAtLower() throws -> Bool {
        try lower.prefix(Limits.keyLeadBytes).withUnsafeBytes { try cursor?.seek($0) ?? false }
    }

    /// On the last stored key that may hold a full key below the upper bound.
    private func placeAtUpper() throws -> Bool {
        guard let cursor else { return false }
        guard var bound = upper else { return try cursor.last() }
        if bound.count > Limits.keyLeadBytes {
            // Everything with its lead may be below it: begin behind all of that.
            guard let successor = Self.successor(of: bound[..<Limits.keyLeadBytes]) else {
                return try cursor.last()
            }
            bound = successor
        }
        let isFound = try bound.withUnsafeBytes { try cursor.seek($0) }
        return isFound ? try cursor.previous() : try cursor.last()
    }

    /// The first bytes that come behind all that begin with these; nil if there are none.
    static func successor(of bytes: ArraySlice<UInt8>) -> [UInt8]? {
        guard let last = bytes.lastIndex(where: { $0 != 0xff }) else { return nil }
        var successor = Array(bytes[...last])
        successor[successor.count - 1] += 1
        return successor
    }
}
