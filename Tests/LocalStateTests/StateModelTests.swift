// Random operations against dictionaries. The model knows only keys, values and Swift's sorting. Half of the
// seeds run with hardly any memory, so that clean entries are dropped all the time.

import LocalState
import TestSupport
import Testing

struct StateModelTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test(arguments: seeds(8))
    func `random operations leave the stores and sorted dictionaries equal`(seed: UInt64) throws {
        var model = try StateModel(seed: seed, in: directory)
        for _ in 0..<1500 { try model.step() }
        try model.compareAll()
    }
}

/// A value whose type does not tell its size.
struct Reading: Hashable, Codable {
    var number: Int64
    var text: String

    static let serde = Serde<Reading>(
        name: "reading",
        encode: { value, buffer in
            withUnsafeBytes(of: value.number) { buffer.append(contentsOf: $0) }
            buffer.append(contentsOf: value.text.utf8)
        },
        decode: { bytes in
            Reading(
                number: bytes.unsafeLoadUnaligned(as: Int64.self),
                text: bytes.withUnsafeBytes { String(decoding: $0[8...], as: UTF8.self) })
        })
}

/// An environment and what it must hold.
struct StateModel {
    typealias Bytes = [UInt8]

    struct Content: Equatable {
        var blobs: [Bytes: Bytes] = [:]
        var numbers: [Int64: String?] = [:]
        var counts: [Int64: Int64] = [:]
        var readings: [String: Reading] = [:]
        var offsets: [Bytes: Bytes] = [:]
    }

    private let data: StateData
    private var environment: StateEnvironment
    private var blobs = KeyValueStore<Bytes, Bytes>(name: "blobs", value: .bytes)
    private var numbers = KeyValueStore<Int64, String?>(name: "numbers", value: .optional(.string))
    private var counts = KeyValueStore<Int64, Int64>(name: "counts", value: .int64)
    private var readings = KeyValueStore<String, Reading>(name: "readings", value: Reading.serde)
    private var generator: SeededGenerator
    private var committed = Content()
    private var current = Content()
    private var saved: Content?
    private var pool: [Bytes] = []

    init(seed: UInt64, in directory: TemporaryDirectory) throws {
        generator = SeededGenerator(seed: seed)
        data = StateData(
            in: directory,
            settings: StateSettings(
                durability: .none, memoryBytesMax: seed % 2 == 0 ? 64 << 20 : 16 << 10))
        environment = try data.open(blobs, numbers, counts, readings)
        for _ in 0..<120 { pool.append(makeKey()) }
    }

