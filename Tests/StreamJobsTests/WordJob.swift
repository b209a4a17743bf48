// A small job of two kinds of tasks for the tests: words are re-keyed by their first letter, then counted in
// total and over windows of a second.

import StreamJobs

struct WordSplitter: SingleInputTask {
    static let input = Input("lines", key: .optional(.string), value: .string)
    static let words = Repartition("words", key: .string, value: .string)
    static var outputs: [Outlet] { words }

    init(_ setup: borrowing TaskSetup) throws {}

    mutating func process(
        _ line: borrowing Record<String?, String>, _ context: inout TaskContext
    ) throws {
        for word in line.value.split(separator: " ") {
            if word == "poison" { throw PoisonError() }
            try context.send(String(word), to: Self.words, key: String(word))
        }
    }
}

struct PoisonError: Error, CustomStringConvertible {
    var description: String { "this word is poison" }
}

struct WordCounter: SingleInputTask {
    static let input = WordSplitter.words.input
    /// Every new count of a word.
    static let counts = Output("counts", key: .string, value: .int64)
    /// A number that depends on the order in which a word's records came.
    static let chains = Output("chains", key: .string, value: .int64)
    /// The count of a word in a second of event time, once.
    static let seconds = Output("seconds", key: .string, value: .int64)
    static var outputs: [Outlet] {
        counts
        chains
        seconds
    }

    let totals: KeyValueStore<String, Int64>
    let orders: KeyValueStore<String, Int64>
    let windows: KeyValueStore<String, Int64>

    init(_ setup: borrowing TaskSetup) throws {
        totals = try setup.store("totals", value: .int64)
        orders = try setup.store("orders", value: .int64)
        windows = try setup.store("windows", value: .int64)
    }

    mutating func process(
        _ word: borrowing Record<String, String>, _ context: inout TaskContext
    ) throws {
        let total = (try totals.get(word.key) ?? 0) + 1
        try totals.put(word.key, total)
        try context.send(total, to: Self.counts, key: word.key)

        let chain = Self.chain(try orders.get(word.key) ?? 0, word.timestamp.milliseconds)
        try orders.put(word.key, chain)
        try context.send(chain, to: Self.chains, key: word.key)

        let second = word.timestamp.milliseconds / 1000
        let window = "\(word.key)@\(second)"
        try windows.put(window, (try windows.get(window) ?? 0) + 1)
        try context.setTimer(at: Timestamp(milliseconds: (second + 1) * 1000), key: window)
    }

    static func chain(_ chain: Int64, _ time: Int64) -> Int64 { chain &* 31 &+ time &+ 1 }

    mutating func timerFired(_ timer: EventTimer, _ context: inout TaskContext) throws {
        guard let count = try windows.get(timer.key) else { return }
        try context.send(count, to: Self.seconds, key: timer.key)
        try windows.delete(timer.key)
    }
}

let wordJob = Job("words", WordSplitter.self, WordCounter.self)
