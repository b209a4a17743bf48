// What is read without LMDB, and without the store's types, is what the store holds.

import FoundationEssentials
import LocalState
import TestSupport
import Testing

struct StateSnapshotTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.file("state") }

    init() throws { directory = try TemporaryDirectory() }

    /// Keys of all lengths, also such that differ only behind what LMDB takes of them.
    private func key(_ generator: inout SeededGenerator) -> [UInt8] {
        let lengths = [0, 1, 2, 20, 493, 494, 495, 509, 510, 600]
        let fills: [UInt8] = [0x61, 0x62, 0xff]
        let length = lengths[Int.random(in: 0..<lengths.count, using: &generator)]
        let fill = fills[Int.random(in: 0..<fills.count, using: &generator)]
        var key = [UInt8](repeating: fill, count: length)
        if length > 0, Bool.random(using: &generator) {
            key[length - 1] = UInt8.random(in: 0...255, using: &generator)
        }
        return key
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func `scans of a snapshot give what a dictionary has`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let store = KeyValueStore<[UInt8], String?>(name: "s", value: .optional(.string))
        let environment = StateEnvironment(directory: path)
        environment.register(store)
        try environment.open()
        var model: [[UInt8]: String?] = [:]
        for number in 0..<1500 {
            let key = key(&generator)
            let value =
                number.isMultiple(of: 9)
                ? nil
                : String(repeating: "v", count: number.isMultiple(of: 50) ? 9000 : number % 60)
            model.updateValue(value, forKey: key)
            try store.put(key, value)
            if number.isMultiple(of: 7), let old = model.keys.randomElement(using: &generator) {
                model.removeValue(forKey: old)
                try store.delete(old)
            }
            if number.isMultiple(of: 400) { try environment.commit([]) }
        }
        try environment.commit([SystemChange(.offsets, key: [7], value: [8])])
        environment.close()

        let snapshot = try #require(try StateSnapshot(directory: path))
        let found = try #require(snapshot.stores.first)
        #expect(found.description.keyCodec == "bytes")
        #expect(found.description.valueSerde == "optional(string)")
        #expect(try snapshot.get(.offsets, key: [7]) == [8])
        for (key, value) in model {
            let entry = try #require(try snapshot.get(found, key: key))
            #expect(entry.payload == value.map { Array($0.utf8) })
        }
        #expect(try snapshot.get(found, key: [1, 2, 3, 4]) == nil)
        for _ in 0..<60 {
            let from = Bool.random(using: &generator) ? key(&generator) : nil
            let to = Bool.random(using: &generator) ? key(&generator) : nil
            let expected = model.keys.filter { key in
                (from.map { !key.lexicographicallyPrecedes($0) } ?? true)
                    && (to.map { key.lexicographicallyPrecedes($0) } ?? true)
            }.sorted { $0.lexicographicallyPrecedes($1) }
            for order in [ScanOrder.ascending, .descending] {
                var keys: [[UInt8]] = []
                try snapshot.scan(found, from: from, to: to, order: order) {
                    keys.append($0.key)
                    return true
                }
                #expect(keys == (order == .ascending ? expected : expected.reversed()))
            }
        }
    }

    @Test func `a state that this process has open is refused`() throws {
        let environment = StateEnvironment(directory: path)
        try environment.open()
        #expect(try errorCode { _ = try StateSnapshot(directory: path) } == .alreadyOpen)
        environment.close()
        #expect(try StateSnapshot(directory: path) != nil)
    }

    @Test func `a snapshot that is closed lets the state be opened`() throws {
        let environment = StateEnvironment(directory: path)
        try environment.open()
        environment.close()
        let snapshot = try #require(try StateSnapshot(directory: path))
        #expect(try errorCode { try environment.open() } == .alreadyOpen)
        snapshot.close()
        try environment.open()
    }

    @Test func `where nothing was committed there is no snapshot`() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        _ = try directory.file("state/data.mdb", [])
        #expect(try StateSnapshot(directory: path) == nil)
    }
}
