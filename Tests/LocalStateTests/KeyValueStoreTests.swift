// A store's own behaviour: what is read back when, scans whose body writes, the cache, misuse.

import LocalState
import TestSupport
import Testing

struct KeyValueStoreTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func counts() -> KeyValueStore<Int64, Int64> {
        KeyValueStore(name: "counts", value: .int64)
    }

    @Test func `reads see writes before and after a commit, and not after a rollback`() throws {
        let data = StateData(in: directory)
        let store = counts()
        let environment = try data.open(store)
        #expect(try store.get(1) == nil)
        try store.put(1, 10)
        #expect(try store.get(1) == 10)
        #expect(environment.dirtyBytes > 0)
        try environment.commit([])
        #expect(environment.dirtyBytes == 0)
        #expect(try store.get(1) == 10)
        try store.put(1, 11)
        try store.put(2, 20)
        try store.delete(1)
        #expect(try store.get(1) == nil)
        #expect(environment.dirtyBytes > 0)
        environment.rollback()
        #expect(try store.get(1) == 10)
        #expect(try store.get(2) == nil)
        #expect(try store.keys() == [1])
    }

    @Test func `a scan visits negative keys first and ends before its upper bound`() throws {
        let data = StateData(in: directory)
        let store = counts()
        let environment = try data.open(store)
        for key: Int64 in [3, -1, 0, .min, 7] { try store.put(key, key) }
        try environment.commit([])
        for key: Int64 in [-2, 5, .max] { try store.put(key, key) }
        try store.delete(0)
        #expect(try store.keys() == [.min, -2, -1, 3, 5, 7, .max])
        var found: [Int64] = []
        try store.scan(from: -2, to: 5) { key, _ in
            found.append(key)
            return true
        }
        #expect(found == [-2, -1, 3])
        #expect(try store.count() == 7)
    }

    @Test func `a descending scan has the same bounds and stops when told`() throws {
        let data = StateData(in: directory)
        let store = counts()
        let environment = try data.open(store)
        for key: Int64 in [1, 3, 5, 7] { try store.put(key, key) }
        try environment.commit([])
        for key: Int64 in [2, 6] { try store.put(key, key) }
        try store.delete(3)
        var found: [Int64] = []
        try store.scan(from: 1, to: 7, order: .descending) { key, value in
            found.append(value)
            return true
        }
        #expect(found == [6, 5, 2, 1])
        found = []
        try store.scan(order: .descending) { key, _ in
            found.append(key)
            return found.count < 2
        }
        #expect(found == [7, 6])
    }

    @Test func `a scan shows what its body has written to keys ahead, but no new keys`() throws {
        let data = StateData(in: directory)
        let store = counts()
        let environment = try data.open(store)
        for key: Int64 in [1, 2, 3, 4] { try store.put(key, key) }
        try environment.commit([])
        try store.put(5, 5)
        var found: [Int64: Int64] = [:]
        try store.scan { key, value in
            found[key] = value
            if key == 1 {
                try store.put(2, 20)
                try store.delete(3)
                try store.put(5, 50)
                try store.put(6, 60)
            }
            try store.delete(key)
            return true
        }
        #expect(found == [1: 1, 2: 20, 4: 4, 5: 50])
        #expect(try store.keys() == [6])
        try environment.commit([])
        #expect(try store.keys() == [6])
    }

    @Test func `a rollback within a scan lets it go on with what is committed`() throws {
        let data = StateData(in: directory)
        let store = counts()
        let environment = try data.open(store)
        for key: Int64 in [1, 3] { try store.put(key, key) }
        try environment.commit([])
        try store.put(2, 2)
        try store.put(3, 30)
        var found: [Int64] = []
        try store.scan { key, value in
            found.append(value)
            environment.rollback()
            return true
        }
        #expect(found == [1, 3])
    }

    @Test func `keys of any length are kept and ordered`() throws {
        let data = StateData(in: directory)
        let lengths = [0, 1, 493, 494, 495, 509, 510, 511, 512, 1_000_000]
        let keys = lengths.map { [UInt8](repeating: 0x6b, count: $0) }
        for round in 0..<2 {
            let store = KeyValueStore<[UInt8], Int64>(name: "long", value: .int64)
            let environment = try data.open(store)
            if round == 0 {
                for (key, length) in zip(keys, lengths).reversed() {
                    try store.put(key, Int64(length))
                }
                try environment.commit([])
                try store.delete(keys[8])
                try environment.commit([])
            }
            for (key, length) in zip(keys, lengths) where length != 512 {
                #expect(try store.get(key) == Int64(length))
            }
            #expect(try store.get(keys[8]) == nil)
            #expect(try store.keys().map(\.count) == lengths.filter { $0 != 512 })
            environment.close()
        }
    }

    @Test func `keys whose hashes collide share a bucket and stay apart`() throws {
        let data = StateData(in: directory)
        let store = KeyValueStore<[UInt8], [UInt8]>(name: "long", value: .bytes)
        let environment = try data.open(store)
        let mine = [UInt8](repeating: 1, count: 600)
        let other = Array(mine.dropLast()) + [9]
        // Another key's entry under the stored key of mine, as if their hashes were equal.
        let fullKey = [Limits.keyPrefix] + mine
        let storedKey = fullKey.withUnsafeBytes { KeyEncoding.cut($0) }
        var body: [UInt8] = []
        ([Limits.keyPrefix] + other).withUnsafeBytes { key in
            ([42] as [UInt8]).withUnsafeBytes {
                StoredValue.appendBucketEntry(fullKey: key, kind: .value, payload: $0, to: &body)
            }
        }
        try environment.rawPut(
            database: "store.long", key: storedKey,
            value: StoredValue.sealed(key: storedKey, body: body))

        #expect(try store.get(mine) == nil)
        try store.put(mine, [7])
        try environment.commit([])
        #expect(try store.all().map(\.value) == [[7], [42]])
        #expect(try environment.rawEntries(database: "store.long").count == 1)
        try store.delete(mine)
        try environment.commit([])
        #expect(try store.all().map(\.key) == [other])
    }

    @Test func `more entries than the cache holds are all there`() throws {
        let data = StateData(in: directory)
        let store = counts()
        let environment = try data.open(store)
        let count: Int64 = 100_005
        for key in 0..<count { try store.put(key, key) }
        try environment.commit([])
        try store.put(0, -1)
        for key in stride(from: 0, to: count, by: 1_000) {
            #expect(try store.get(key) == (key == 0 ? -1 : key))
        }
        var next: Int64 = 0
        try store.forEach { key, value in
            #expect(key == next)
            next += 1
        }
        #expect(next == count)
    }

    @Test func `null is a value of an optional store, unlike no value`() throws {
        let data = StateData(in: directory)
        for round in 0..<2 {
            let store = KeyValueStore<String, String?>(name: "names", value: .optional(.string))
            let environment = try data.open(store)
            if round == 0 {
                try store.put("null", nil)
                try store.put("empty", "")
                try environment.commit([])
            }
            #expect(try store.get("null") == .some(.none))
            #expect(try store.get("empty") == "")
            #expect(try store.get("absent") == .none)
            environment.close()
        }
    }

    @Test func `a value that cannot be encoded fails the commit and changes nothing`() throws {
        struct Refused: Error {}
        let picky = Serde<Int64>(
            name: "picky",
            encode: { value, buffer in
                guard value != 13 else { throw Refused() }
                buffer.append(UInt8(value))
            },
            decode: { bytes in Int64(bytes.unsafeLoad(as: UInt8.self)) })
        let data = StateData(in: directory)
        let store = KeyValueStore<Int64, Int64>(name: "picky", value: picky)
        let environment = try data.open(store)
        try store.put(1, 12)
        try store.put(2, 13)
        #expect(throws: (any Error).self) { try environment.commit([]) }
        #expect(environment.dirtyBytes > 0)
        try store.put(2, 14)
        try environment.commit([])
        #expect(try store.all().map(\.value) == [12, 14])
    }

    @Test func `a store that is not bound stops with its name`() async {
        let result = await #expect(
            processExitsWith: .failure, observing: [\.standardErrorContent]
        ) {
            let store = KeyValueStore<Int64, Int64>(name: "lonely", value: .int64)
            _ = try store.get(1)
        }
        let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(message.contains("Store 'lonely' is used outside of its task's life"))
    }
}