    mutating func step() throws {
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<25: try put()
        case 25..<35: try delete()
        case 35..<50: try get()
        case 50..<62: try count()
        case 62..<72: try scan()
        case 72..<76: try scanWriting()
        case 76..<83: savepoint()
        case 83..<89: try commit()
        case 89..<92: rollback()
        case 92..<94: try reopen()
        default: rollbackToSavepoint()
        }
    }

    // MARK: Keys

    /// Keys around every length that matters, many of them alike at their beginnings.
    private mutating func makeKey() -> Bytes {
        let lengths = [0, 1, 2, 8, 9, 493, 494, 495, 508, 509, 510, 511, 512, 700, 3000]
        let length = lengths.randomElement(using: &generator) ?? 0
        var key = Bytes(repeating: generator.chance(50) ? 0x61 : 0xff, count: length)
        for _ in 0..<Int.random(in: 0...2, using: &generator) where length > 0 {
            let end = generator.chance(60) ? min(length, 20) : length
            let place = length - 1 - Int.random(in: 0..<end, using: &generator)
            key[place] = UInt8.random(in: 0...255, using: &generator)
        }
        return key
    }

    private mutating func key() -> Bytes {
        generator.chance(90) ? pool.randomElement(using: &generator) ?? [] : makeKey()
    }

    private mutating func number() -> Int64 {
        let extremes: [Int64] = [.min, -1, 0, 1, .max]
        guard generator.chance(90) else { return extremes.randomElement(using: &generator) ?? 0 }
        return Int64.random(in: -60...60, using: &generator)
    }

    private mutating func word() -> String {
        let number = Int.random(in: 0..<80, using: &generator)
        return number % 7 == 0 ? "" : "customer-with-a-long-name-\(number)"
    }

    private mutating func value() -> Bytes {
        let length = generator.chance(95) ? 20 : 9000
        return (0..<Int.random(in: 0...length, using: &generator)).map { UInt8($0 & 255) }
    }

    // MARK: Operations

    private mutating func put() throws {
        switch Int.random(in: 0..<4, using: &generator) {
        case 0:
            let number = number()
            let value: String? = generator.chance(30) ? nil : String(generator.next() % 1000)
            current.numbers.updateValue(value, forKey: number)
            try numbers.put(number, value)
        case 1:
            let number = number()
            current.counts[number] = 5
            try counts.put(number, 5)
        case 2:
            let word = word()
            let length = Int.random(in: 0...(generator.chance(95) ? 40 : 4000), using: &generator)
            let value = Reading(number: number(), text: String(repeating: "x", count: length))
            current.readings[word] = value
            try readings.put(word, value)
        default:
            let key = key()
            let value = value()
            current.blobs[key] = value
            try blobs.put(key, value)
        }
    }

    private mutating func delete() throws {
        let key = key()
        let number = number()
        let word = word()
        current.blobs[key] = nil
        current.numbers.removeValue(forKey: number)
        current.counts[number] = nil
        current.readings[word] = nil
        try blobs.delete(key)
        try numbers.delete(number)
        try counts.delete(number)
        try readings.delete(word)
    }

    private mutating func get() throws {
        let key = key()
        let number = number()
        let word = word()
        #expect(try blobs.get(key) == current.blobs[key])
        #expect(try numbers.get(number) == current.numbers[number])
        #expect(try counts.get(number) == current.counts[number])
        #expect(try readings.get(word) == current.readings[word])
    }

    private mutating func count() throws {
        let number = number()
        let added = Int64.random(in: -3...3, using: &generator)
        current.counts[number, default: 0] &+= added
        if generator.chance(50) {
            #expect(try counts.add(added, to: number) == current.counts[number])
        } else {
            try counts.increment(number, by: added)
        }
    }

    private mutating func scan() throws {
        let order: ScanOrder = generator.chance(50) ? .ascending : .descending
        let limit = generator.chance(50) ? Int.random(in: 1...5, using: &generator) : Int.max
        let from = generator.chance(70) ? key() : nil
        let to = generator.chance(70) ? key() : nil
        try check(blobs, current.blobs, from, to, order, limit) { $0.lexicographicallyPrecedes($1) }
        let first = generator.chance(70) ? number() : nil
        let end = generator.chance(70) ? number() : nil
        try check(counts, current.counts, first, end, order, limit, <)
        let word = generator.chance(70) ? word() : nil
        try check(readings, current.readings, word, nil, order, limit) {
            $0.utf8.lexicographicallyPrecedes($1.utf8)
        }
    }

    private func check<Key: StoreKey, Value: Equatable>(
        _ store: KeyValueStore<Key, Value>, _ content: [Key: Value], _ from: Key?, _ to: Key?,
        _ order: ScanOrder, _ limit: Int, _ precedes: (Key, Key) -> Bool
    ) throws {
        let expected = content.keys.sorted {
            order == .ascending ? precedes($0, $1) : precedes($1, $0)
        }
        .filter { key in from.map { !precedes(key, $0) } ?? true }
        .filter { key in to.map { precedes(key, $0) } ?? true }
        .prefix(limit)
        var found: [Key] = []
        try store.scan(from: from, to: to, order: order) { key, value in
            #expect(value == content[key])
            found.append(key)
            return found.count < limit
        }
        #expect(found == Array(expected))
    }

    /// A scan whose body changes what it may: each key of the start is visited as it is then.
    private mutating func scanWriting() throws {
        let order: ScanOrder = generator.chance(50) ? .ascending : .descending
        var ahead = Set(current.counts.keys)
        var last: Int64?
        let there = current.counts.keys.sorted()
        try counts.scan(order: order) { key, value in
            #expect(value == current.counts[key])
            if let last { #expect(order == .ascending ? last < key : key < last) }
            last = key
            ahead.remove(key)
            for _ in 0..<2 {
                guard let other = there.randomElement(using: &generator) else { continue }
                if generator.chance(50) {
                    current.counts[other] = nil
                    ahead.remove(other)
                    try counts.delete(other)
                } else if let old = current.counts[other] {
                    current.counts[other] = old &+ 1
                    try counts.increment(other)
                }
            }
            return true
        }
        #expect(ahead.isEmpty, "keys that were there all the time are visited")
    }

    private mutating func savepoint() {
        environment.savepoint()
        saved = current
    }

    private mutating func rollbackToSavepoint() {
        guard let saved else { return }
        environment.rollbackToSavepoint()
        current = saved
    }

    private mutating func commit() throws {
        var changes: [SystemChange] = []
        for _ in 0..<Int.random(in: 0...3, using: &generator) {
            let key = key()
            let value: Bytes? = generator.chance(30) ? nil : [UInt8(generator.next() % 10)]
            current.offsets[key] = value
            changes.append(SystemChange(.offsets, key: key, value: value))
        }
        try environment.commit(changes)
        #expect(environment.dirtyBytes == 0)
        committed = current
        saved = nil
    }

    private mutating func rollback() {
        environment.rollback()
        #expect(environment.dirtyBytes == 0)
        current = committed
        saved = nil
    }

    /// Opens another environment on the same data, without closing this one half of the time.
    private mutating func reopen() throws {
        if generator.chance(50) { environment.close() }
        environment = data.environment()
        blobs = KeyValueStore(name: "blobs", value: .bytes)
        numbers = KeyValueStore(name: "numbers", value: .optional(.string))
        counts = KeyValueStore(name: "counts", value: .int64)
        readings = KeyValueStore(name: "readings", value: Reading.serde)
        environment = try data.open(blobs, numbers, counts, readings)
        current = committed
        saved = nil
        try compareAll()
    }

    func compareAll() throws {
        #expect(try blobs.dictionary() == current.blobs)
        #expect(try numbers.dictionary() == current.numbers)
        #expect(try counts.dictionary() == current.counts)
        #expect(try readings.dictionary() == current.readings)
        #expect(try blobs.keys() == current.blobs.keys.sorted { $0.lexicographicallyPrecedes($1) })
        #expect(try numbers.keys() == current.numbers.keys.sorted())
        let offsets = current.offsets.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        let found = try environment.entries(.offsets)
        #expect(found.map(\.key) == offsets.map(\.key))
        #expect(found.map(\.value) == offsets.map(\.value))
        for (key, value) in offsets {
            #expect(try environment.get(.offsets, key: key) == value)
        }
        if committed == current { #expect(environment.memoryBytes < 80 << 20) }
    }
}

extension KeyValueStore {
    fileprivate func dictionary() throws -> [Key: Value] {
        Dictionary(uniqueKeysWithValues: try all().map { ($0.key, $0.value) })
    }
}
