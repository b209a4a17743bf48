// Random operations against dictionaries, on disk and in memory at once. The model knows only bytes
// and Swift's sorting: it is the oracle for both, and their raw bytes must be equal besides.

import LocalState
import TestSupport
import Testing

struct StateModelTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test(arguments: 0..<4)
    func `random operations leave disk, memory and a sorted dictionary equal`(round: UInt64) throws
    {
        let seed = SeededGenerator.seed(of: "state model, round \(round)") &+ round
        var model = try StateModel(seed: seed, in: directory)
        for _ in 0..<800 { try model.step() }
        try model.compareAll()
    }
}

/// Two environments and what they must hold.
struct StateModel {
    typealias Bytes = [UInt8]

    /// An environment with its stores.
    final class Subject {
        let data: StateData
        var environment: StateEnvironment
        var blobs: KeyValueStore<Bytes, Bytes>
        var numbers: KeyValueStore<Int64, String?>

        init(_ place: Place, in directory: TemporaryDirectory) throws {
            data = StateData(place, in: directory)
            (environment, blobs, numbers) = try Self.open(data)
        }

        /// Drops the environment without closing it, and opens another on the same data.
        func reopen(closing: Bool) throws {
            if closing { environment.close() }
            environment = StateEnvironment()
            (environment, blobs, numbers) = try Self.open(data)
        }

        private static func open(_ data: StateData) throws -> (
            StateEnvironment, KeyValueStore<Bytes, Bytes>, KeyValueStore<Int64, String?>
        ) {
            let blobs = KeyValueStore<Bytes, Bytes>(name: "blobs", value: .bytes)
            let numbers = KeyValueStore<Int64, String?>(
                name: "numbers", value: .optional(.string))
            return (try data.open(blobs, numbers), blobs, numbers)
        }
    }

    struct Content: Equatable {
        var blobs: [Bytes: Bytes] = [:]
        var numbers: [Int64: String?] = [:]
        var offsets: [Bytes: Bytes] = [:]
    }

    let subjects: [Subject]
    var generator: SeededGenerator
    var committed = Content()
    var current = Content()
    var pool: [Bytes] = []

    init(seed: UInt64, in directory: TemporaryDirectory) throws {
        subjects = [try Subject(.disk, in: directory), try Subject(.memory, in: directory)]
        generator = SeededGenerator(seed: seed)
        for _ in 0..<120 { pool.append(makeKey()) }
    }

    mutating func step() throws {
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<30: try put()
        case 30..<45: try delete()
        case 45..<65: try get()
        case 65..<82: try scan()
        case 82..<92: try commit()
        case 92..<96: rollback()
        default: try reopen()
        }
    }

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

    private mutating func put() throws {
        if generator.chance(60) {
            let key = key()
            let length = generator.chance(95) ? 20 : 9000
            let value = (0..<Int.random(in: 0...length, using: &generator)).map { UInt8($0 & 255) }
            current.blobs[key] = value
            for subject in subjects { try subject.blobs.put(key, value) }
        } else {
            let number = number()
            let value: String? = generator.chance(30) ? nil : String(generator.next() % 1000)
            current.numbers.updateValue(value, forKey: number)
            for subject in subjects { try subject.numbers.put(number, value) }
        }
    }

    private mutating func delete() throws {
        let key = key()
        let number = number()
        current.blobs[key] = nil
        current.numbers.removeValue(forKey: number)
        for subject in subjects {
            try subject.blobs.delete(key)
            try subject.numbers.delete(number)
        }
    }

    private mutating func get() throws {
        let key = key()
        let number = number()
        for subject in subjects {
            #expect(try subject.blobs.get(key) == current.blobs[key])
            #expect(try subject.numbers.get(number) == current.numbers[number])
        }
    }

    private mutating func scan() throws {
        let from = generator.chance(70) ? key() : nil
        let to = generator.chance(70) ? key() : nil
        let limit = generator.chance(50) ? Int.random(in: 1...5, using: &generator) : Int.max
        let expected = current.blobs.keys.sorted { $0.lexicographicallyPrecedes($1) }
            .filter { key in from.map { !key.lexicographicallyPrecedes($0) } ?? true }
            .filter { key in to.map { key.lexicographicallyPrecedes($0) } ?? true }
            .prefix(limit)
        for subject in subjects {
            var found: [Bytes] = []
            try subject.blobs.scan(from: from, to: to) { key, value in
                #expect(value == current.blobs[key])
                found.append(key)
                return found.count < limit
            }
            #expect(found == Array(expected))
        }
    }

    private mutating func commit() throws {
        var changes: [SystemChange] = []
        for _ in 0..<Int.random(in: 0...3, using: &generator) {
            let key = key()
            let value: Bytes? = generator.chance(30) ? nil : [UInt8(generator.next() % 10)]
            current.offsets[key] = value
            changes.append(SystemChange(.offsets, key: key, value: value))
        }
        for subject in subjects {
            try subject.environment.commit(changes)
            #expect(subject.environment.dirtyCount == 0)
        }
        committed = current
    }

    private mutating func rollback() {
        for subject in subjects { subject.environment.rollback() }
        current = committed
    }

    private mutating func reopen() throws {
        let closing = generator.chance(50)
        for subject in subjects { try subject.reopen(closing: closing) }
        current = committed
        try compareAll()
    }

    func compareAll() throws {
        let blobs = current.blobs.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        let numbers = current.numbers.sorted { $0.key < $1.key }
        let offsets = current.offsets.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        for subject in subjects {
            let foundBlobs = try subject.blobs.all()
            #expect(foundBlobs.map(\.key) == blobs.map(\.key))
            #expect(foundBlobs.map(\.value) == blobs.map(\.value))
            let foundNumbers = try subject.numbers.all()
            #expect(foundNumbers.map(\.key) == numbers.map(\.key))
            #expect(foundNumbers.map(\.value) == numbers.map(\.value))
            let foundOffsets = try subject.environment.entries(.offsets)
            #expect(foundOffsets.map(\.key) == offsets.map(\.key))
            #expect(foundOffsets.map(\.value) == offsets.map(\.value))
            for (key, value) in offsets {
                #expect(try subject.environment.get(.offsets, key: key) == value)
            }
        }
        for database in ["store.blobs", "store.numbers", "offsets", "stores"] {
            let raw = try subjects.map { try $0.environment.rawEntries(database: database) }
            #expect(raw[0].map(\.key) == raw[1].map(\.key))
            #expect(raw[0].map(\.value) == raw[1].map(\.value))
        }
    }
}
