// Scans by prefix, both ways, against a filter over all entries.

import LocalState
import TestSupport
import Testing

struct PrefixScanTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    /// Puts keys, some of them committed, some not, some deleted again; gives those that are there.
    private func fill<Key: StoreKey>(
        _ store: KeyValueStore<Key, Int64>, _ keys: [Key], in environment: StateEnvironment,
        _ generator: inout SeededGenerator
    ) throws -> [Key] {
        var kept: [Key] = []
        for (number, key) in keys.enumerated() {
            if number == keys.count / 2 { try environment.commit([]) }
            try store.put(key, Int64(number))
        }
        for key in try store.keys() {
            if generator.chance(20) { try store.delete(key) } else { kept.append(key) }
        }
        return kept
    }

    @Test(arguments: seeds(3))
    func `a text's prefix finds what begins with it`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let store = KeyValueStore<String, Int64>(name: "texts", value: .int64)
        let environment = try StateData(in: directory).open(store)
        let letters = ["a", "b", "\0", "é", "\u{10ffff}"]
        func text() -> String {
            (0..<Int.random(in: 0...4, using: &generator)).map { _ in
                letters.randomElement(using: &generator) ?? ""
            }.joined()
        }
        let keys = (0..<120).map { _ in text() } + [String(repeating: "a", count: 900)]
        let kept = try fill(store, keys, in: environment, &generator)
        for prefix in ["", "\u{10ffff}"] + (0..<20).map({ _ in text() }) {
            let expected = kept.filter { $0.utf8.starts(with: prefix.utf8) }
            var found: [String] = []
            try store.scan(prefix: prefix) { key, _ in
                found.append(key)
                return true
            }
            #expect(found == expected)
            found = []
            try store.scan(prefix: prefix, order: .descending) { key, _ in
                found.append(key)
                return found.count < 3
            }
            #expect(found == Array(expected.reversed().prefix(3)))
        }
    }

    @Test(arguments: seeds(3))
    func `bytes and first parts of tuples find what begins with them`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        typealias Key = KeyTriple<[UInt8], Int16, [UInt8]>
        let raw = KeyValueStore<[UInt8], Int64>(name: "raw", value: .int64)
        let store = KeyValueStore<Key, Int64>(name: "triples", value: .int64)
        let environment = try StateData(in: directory).open(raw, store)
        func bytes() -> [UInt8] {
            (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                [0, 1, 0xff].randomElement(using: &generator) ?? 0
            }
        }
        let keptRaw = try fill(raw, (0..<100).map { _ in bytes() }, in: environment, &generator)
        let keys = (0..<200).map { _ in
            KeyTriple(bytes(), Int16.random(in: -2...2, using: &generator), bytes())
        }
        let kept = try fill(store, keys, in: environment, &generator)
        for _ in 0..<20 {
            let prefix = bytes()
            let second = Int16.random(in: -2...2, using: &generator)
            for order in [ScanOrder.ascending, .descending] {
                func ordered<T>(_ keys: [T]) -> [T] { order == .ascending ? keys : keys.reversed() }
                var foundRaw: [[UInt8]] = []
                try raw.scan(prefix: prefix, order: order) { key, _ in
                    foundRaw.append(key)
                    return true
                }
                #expect(foundRaw == ordered(keptRaw.filter { $0.starts(with: prefix) }))
                var found: [Key] = []
                try store.scan(prefix: prefix, order: order) { key, _ in
                    found.append(key)
                    return true
                }
                #expect(found == ordered(kept.filter { $0.first == prefix }))
                found = []
                try store.scan(prefix: prefix, second, order: order) { key, _ in
                    found.append(key)
                    return true
                }
                #expect(
                    found == ordered(kept.filter { $0.first == prefix && $0.second == second }))
            }
        }
    }

    @Test func `a pair's first part finds its seconds and not those of a longer one`() throws {
        let store = KeyValueStore<KeyPair<String, Int64>, Int64>(name: "pairs", value: .int64)
        let environment = try StateData(in: directory).open(store)
        defer { environment.close() }
        for key in ["a", "a\0", "a\0\u{1}", "ab", ""] { try store.put(KeyPair(key, 1), 1) }
        var found: [String] = []
        try store.scan(prefix: "a") { key, _ in
            found.append(key.first)
            return true
        }
        #expect(found == ["a"])
    }
}
