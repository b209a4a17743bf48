// Migration while a store is used: reads, scans and writes see values of the new version only; whatever stops
// the job in between, no entry is lost or read in the wrong way; in the end none of the older version is left.

import LocalState
import TestSupport
import Testing

struct LazyMigrationTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private typealias Texts = KeyValueStore<String, String?>

    /// Version 1 has numbers, of which those that end with 7 are left out, and version 2 texts; version 3 has
    /// longer texts.
    private static func texts(version: Int, isMigrating: Bool = true) -> Texts {
        let migrations: [StoreMigration<String?>] = [
            .from(version: 1, value: .optional(.int64), .lazily) { number in
                guard let number else { return .some(nil) }
                return number % 10 == 7 ? nil : "n\(number)"
            },
            .from(version: 2, value: .optional(.string), .lazily) { text in
                text.map { "\($0)!" }
            },
        ]
        return KeyValueStore(
            name: "texts", value: .optional(.string), version: version,
            migrating: isMigrating ? migrations : [])
    }

    private func fill(_ data: StateData, count: Int64) throws -> [String: String?] {
        let numbers = KeyValueStore<String, Int64?>(name: "texts", value: .optional(.int64))
        let environment = try data.open(numbers)
        var expected: [String: String?] = [:]
        for number in 0..<count {
            let key =
                number % 50 == 0 ? String(repeating: "k", count: 510 + Int(number)) : "\(number)"
            let value = number % 11 == 0 ? nil : number
            try numbers.put(key, value)
            guard let value else {
                expected.updateValue(nil, forKey: key)
                continue
            }
            if value % 10 != 7 { expected.updateValue("n\(value)", forKey: key) }
        }
        try environment.commit([])
        environment.close()
        return expected
    }

    private func storedDescription(_ data: StateData) throws -> String {
        // What another version is refused with names what the data is.
        let other = KeyValueStore<Int64, Int64>(name: "texts", value: .int64, version: 99)
        let error = #expect(throws: StateError.self) { _ = try data.open(other) }
        return error?.message ?? ""
    }

    private func expect(_ store: Texts, is expected: [String: String?]) throws {
        let found = try store.all()
        #expect(found.count == expected.count)
        for (key, value) in found { #expect(expected[key] == .some(value)) }
        var backwards: [String] = []
        try store.scan(order: .descending) { key, _ in
            backwards.append(key)
            return true
        }
        #expect(backwards == found.map(\.key).reversed())
    }

    @Test(arguments: seeds(6))
    func `random operations, rollbacks and crashes leave it as a dictionary has it`(
        seed: UInt64
    ) throws {
        var generator = SeededGenerator(seed: seed)
        let data = StateData(in: directory)
        var committed = try fill(data, count: 1500)
        let keys = committed.keys.sorted() + (0..<20).map { "new \($0)" } + ["7", "17", "1207"]
        for version in [2, 3] {
            if version == 3 {
                committed = committed.compactMapValues { text in text.map { "\($0)!" } }
                    .mapValues { Optional($0) }
            }
            var current = committed
            var store = Self.texts(version: version)
            var environment = try data.open(store)
            var commits = 0
            while commits < 12 {
                let key = keys.randomElement(using: &generator) ?? ""
                switch Int.random(in: 0..<100, using: &generator) {
                case 0..<40: #expect(try store.get(key) == current[key])
                case 40..<60:
                    try store.put(key, "put \(commits)")
                    current.updateValue("put \(commits)", forKey: key)
                case 60..<70:
                    try store.delete(key)
                    current.removeValue(forKey: key)
                case 70..<75: try expect(store, is: current)
                case 75..<85:
                    try environment.commit([])
                    committed = current
                    commits += 1
                case 85..<90:
                    environment.rollback()
                    current = committed
                default:
                    if generator.chance(50) { environment.close() }
                    environment.close()
                    store = Self.texts(version: version)
                    environment = try data.open(store)
                    current = committed
                }
            }
            // Crashes begin it anew: some more commits without any.
            for _ in 0..<8 { try environment.commit([]) }
            try expect(store, is: current)
            committed = current
            environment.close()
            let description = try storedDescription(data)
            #expect(description.contains("to optional(string), version \(version),"))
            let plain = Self.texts(version: version, isMigrating: false)
            let opened = try data.open(plain)
            try expect(plain, is: committed)
            opened.close()
        }
    }

    @Test func `until it has ended, the migration must be given, and no other version is opened`()
        throws
    {
        let data = StateData(in: directory)
        _ = try fill(data, count: 1500)
        let store = Self.texts(version: 2)
        let environment = try data.open(store)
        try environment.commit([])
        environment.close()
        #expect(
            try storedDescription(data).contains(
                "to optional(string), version 2 (migrating from optional(int64), version 1)"))
        for other in [
            Self.texts(version: 2, isMigrating: false), Self.texts(version: 3),
        ] {
            let error = #expect(throws: StateError.self) { _ = try data.open(other) }
            #expect(error?.code == .incompatible)
            #expect(error?.message.contains("Its migration has not ended") == true)
        }
    }

    @Test func `a commit that did not happen is not counted`() throws {
        let data = StateData(in: directory)
        let expected = try fill(data, count: 200)
        // The first commit of so few would be the last of the migration.
        let store = Self.texts(version: 2)
        let other = KeyValueStore<Int64, Int64>(
            name: "failing",
            value: Serde(
                name: "failing", encode: { _, _ in throw SerdeError("no") }, decode: { _ in 0 }))
        let environment = try data.open(store, other)
        try other.put(1, 1)
        #expect(throws: (any Error).self) { try environment.commit([]) }
        environment.rollback()
        try environment.commit([])
        try expect(store, is: expected)
        environment.close()
        let plain = Self.texts(version: 2, isMigrating: false)
        let opened = try data.open(plain)
        try expect(plain, is: expected)
        opened.close()
    }

    @Test func `an entry that cannot be migrated is named when it is read`() throws {
        struct Refused: Error {}
        let data = StateData(in: directory)
        _ = try fill(data, count: 5)
        let store = KeyValueStore<String, String>(
            name: "texts", value: .string, version: 2,
            migrating: [
                .from(version: 1, value: .optional(.int64), .lazily) { _ in throw Refused() }
            ])
        let environment = try data.open(store)
        defer { environment.close() }
        let error = #expect(throws: StateError.self) { _ = try store.get("3") }
        #expect(error?.code == .incompatible)
        #expect(error?.message.contains("\"3\"") == true)
        #expect(throws: StateError.self) { try environment.commit([]) }
    }
}
