// What only a real environment does: maps that grow, files that are too short, commits that fail.

import FoundationEssentials
import Glibc
import LocalState
import TestSupport
import Testing

struct LMDBEnvironmentTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private var path: String { directory.file("state") }
    private var dataFile: String { path + "/data.mdb" }

    private func blobs() -> KeyValueStore<Int64, [UInt8]> {
        KeyValueStore(name: "blobs", value: .bytes)
    }

    private func open(_ store: KeyValueStore<Int64, [UInt8]>) throws -> StateEnvironment {
        let environment = StateEnvironment(directory: path)
        environment.register(store)
        try environment.open()
        return environment
    }

    @Test func `a full map grows and the commit is tried again`() throws {
        for round in 0..<2 {
            let environment = StateEnvironment(
                directory: path, settings: StateSettings(mapBytes: 128 << 10))
            let store = blobs()
            environment.register(store)
            try environment.open()
            if round == 0 {
                try store.put(-1, [1])
                try environment.commit([])
                #expect(try store.get(-2) == nil)  // a snapshot is taken on the small map
                for key in 0..<Int64(200) {
                    try store.put(key, [UInt8](repeating: UInt8(key), count: 10_000))
                }
                try environment.commit([SystemChange(.offsets, key: [0], value: [7])])
            }
            #expect(try store.all().count == 201)
            for key in 0..<Int64(200) {
                #expect(try store.get(key) == [UInt8](repeating: UInt8(key), count: 10_000))
            }
            #expect(try environment.get(.offsets, key: [0]) == [7])
            environment.close()
        }
    }

    @Test func `a file of which a full disk took the first page only is made anew`() throws {
        try open(blobs()).close()
        let file = Glibc.open(dataFile, O_RDWR)
        defer { Glibc.close(file) }
        // The first meta page as LMDB makes it, of transaction 0.
        var transaction: UInt64 = 0
        #expect(pwrite(file, &transaction, 8, 144) == 8)
        #expect(ftruncate(file, 4096) == 0)
        let store = blobs()
        let environment = try open(store)
        try store.put(1, [1])
        try environment.commit([])
        environment.close()
    }

    @Test func `a file whose first pages a power loss has left as zeros is made anew`() throws {
        try open(blobs()).close()
        var made = Data(try Data(contentsOf: URL(filePath: dataFile)).prefix(8192))
        // The meta pages as LMDB makes them, of transaction 0.
        for page in 0..<2 {
            made.replaceSubrange(page * 4096 + 144..<page * 4096 + 152, with: Data(count: 8))
        }
        for lost in [[0], [1], [0, 1]] {
            var bytes = made
            for page in lost {
                bytes.replaceSubrange(page * 4096..<page * 4096 + 4096, with: Data(count: 4096))
            }
            try bytes.write(to: URL(filePath: dataFile))
            let store = blobs()
            let environment = try open(store)
            try store.put(1, [1])
            try environment.commit([])
            environment.close()
        }
        // Beside a commit a page of zeros is damage.
        var committed = try Data(contentsOf: URL(filePath: dataFile))
        committed.replaceSubrange(0..<4096, with: Data(count: 4096))
        try committed.write(to: URL(filePath: dataFile))
        #expect(try errorCode { _ = try open(blobs()) } == .corrupted)
    }

    @Test func `a truncated file is refused before it is mapped`() throws {
        let store = blobs()
        let environment = try open(store)
        for key in 0..<Int64(100) { try store.put(key, [UInt8](repeating: 1, count: 1000)) }
        try environment.commit([])
        environment.close()
        let whole = try Data(contentsOf: URL(filePath: dataFile))
        let pageCount = whole.count / 4096
        let lengths = (1..<pageCount).map { $0 * 4096 } + [1, 100, 4095, whole.count - 1]
        for length in lengths {
            try whole.prefix(length).write(to: URL(filePath: dataFile))
            let error = #expect(throws: StateError.self) { _ = try open(blobs()) }
            #expect(error?.code == .corrupted, "\(length) of \(whole.count) bytes")
            #expect(error?.message.contains(dataFile) == true)
        }
        // Behind the pages in use may stand a part of one: what a crash has cut short within a commit.
        for tail in [0, 1, 100, 4095] {
            try (whole + Data(repeating: 7, count: tail)).write(to: URL(filePath: dataFile))
            let again = blobs()
            let reopened = try open(again)
            #expect(try again.all().count == 100)
            try again.put(100, [UInt8](repeating: 2, count: 20_000))
            try reopened.commit([])
            reopened.close()
        }
    }

    @Test func `files that are no environment are refused`() throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
        for byte: UInt8 in [0, 0xff] {
            try Data(repeating: byte, count: 16_384).write(to: URL(filePath: dataFile))
            #expect(try errorCode { _ = try open(blobs()) } == .corrupted)
        }
        // A crash right after the file was made leaves it empty: nothing was in it yet.
        try Data().write(to: URL(filePath: dataFile))
        try open(blobs()).close()
    }

    /// Puts and deletes a value at the end of the file within one transaction, until its pages were
    /// taken, are free and were never written; returns what the database holds.
    private func makeShortFile(_ generator: inout SeededGenerator) throws -> [[UInt8]: [UInt8]] {
        var content: [[UInt8]: [UInt8]] = [:]
        for _ in 0..<20 {
            let lmdb = LMDBEnvironment(directory: path)
            try lmdb.open(databaseCountMax: 1)
            var writes: [(key: [UInt8], value: [UInt8]?)] = []
            for _ in 0..<Int.random(in: 1...60, using: &generator) {
                let key = [UInt8.random(in: 0..<50, using: &generator)]
                let length = Int.random(in: 0...6_000, using: &generator)
                content[key] =
                    generator.chance(40) ? nil : [UInt8](repeating: key[0], count: length)
                writes.append((key, content[key]))
            }
            writes.append(([255], [UInt8](repeating: 255, count: 400_000)))
            writes.append(([255], nil))
            try lmdb.rawWrite(try lmdb.openDatabases(["raw"])[0], writes)
            lmdb.close()
            if try missingPageCount() > 0 { return content }
        }
        Issue.record("no short file came about")
        return content
    }

    /// Pages between the end of the file and the last page of the newer meta page, as mdb.c has it.
    private func missingPageCount() throws -> Int {
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: dataFile)))
        let metas = [0, 4096].map { start in
            bytes.withUnsafeBytes {
                (
                    transaction: $0.load(fromByteOffset: start + 144, as: UInt64.self),
                    lastPage: $0.load(fromByteOffset: start + 136, as: UInt64.self)
                )
            }
        }
        let newer = metas[0].transaction > metas[1].transaction ? metas[0] : metas[1]
        return Int(newer.lastPage) + 1 - bytes.count / 4096
    }

    @Test(arguments: 0..<2)
    func `a file that ends before free pages is whole, and refused where it ends earlier`(
        round: UInt64
    ) throws {
        var generator = SeededGenerator(
            seed: SeededGenerator.seed(of: "short files, round \(round)") &+ round)
        let content = try makeShortFile(&generator)
        let whole = try Data(contentsOf: URL(filePath: dataFile))
        var acceptedCount = 0
        var refusedCount = 0
        for pageCount in stride(from: whole.count / 4096, to: 1, by: -1) {
            try whole.prefix(pageCount * 4096).write(to: URL(filePath: dataFile))
            let lmdb = LMDBEnvironment(directory: path)
            let code = try errorCode { try lmdb.open(databaseCountMax: 1) }
            if code != nil {
                #expect(code == .corrupted)
                refusedCount += 1
                continue
            }
            #expect(refusedCount == 0, "what is too short does not become whole by shortening")
            // Reading a page that the file lacks would kill this process here.
            var found: [[UInt8]: [UInt8]] = [:]
            let database = try lmdb.openDatabases(["raw"])[0]
            for (key, value) in try lmdb.rawEntries(database) { found[key] = value }
            #expect(found == content)
            acceptedCount += 1
            lmdb.close()
        }
        #expect(acceptedCount > 0, "the file as it was written is whole")
        #expect(refusedCount > 0)
    }

    @Test func `after a failed commit everything is refused until the state is reopened`() async {
        // In a process of its own, since the limit on the size of files holds for all of it.
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let store = KeyValueStore<Int64, [UInt8]>(name: "blobs", value: .bytes)
            let environment = StateEnvironment(directory: directory.file("state"))
            environment.register(store)
            try environment.open()
            try store.put(1, [1])
            try environment.commit([SystemChange(.offsets, key: [0], value: [1])])

            signal(SIGXFSZ, SIG_IGN)
            var unlimited = rlimit()
            getrlimit(__rlimit_resource_t(UInt32(RLIMIT_FSIZE.rawValue)), &unlimited)
            var limit = unlimited
            limit.rlim_cur = 64 << 10
            setrlimit(__rlimit_resource_t(UInt32(RLIMIT_FSIZE.rawValue)), &limit)
            try store.put(2, [UInt8](repeating: 2, count: 1 << 20))
            let changes = [SystemChange(.offsets, key: [0], value: [2])]
            let first = try errorCode { try environment.commit(changes) }
            setrlimit(__rlimit_resource_t(UInt32(RLIMIT_FSIZE.rawValue)), &unlimited)

            try check(first == .outcomeUnknown)
            try check(!environment.isUsable)
            try check(try errorCode { try environment.commit(changes) } == .outcomeUnknown)
            try check(try errorCode { _ = try store.get(1) } == .outcomeUnknown)
            try check(try errorCode { try store.put(1, [3]) } == .outcomeUnknown)
            try check(try errorCode { _ = try store.all() } == .outcomeUnknown)
            try check(
                try errorCode { _ = try environment.get(.offsets, key: [0]) } == .outcomeUnknown)
            environment.close()
            try environment.open()
            // The data were not written: here the commit has not happened.
            try check(try environment.get(.offsets, key: [0]) == [1])
            try check(try store.keys() == [1])
            try store.put(2, [2])
            try environment.commit(changes)
            try check(try store.keys() == [1, 2])
        }
    }
}

/// Ends an exit test's process with an error where a condition does not hold.
private func check(_ condition: Bool, line: Int = #line) throws {
    struct Failed: Error { let line: Int }
    guard condition else { throw Failed(line: line) }
}
