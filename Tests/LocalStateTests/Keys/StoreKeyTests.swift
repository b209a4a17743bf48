// Bytes of keys sort as the values do, and come back.

import LocalState
import TestSupport
import Testing

struct StoreKeyTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func encoded(_ key: some StoreKey) -> [UInt8] {
        var buffer: [UInt8] = []
        key.encodeOrdered(into: &buffer)
        return buffer
    }

    private func check<Key: StoreKey>(_ ascending: [Key]) throws {
        let bytes = ascending.map { encoded($0) }
        for (one, next) in zip(bytes, bytes.dropFirst()) {
            #expect(one.lexicographicallyPrecedes(next))
        }
        for (key, bytes) in zip(ascending, bytes) {
            #expect(try Key(orderedBytes: bytes.span.bytes) == key)
        }
    }

    @Test func `integers sort by value, negative ones first`() throws {
        try check([Int64.min, .min + 1, -256, -255, -1, 0, 1, 255, 256, .max - 1, .max])
        try check([Int.min, -1, 0, 1, .max])
        try check([UInt64.min, 1, 255, 256, 1 << 63, .max])
    }

    @Test func `strings sort by Unicode scalars and bytes by value`() throws {
        try check(["", "a", "aa", "b", "z", "ß", "日", "😀"])
        try check([[], [0], [0, 0], [0, 255], [1], [255], [255, 0]] as [[UInt8]])
    }

    @Test func `bytes of another length are no integer`() throws {
        let bytes: [UInt8] = [1, 2, 3]
        #expect(throws: SerdeError.self) { _ = try Int64(orderedBytes: bytes.span.bytes) }
        #expect(throws: SerdeError.self) { _ = try UInt64(orderedBytes: bytes.span.bytes) }
    }

    @Test func `strings that are equal in Swift but differ in bytes are two keys`() throws {
        let composed = "\u{e9}"
        let decomposed = "e\u{301}"
        try #require(composed == decomposed)
        let data = StateData(in: directory)
        let store = KeyValueStore<String, Int64>(name: "words", value: .int64)
        let environment = try data.open(store)
        try store.put(composed, 1)
        try store.put(decomposed, 2)
        #expect(try store.get(composed) == 1)
        try environment.commit([])
        #expect(try store.get(decomposed) == 2)
        #expect(try store.all().map(\.value) == [2, 1])
    }
}
