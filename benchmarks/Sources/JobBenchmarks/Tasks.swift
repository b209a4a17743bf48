// The tasks of the benchmarks, as users write them.

import StreamJobs

/// Counts the records of each key in a store.
struct KeyCounter: SingleInputTask {
    static let input = Input("t", key: .int64, value: .ignored)

    let counts: KeyValueStore<Int64, Int64>

    init(_ setup: borrowing TaskSetup) throws {
        counts = try setup.store("counts", value: .int64)
    }

    mutating func process(_ record: borrowing Record<Int64, Void>, _ context: inout TaskContext)
        throws
    {
        try counts.add(1, to: record.key)
    }
}

/// The same where nobody wants to know the count before the commit.
struct BlindKeyCounter: SingleInputTask {
    static let input = Input("t", key: .int64, value: .ignored)

    let counts: KeyValueStore<Int64, Int64>

    init(_ setup: borrowing TaskSetup) throws {
        counts = try setup.store("counts", value: .int64)
    }

    mutating func process(_ record: borrowing Record<Int64, Void>, _ context: inout TaskContext)
        throws
    {
        try counts.increment(record.key)
    }
}

/// The same in memory.
struct MapCounter: SingleInputTask {
    static let input = Input("t", key: .int64, value: .ignored)

    var counts = KeyMap()

    init(_ setup: borrowing TaskSetup) throws {}

    mutating func process(_ record: borrowing Record<Int64, Void>, _ context: inout TaskContext) {
        counts.increment(record.key)
    }
}

/// The least that a task can do.
struct RecordCounter: SingleInputTask {
    static let input = Input("t", key: .int64, value: .ignored)

    var sum: Int64 = 0

    init(_ setup: borrowing TaskSetup) throws {}

    mutating func process(_ record: borrowing Record<Int64, Void>, _ context: inout TaskContext) {
        sum &+= record.key
    }
}

/// Looks at bytes only.
struct RawCounter: SingleInputTask {
    static let input = Input("t", key: .ignored, value: .ignored)

    var sum = 0

    init(_ setup: borrowing TaskSetup) throws {}

    mutating func process(_ record: borrowing Record<Void, Void>, _ context: inout TaskContext) {
        sum &+= record.withKeyBytes { $0?.byteCount ?? 0 }
        sum &+= record.withValueBytes { $0?.byteCount ?? 0 }
    }
}

/// Sends each record on.
struct Forwarder: SingleInputTask {
    static let input = Input("t", key: .int64, value: .ignored)
    static let output = Output("sent", key: .int64, value: .int64)
    static var outputs: [Outlet] { output }

    init(_ setup: borrowing TaskSetup) throws {}

    mutating func process(_ record: borrowing Record<Int64, Void>, _ context: inout TaskContext)
        throws
    {
        try context.send(record.offset.rawValue, to: Self.output, key: record.key)
    }
}

/// Sends each record to another task.
struct Splitter: SingleInputTask {
    static let input = Input("t", key: .int64, value: .ignored)
    static let between = Repartition("between", key: .int64, value: .int64)
    static var outputs: [Outlet] { between }

    init(_ setup: borrowing TaskSetup) throws {}

    mutating func process(_ record: borrowing Record<Int64, Void>, _ context: inout TaskContext)
        throws
    {
        try context.send(record.offset.rawValue, to: Self.between, key: record.key)
    }
}

struct Receiver: SingleInputTask {
    static let input = Splitter.between.input

    var sum: Int64 = 0

    init(_ setup: borrowing TaskSetup) throws {}

    mutating func process(_ record: borrowing Record<Int64, Int64>, _ context: inout TaskContext) {
        sum &+= record.value
    }
}

/// A hash map as the floor's: open addressing, a power of two of slots, half of them used at most.
struct KeyMap {
    private var slots = [(key: Int64, count: Int64)](repeating: (0, 0), count: 1 << 16)
    private var used = 0
    private var shift: UInt64 = 64 - 16

    mutating func increment(_ key: Int64) {
        let index = place(of: key)
        if slots[index].count == 0 {
            slots[index].key = key
            used += 1
        }
        slots[index].count += 1
        if used > slots.count / 2 { grow() }
    }

    private func place(of key: Int64) -> Int {
        var index = Int((UInt64(bitPattern: key) &* 0x9e37_79b9_7f4a_7c15) >> shift)
        while slots[index].count != 0, slots[index].key != key {
            index = (index + 1) & (slots.count - 1)
        }
        return index
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: (0, 0), count: 2 * old.count)
        shift -= 1
        for slot in old where slot.count != 0 { slots[place(of: slot.key)] = slot }
    }
}
