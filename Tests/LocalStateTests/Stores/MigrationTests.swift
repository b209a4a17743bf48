// Stores of an older version: migrated at once when they are opened, or lazily while they are used; refused
// without a migration. Whatever stops it, every entry is of one version or the other, and readable.

import LocalState
import TestSupport
import Testing

struct MigrationTests {
    private let directory: TemporaryDirectory
    private let data: StateData

    init() throws {
        directory = try TemporaryDirectory()
        data = StateData(in: directory)
    }

    /// Of every length that is kept in another way.
    private let keys = [
        "", "a", "b", String(repeating: "k", count: 510), String(repeating: "k", count: 900),
    ]

    private func numbers(version: Int = 1) -> KeyValueStore<String, Int64?> {
        KeyValueStore(name: "totals", value: .optional(.int64), version: version)
    }

    private func texts(
        _ migrations: StoreMigration<String>..., version: Int = 2
    ) -> KeyValueStore<String, String> {
        KeyValueStore(name: "totals", value: .string, version: version, migrating: migrations)
    }

    /// Text of a number; 13 is left out.
    private func toText(_ order: MigrationOrder = .atOnce) -> StoreMigration<String> {
        .from(version: 1, value: .optional(.int64), order) { number in
            number == 13 ? nil : number.map { "n\($0)" } ?? "none"
        }
    }

    private func fill() throws {
        let store = numbers()
        let environment = try data.open(store)
        for (number, key) in keys.enumerated() { try store.put(key, Int64(number)) }
        try store.put("unlucky", 13)
        try store.put("null", nil)
        try environment.commit([SystemChange(.offsets, key: [1], value: [2])])
        environment.close()
    }

    private var migrated: [String: String] {
        var values = Dictionary(
            uniqueKeysWithValues: keys.enumerated().map { ($0.element, "n\($0.offset)") })
        values["null"] = "none"
        return values
    }

    private func contents(_ store: KeyValueStore<String, String>) throws -> [String: String] {
        Dictionary(uniqueKeysWithValues: try store.all().map { ($0.key, $0.value) })
    }

    @Test func `a migration at once makes new values of all old ones, in one commit`() throws {
        try fill()
        let store = texts(toText())
        let environment = try data.open(store)
        #expect(try contents(store) == migrated)
        #expect(try store.get("unlucky") == nil)
        #expect(try environment.get(.offsets, key: [1]) == [2])
        try store.put("new", "x")
        try environment.commit([])
        environment.close()
        // It is of the new version now.
        let again = texts()
        try data.open(again).close()
        #expect(try errorCode { _ = try data.open(numbers()) } == .incompatible)
    }

    @Test func `without a migration from its version and serde a store is refused, naming both`()
        throws
    {
        try fill()
        let others = [
            texts(), texts(.from(version: 3, value: .optional(.int64)) { _ in "" }),
            texts(.from(version: 1, value: .int64) { _ in "" }),
        ]
        for other in others {
            let error = #expect(throws: StateError.self) { _ = try data.open(other) }
            #expect(error?.code == .incompatible)
            let message = error?.message ?? ""
            #expect(message.contains("key-value of string to optional(int64), version 1"))
            #expect(message.contains("key-value of string to string, version 2"))
            #expect(message.contains("migration"))
        }
        let store = numbers()
        try data.open(store).close()
    }

    @Test func `a migration that fails changes nothing, in no store`() throws {
        struct Refused: Error {}
        try fill()
        let first = KeyValueStore<String, Int64>(name: "another", value: .int64)
        try data.open(first).close()
        let failing = texts(
            .from(version: 1, value: .optional(.int64)) { number in
                guard number != nil else { throw Refused() }
                return ""
            })
        let another = KeyValueStore<String, Int32>(
            name: "another", value: .int32, version: 2,
            migrating: [.from(version: 1, value: .int64) { Int32($0) }])
        let error = #expect(throws: StateError.self) { _ = try data.open(another, failing) }
        #expect(error?.code == .incompatible)
        #expect(error?.message.contains("\"null\"") == true)
        #expect(error?.message.contains("version 1") == true)
        let store = numbers()
        let unchanged = KeyValueStore<String, Int64>(name: "another", value: .int64)
        let environment = try data.open(store, unchanged)
        #expect(try store.all().count == keys.count + 2)
        environment.close()
    }

    @Test func `stores of other kinds keep their times`() throws {
        let clock = TestClock()
        clock.watermark = 0
        let old = try KindsSubject(data, clock.forStores)
        try old.expiring.put("a", 1)
        try old.expiring.put("b", nil, timeToLive: .milliseconds(70))
        _ = try old.windows.put("a", 2, start: 10)
        try old.environment.commit([])
        old.environment.close()
        let expiring = ExpiringStore<String, String>(
            name: "expiring", value: .string, timeToLive: .zero, clock: clock.forStores, version: 2,
            migrating: [.from(version: 1, value: .optional(.int64)) { "\($0 ?? -1)" }])
        let windows = WindowStore<String, String>(
            name: "windows", value: .string, retention: .seconds(1), clock: clock.forStores,
            version: 2, migrating: [.from(version: 1, value: .int64) { "\($0)" }])
        let environment = try data.open(expiring.entries, windows.entries)
        defer { environment.close() }
        #expect(try expiring.get("a") == "1")
        #expect(try expiring.expiryMilliseconds(of: "a") == 30)
        #expect(try expiring.get("b") == "-1")
        #expect(try expiring.expiryMilliseconds(of: "b") == 70)
        #expect(try windows.get("a", start: 10) == "2")
    }
}
