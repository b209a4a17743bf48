// A job whose store has another version than its data: refused, or migrated as its task declares.

import StreamJobs
import StreamJobsTesting
import TestSupport
import Testing

private struct Total: Codable, Equatable {
    var count: Int64
    var isMigrated = false
}

private let lines = Input("lines", key: .string, value: .string)
private let totals = Output("totals", key: .string, value: .json(Total.self))

/// Counts in numbers.
private struct Counter: SingleInputTask {
    static let name = "Counter"
    static let input = lines
    let counts: KeyValueStore<String, Int64>

    init(_ setup: borrowing TaskSetup) throws { counts = try setup.store("counts", value: .int64) }

    mutating func process(
        _ line: borrowing Record<String, String>, _ context: inout TaskContext
    ) throws {
        try counts.add(1, to: line.key)
    }
}

/// The same task, later: it counts in totals.
private struct TotalCounter: SingleInputTask {
    static let name = "Counter"
    static let input = lines
    static var outputs: [Outlet] { totals }
    let counts: KeyValueStore<String, Total>

    init(_ setup: borrowing TaskSetup) throws {
        counts = try setup.store(
            "counts", value: .json(Total.self), version: 2,
            migrating: [
                .from(version: 1, value: .int64) { Total(count: $0, isMigrated: true) }
            ])
    }

    mutating func process(
        _ line: borrowing Record<String, String>, _ context: inout TaskContext
    ) throws {
        var total = try counts.get(line.key) ?? Total(count: 0)
        total.count += 1
        try counts.put(line.key, total)
        try context.send(total, to: totals, key: line.key)
    }
}

/// And without its migration.
private struct Forgetful: SingleInputTask {
    static let name = "Counter"
    static let input = lines
    let counts: KeyValueStore<String, Total>

    init(_ setup: borrowing TaskSetup) throws {
        counts = try setup.store("counts", value: .json(Total.self), version: 2)
    }

    mutating func process(
        _ line: borrowing Record<String, String>, _ context: inout TaskContext
    ) {}
}

struct StoreMigrationTests {
    @Test func `a job goes on with the state of its older version`() throws {
        let job = try TestJob(Job("count", Counter.self), partitions: 1)
        for key in ["a", "b", "a"] { try job.send("x", key: key, to: lines) }
        #expect(
            try job.entries(of: "counts", in: Counter.self, key: String.self, value: Int64.self)
                == ["a": 2, "b": 1])
        let error = #expect(throws: StateError.self) {
            try job.restart(as: Job("count", Forgetful.self))
        }
        #expect(error?.message.contains("version 1") == true)
        #expect(error?.message.contains("version 2") == true)
        try job.restart(as: Job("count", TotalCounter.self))
        try job.send("x", key: "a", to: lines)
        #expect(
            try job.records(in: totals).map(\.value) == [Total(count: 3, isMigrated: true)])
    }
}
