// Damage of every kind is told, and never ends the process.

import Foundation
import LocalState
import TestSupport
import Testing

struct StateVerifierTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.file("state") }
    private var dataFile: URL { URL(fileURLWithPath: path + "/data.mdb") }

    init() throws { directory = try TemporaryDirectory() }

    /// A state of some hundred pages, with free ones, overflow pages and cut keys in it.
    private func makeState() throws {
        let counts = KeyValueStore<String, Int64>(name: "counts", value: .int64)
        let texts = KeyValueStore<String, String>(name: "texts", value: .string)
        let environment = StateEnvironment(directory: path)
        environment.register(counts)
        environment.register(texts)
        try environment.open()
        for round in 0..<3 {
            for number in 0..<4000 { try counts.put("key \(number)", Int64(number * round)) }
            for number in 0..<40 {
                try texts.put("\(number)", String(repeating: "x", count: 200 * number))
                try texts.put(String(repeating: "k", count: 600) + "\(number)", "long")
            }
            for number in 0..<1000 where round > 0 { try counts.delete("key \(number)") }
            try environment.commit([SystemChange(.offsets, key: [1], value: [UInt8(round)])])
        }
        environment.close()
    }

    private func verify(store: String? = nil) throws -> (StateVerificationSummary, [StateFinding]) {
        var findings: [StateFinding] = []
        var verifier = StateVerifier(directory: path, store: store) { findings.append($0) }
        return (try verifier.verify(), findings)
    }

    @Test func `a state as it was written has no findings`() throws {
        try makeState()
        let (summary, findings) = try verify()
        #expect(findings == [])
        #expect(summary.stores == 2)
        #expect(summary.entries == 3000 + 80 + 1)
        #expect(try verify(store: "texts").0.entries == 80)
    }

    @Test(arguments: [UInt64(1), 2])
    func `a bit that flips in a page in use is told`(seed: UInt64) throws {
        try makeState()
        let original = try Data(contentsOf: dataFile)
        let free = try freeBytes(original)
        var generator = SeededGenerator(seed: seed)
        var unnoticed: [Int] = []
        for _ in 0..<400 {
            let position = Int.random(in: 8192..<original.count, using: &generator)
            guard !free.contains(position) else { continue }
            var damaged = original
            damaged[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            try damaged.write(to: dataFile)
            if try verify().0.damages == 0 { unnoticed.append(position) }
        }
        #expect(unnoticed == [], "seed \(seed)")
    }

    /// Positions that no reader looks at: free pages, the gap in a page, the padding of its header, of a node
    /// and of an overflow page. Computed from the file itself.
    private func freeBytes(_ data: Data) throws -> Set<Int> {
        let bytes = [UInt8](data)
        func number(_ position: Int, _ count: Int) -> Int {
            (0..<count).reversed().reduce(0) { $0 << 8 | Int(bytes[position + $1]) }
        }
        let newest = number(144, 8) > number(4096 + 144, 8) ? 0 : 4096
        var used = Set<Int>()
        var free = Set(8192..<bytes.count)
        func use(_ range: Range<Int>) { free.subtract(range) }
        func visit(_ page: Int, isMain: Bool) {
            let start = page * 4096
            used.insert(page)
            use(start..<start + 8)
            use(start + 12..<start + number(start + 12, 2))
            // Whether it is a branch, a leaf or neither: the other flags are of pages in memory.
            let isLeaf = number(start + 10, 2) & 2 != 0
            for slot in stride(from: 16, to: number(start + 12, 2), by: 2) {
                let node = start + number(start + slot, 2)
                let keyBytes = number(node + 6, 2)
                // A key of a branch that still separates what is below is as good as the right one.
                use(node..<node + (isLeaf ? 8 + keyBytes : 6))
                guard isLeaf else {
                    visit(number(node, 4) | number(node + 4, 2) << 32, isMain: isMain)
                    continue
                }
                let dataBytes = number(node, 4)
                let data = node + 8 + keyBytes
                if number(node + 4, 2) & 1 != 0 {
                    use(data..<data + 8)
                    let overflow = number(data, 8) * 4096
                    use(overflow..<overflow + 8)
                    use(overflow + 12..<overflow + 16 + dataBytes)
                } else if isMain {
                    // The record of a database: its padding and its unused flags are left out.
                    use(data + 6..<data + 48)
                    if number(data + 40, 8) != Int(bitPattern: UInt.max) {
                        visit(number(data + 40, 8), isMain: false)
                    }
                } else {
                    use(data..<data + dataBytes)
                }
            }
        }
        visit(number(newest + 128, 8), isMain: true)
        return free
    }

    @Test func `a file that was cut short is told and read without harm`() throws {
        try makeState()
        let original = try Data(contentsOf: dataFile)
        for count in stride(from: 4096, to: original.count, by: 12_000) {
            try original.prefix(count).write(to: dataFile)
            let (summary, findings) = try verify()
            #expect(summary.damages > 0, "\(count) bytes")
            #expect(findings.allSatisfy { $0.path == dataFile.path })
            _ = try? StateSnapshot(directory: path).map { snapshot in
                for store in snapshot.stores { try snapshot.scan(store) { _ in true } }
            }
        }
    }

    @Test func `random bytes in the place of pages are told`() throws {
        try makeState()
        let original = try Data(contentsOf: dataFile)
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<100 {
            var damaged = original
            for _ in 0..<40 {
                let start = Int.random(in: 16..<original.count - 64, using: &generator)
                for position in start..<start + .random(in: 1..<64, using: &generator) {
                    damaged[position] = UInt8.random(in: 0...255, using: &generator)
                }
            }
            try damaged.write(to: dataFile)
            #expect(try verify().0.damages > 0)
        }
    }

    @Test func `a value of another type is told, although its checksum is right`() throws {
        let serde = Serde<[UInt8]>(
            name: "int64", encode: { $1 += $0 },
            decode: { bytes in bytes.withUnsafeBytes { [UInt8]($0) } })
        let store = KeyValueStore<String, [UInt8]>(name: "numbers", value: serde)
        let environment = StateEnvironment(directory: path)
        environment.register(store)
        try environment.open()
        try store.put("a", [1, 2, 3])
        try environment.commit([])
        environment.close()
        let (summary, findings) = try verify()
        #expect(summary.damages == 1)
        #expect(findings.first?.message.contains("intact but cannot be read") == true)
    }
}
