// A store's part in the commit of its environment.

extension KeyValueStore {
    /// Brings what became dirty since the last time into key order.
    @inlinable
    func orderDirtyEntries() {
        let placeCount = fields.pointee.dirtyCount
        guard order.placeCount < placeCount else { return }
        let table = self.table
        var keys = order.takeKeys()
        var items: [SortItem] = []
        items.reserveCapacity(placeCount - order.placeCount)
        for place in order.placeCount..<placeCount {
            let slot = fields.pointee.dirtySlots[place]
            let isListed = slot != .max && table.isDirty(table.meta(Int(slot)))
            if Key.orderedWidth > 0 {
                guard isListed else { continue }
                let head = table.key(Int(slot)).pointee.orderedBits
                items.append(
                    SortItem(head: head, place: UInt32(truncatingIfNeeded: place), slot: slot))
                continue
            }
            let start = keys.bytes.count
            if isListed { table.key(Int(slot)).pointee.encodeOrdered(into: &keys.bytes) }
            keys.ends.append(keys.bytes.count)
            guard isListed else { continue }
            let head = keys.bytes.withUnsafeBytes { headOfBytes($0, from: start) }
            items.append(SortItem(head: head, place: UInt32(truncatingIfNeeded: place), slot: slot))
        }
        order.add(items, keys: keys, placeCount: placeCount)
    }

    /// Writes the dirty entries in the order given.
    @inlinable
    func writeDirtyEntries(
        _ items: [SortItem], _ keys: KeyBytes, to writer: RecordWriter
    ) throws {
        let table = self.table
        var buffer: [UInt8] = []
        var lastSlot = UInt32.max
        try items.withUnsafeBufferPointer { items in
            for number in 0..<items.count {
                if number & (prefetchedSlots - 1) == 0 {
                    prefetch(
                        items, from: number, fields, slotBytes: EntryTable<Key, Value>.slotBytes)
                }
                let item = items[number]
                // A slot that is listed twice is written once.
                guard item.slot != .max, item.slot != lastSlot else { continue }
                lastSlot = item.slot
                let index = Int(item.slot)
                let meta = table.meta(index)
                guard table.isDirty(meta) else { continue }
                buffer.removeAll(keepingCapacity: true)
                buffer.append(KeyPrefix.byte)
                if Key.orderedWidth > 0 {
                    withUnsafeBytes(of: item.head.bigEndian) {
                        buffer.append(contentsOf: $0[..<Key.orderedWidth])
                    }
                } else {
                    buffer.append(contentsOf: keys.bytes[keys.range(Int(item.place))])
                }
                try writeEntry(index, meta, &buffer, to: writer)
            }
        }
    }

    /// Writes one entry, whose full key is in the buffer.
    @inlinable
    @inline(__always)
    func writeEntry(
        _ index: Int, _ meta: UInt64, _ buffer: inout [UInt8], to writer: RecordWriter
    ) throws {
        guard meta & EntryFlags.hasValue != 0 else { return try writer.delete(buffer) }
        if meta & EntryFlags.isKnown == 0 {
            // What the sum is stays true if this transaction is aborted: nothing committed changes by that.
            let committed = try buffer.withUnsafeBytes { try found(writer.find($0), $0) }
            table.value(index).pointee = merged(committed, table.value(index).pointee)
            table.setMeta(index, meta | EntryFlags.isKnown)
        }
        let keyCount = buffer.count
        let value = table.value(index)
        if serde.isNull(value.pointee) {
            buffer.append(ValueKind.null.rawValue | generation)
        } else {
            buffer.append(ValueKind.value.rawValue | generation)
            do {
                try serde.encode(value.pointee, &buffer)
            } catch { throw unencodable(buffer, keyCount, error) }
            precondition(buffer.count > keyCount, "a serde has removed bytes from its buffer")
        }
        try writer.put(&buffer, keyCount: keyCount)
    }

