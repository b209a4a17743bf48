// An environment's promises: one commit for all, what survives, what is refused and how it is said.

import FoundationEssentials
import LocalState
import TestSupport
import Testing

struct StateEnvironmentTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func names() -> KeyValueStore<String, String> {
        KeyValueStore(name: "names", value: .string)
    }

    @Test func `a reopened environment shows the last commit only`() throws {
        let data = StateData(in: directory)
        for (round, closing) in [true, false, false].enumerated() {
            let store = names()
            let environment = try data.open(store)
            #expect(try store.keys() == (0..<round).map { "kept \($0)" })
            #expect(
                try environment.get(.offsets, key: [1]) == (round == 0 ? nil : [UInt8(round - 1)]))
            try store.put("kept \(round)", "x")
            try environment.commit([SystemChange(.offsets, key: [1], value: [UInt8(round)])])
            try store.put("lost \(round)", "x")
            if closing { environment.close() }
        }
    }

    @Test func `a closed environment opens again with the same stores`() throws {
        let store = names()
        let environment = try StateData(in: directory).open(store)
        try store.put("a", "1")
        try environment.commit([])
        try store.put("b", "2")
        environment.close()
        try environment.open()
        #expect(try store.keys() == ["a"])
    }

    @Test func `system tables keep keys of any length apart from each other`() throws {
        let environment = try StateData(in: directory).open()
        let long = [UInt8](repeating: 5, count: 700)
        try environment.commit([
            SystemChange(.offsets, key: [], value: [1]),
            SystemChange(.timers, key: long, value: []),
            SystemChange(.timers, key: [4], value: [9]),
            SystemChange(.timers, key: [4], value: [2]),
            SystemChange(.commit, key: [0], value: nil),
        ])
        #expect(try environment.get(.offsets, key: []) == [1])
        #expect(try environment.get(.timers, key: []) == nil)
        #expect(try environment.entries(.timers).map(\.key) == [[4], long])
        #expect(try environment.entries(.timers).map(\.value) == [[2], []])
        #expect(try environment.entries(.commit).isEmpty)
        try environment.commit([SystemChange(.timers, key: long, value: nil)])
        #expect(try environment.entries(.timers).map(\.key) == [[4]])
    }

    @Test func `a changed byte is found by every way of reading`() throws {
        let data = StateData(in: directory)
        let long = String(repeating: "k", count: 600)
        for key in ["a", long] {
            for bit in [0, 9, 33, 40, 47] {
                let store = names()
                let environment = try data.open(store)
                try store.put(key, "right")
                try environment.commit([])
                environment.close()
                try environment.open()

                let (stored, original) = try #require(
                    try environment.rawEntries(database: "store.names").first {
                        ($0.key.count == 511) == (key == long)
                    })
                var value = original
                value[bit / 8] ^= 1 << UInt8(bit % 8)
                try environment.rawPut(database: "store.names", key: stored, value: value)

                let error = #expect(throws: StateError.self) { try store.get(key) }
                #expect(error?.code == .corrupted)
                #expect(error?.message.contains("store 'names'") == true)
                #expect(error?.message.contains("\"\(key.prefix(40))") == true)
                #expect(try errorCode { _ = try store.all() } == .corrupted)
                try store.delete(key)
                // A bucket is read before it is written, and is refused as well.
                #expect(
                    try errorCode { try environment.commit([]) }
                        == (key == long ? .corrupted : nil))
                try environment.rawPut(database: "store.names", key: stored, value: original)
            }
        }
    }

    @Test func `a value under another key is damage`() throws {
        let store = names()
        let environment = try StateData(in: directory).open(store)
        try store.put("a", "right")
        try environment.commit([])
        let value = try environment.rawEntries(database: "store.names")[0].value
        try environment.rawPut(
            database: "store.names", key: [Limits.keyPrefix, 0x62], value: value)
        #expect(try errorCode { _ = try store.get("b") } == .corrupted)
    }

    @Test func `a store with other types than its data is refused, naming both`() throws {
        let data = StateData(in: directory)
        try data.open(names()).close()
        let others: [(any EnvironmentStore, String)] = [
            (
                KeyValueStore<String, Int64>(name: "names", value: .int64),
                "key-value of string to int64, version 1"
            ),
            (
                KeyValueStore<Int64, String>(name: "names", value: .string),
                "key-value of int64 to string, version 1"
            ),
            (
                KeyValueStore<String, String>(name: "names", value: .string, version: 2),
                "key-value of string to string, version 2"
            ),
        ]
        for (other, declared) in others {
            let error = #expect(throws: StateError.self) { _ = try data.open(other) }
            #expect(error?.code == .incompatible)
            let message = error?.message ?? ""
            #expect(message.contains("Store 'names'"))
            #expect(message.contains("holds key-value of string to string, version 1,"))
            #expect(message.contains("declares \(declared)"))
        }
        try data.open(names()).close()
    }

    @Test func `data of a newer format is refused`() throws {
        let data = StateData(in: directory)
        let environment = try data.open(names())
        // The version record as a later version would write it, with a right checksum.
        let (key, original) = try #require(
            try environment.rawEntries(database: "stores").first {
                $0.key == [Limits.keyPrefix] + Array("format".utf8)
            })
        var body = Array(original.dropLast(StoredValue.checksumBytes))
        body[body.count - 1] += 1
        try environment.rawPut(
            database: "stores", key: key, value: StoredValue.sealed(key: key, body: body))
        environment.close()
        #expect(try errorCode { _ = try data.open(names()) } == .newerFormat)
    }

    @Test func `an environment is opened once in a process, whatever its path`() throws {
        let data = StateData(in: directory)
        let first = try data.open(names())
        #expect(try errorCode { _ = try data.open(names()) } == .alreadyOpen)
        let link = data.directory.file("link")
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: data.stateDirectory)
        #expect(try errorCode { try StateEnvironment(directory: link).open() } == .alreadyOpen)
        first.close()
        try data.open(names()).close()
    }

    @Test func `a file where the directory should be is named`() throws {
        let directory = try TemporaryDirectory()
        try writeFile([1], to: directory.file("state"))
        let environment = StateEnvironment(directory: directory.file("state"))
        let error = #expect(throws: StateError.self) { try environment.open() }
        #expect(error?.message.contains(directory.file("state")) == true)
    }
}

/// Writes a file.
func writeFile(_ bytes: [UInt8], to path: String) throws {
    try FoundationEssentials.Data(bytes).write(to: URL(filePath: path))
}