    @usableFromInline
    func unencodable(_ buffer: [UInt8], _ keyCount: Int, _ cause: any Error) -> StateError {
        let key = describeBytes(buffer[..<keyCount].dropFirst(Limits.keyPrefixBytes))
        return StateError(
            .incompatible,
            "Store '\(name)': the value of key \(key) cannot be written as \(serde.name): \(cause)")
    }
}

extension KeyValueStore: EnvironmentStore {
    package var description: StoreDescription {
        StoreDescription(
            name: name, kind: kind, keyCodec: Key.codecName, valueSerde: serde.name,
            version: Int64(version))
    }

    package var hasDirtyEntries: Bool { fields.pointee.dirtyCount > 0 }

    package func bind(
        _ records: RecordTable, shared: UnsafeMutablePointer<SharedFields>,
        reclaim: @escaping () -> Void
    ) {
        precondition(self.records == nil, "a store is registered with one environment")
        self.records = records
        share(shared)
        reclaimAll = reclaim
        fields.pointee.isWritable = true
    }

    package func unbind() {
        forget()
        fields.pointee.isWritable = false
        share(ownShared)
        records?.close()
        records = nil
        reclaimAll = nil
    }

    private func share(_ shared: UnsafeMutablePointer<SharedFields>) {
        fields.pointee.shared.pointee.memoryBytes -= memoryBytes
        shared.pointee.memoryBytes += memoryBytes
        fields.pointee.shared = shared
    }

    package func beforeCommit() throws {
        if let lazyMigration { try migrateSome(lazyMigration) }
        for work in housekeeping { try work(self) }
    }

    package func prepareCommit() { work.orderDirty(self) }

    package func writeDirtyEntries(to writer: RecordWriter) throws {
        fields.pointee.isWritable = false
        defer { fields.pointee.isWritable = true }
        try work.writeDirty(self, order.sorted(fields.pointee.dirtySlots), order.keys, writer)
    }

    package func committed() {
        endInterval()
        dropUndo()
    }

    package func rollback() { forget() }

    package func forget() {
        rollbackCount += 1
        dropUndo()
        fields.pointee.writeCount &+= 1
        endInterval()
        fields.pointee.dirtyPayloadBytes = 0
        work.dropClean(self)
    }

    package func refuseUse() {
        forget()
        fields.pointee.isWritable = false
    }

    package func dropClean() { work.dropClean(self) }

    /// Nothing is dirty any more.
    private func endInterval() {
        fields.pointee.shared.pointee.dirtyBytes -=
            fields.pointee.dirtyCount * EntryTable<Key, Value>.dirtyEntryBytes
            + fields.pointee.dirtyPayloadBytes
        fields.pointee.dirtyCount = 0
        fields.pointee.dirtyPayloadBytes = 0
        fields.pointee.dirtyEpoch &+= 1
        order.removeAll()
        fields.pointee.interval += 1
        if fields.pointee.interval == EntryFlags.intervalMask {
            // Numbers begin anew, with no entry that might have one of them.
            work.dropClean(self)
            fields.pointee.interval = 1
        }
    }
}

/// The byte before every key, for inlinable code.
@usableFromInline
enum KeyPrefix {
    @inlinable static var byte: UInt8 { 0x01 }
}

/// Slots that are asked of memory at a time, ahead of their use; a power of two.
@inlinable var prefetchedSlots: Int { 16 }

/// Asks memory for the slots of the items from a position on.
@usableFromInline
func prefetch(
    _ items: UnsafeBufferPointer<SortItem>, from position: Int,
    _ fields: UnsafeMutablePointer<TableFields>, slotBytes: Int
) {
    let slots = fields.pointee.slots
    for number in position..<min(position + prefetchedSlots, items.count)
    where items[number].slot != .max {
        Prefetch.read(slots + Int(items[number].slot) * slotBytes)
    }
}

@usableFromInline
func headOfBytes(_ bytes: UnsafeRawBufferPointer, from start: Int) -> UInt64 {
    headOfKey(UnsafeRawBufferPointer(rebasing: bytes[start...]))
}
