// Stores of all kinds in a task: declared in one style, on the task's event time, over crashes.

import StreamJobs
import StreamJobsTesting
import Testing

/// Keeps what it reads in a store of each kind, and tells what it sees.
private struct Visitor: SingleInputTask {
    static let input = Input("visits", key: .string, value: .int64)
    static let seen = Output("seen", key: .string, value: .string)
    static var outputs: [Outlet] { seen }

    let recent: ExpiringStore<String, Int64>
    let seconds: WindowStore<String, Int64>
    let visits: SessionStore<String, Int64>
    let waiting: BufferStore<String, Int64>

    init(_ setup: borrowing TaskSetup) throws {
        recent = try setup.expiringStore("recent", value: .int64, timeToLive: .seconds(2))
        seconds = try setup.windowStore("seconds", value: .int64, retention: .seconds(3))
        visits = try setup.sessionStore("visits", value: .int64, retention: .seconds(10))
        waiting = try setup.bufferStore("waiting", value: .int64, retention: .seconds(3))
    }

    mutating func process(
        _ visit: borrowing Record<String, Int64>, _ context: inout TaskContext
    ) throws {
        let key = visit.key
        let time = visit.timestamp
        let last = try recent.get(key)
        try recent.put(key, visit.value)

        let second = Timestamp(milliseconds: time.milliseconds / 1000 * 1000)
        let count = try seconds.add(1, to: key, at: second)

        let session = try visits.merge(key, at: time, gap: .seconds(1), 1) { $0 + $1 }

        try waiting.add(key, visit.value, at: time)
        var others: [Int64] = []
        try waiting.fetch(key, in: time.advanced(by: .seconds(-1))...time) { _, value in
            others.append(value)
            return true
        }
        let parts: [String] = [
            last.map { "last \($0)" } ?? "first",
            count.map { "count \($0)" } ?? "window gone",
            session.map { "session of \($0.value)" } ?? "session gone",
            "near \(others)",
        ]
        try context.send(parts.joined(separator: ", "), to: Self.seen, key: key)
    }
}

struct StoreKindsTests {
    private func visit(_ job: TestJob, _ value: Int64, at milliseconds: Int64) throws {
        try job.send(
            value, key: "anna", to: Visitor.input,
            timestamp: Timestamp(milliseconds: milliseconds))
    }

    @Test func `stores of all kinds live on event time`() throws {
        let job = try TestJob(Visitor.self)
        try visit(job, 1, at: 1_000)
        try visit(job, 2, at: 1_500)
        try visit(job, 3, at: 2_400)
        try visit(job, 4, at: 4_400)
        try visit(job, 5, at: 5_000)
        // Late: its window is gone, its session not yet.
        try visit(job, 6, at: 1_200)
        #expect(
            try job.records(in: Visitor.seen).map(\.value) == [
                "first, count 1, session of 1, near [1]",
                "last 1, count 2, session of 2, near [1, 2]",
                "last 2, count 1, session of 3, near [2, 3]",
                "first, count 1, session of 1, near [4]",
                "last 4, count 1, session of 2, near [4, 5]",
                "last 5, window gone, session of 4, near []",
            ])
    }

    @Test func `a crash takes nothing out of stores that was committed`() throws {
        let job = try TestJob(Visitor.self)
        try visit(job, 1, at: 1_000)
        _ = try job.records(in: Visitor.seen)
        try job.crash()
        try visit(job, 2, at: 1_500)
        #expect(
            try job.records(in: Visitor.seen).map(\.value).last
                == "last 1, count 2, session of 2, near [1, 2]")
        try job.crash()
        try visit(job, 3, at: 100_000)
        _ = try job.records(in: Visitor.seen)
        try visit(job, 4, at: 200_000)
        // What has expired is removed by the next commit.
        _ = try job.records(in: Visitor.seen)
        let windows = try job.entries(
            of: "seconds", in: Visitor.self, key: KeyPair<String, Int64>.self, value: Int64.self)
        #expect(windows.keys.map(\.second) == [200_000])
        let stores: [WindowStore<String, Int64>] = try job.stores("seconds", in: Visitor.self)
        #expect(try stores[0].get("anna", at: Timestamp(milliseconds: 200_000)) == 1)
        #expect(throws: JobError.self) {
            let _: [KeyValueStore<String, Int64>] = try job.stores("seconds", in: Visitor.self)
        }
    }

    @Test func `two stores of one name are refused, whatever their kinds`() {
        struct Twice: SingleInputTask {
            static let input = Input("visits", key: .string, value: .int64)
            init(_ setup: borrowing TaskSetup) throws {
                let _: WindowStore<String, Int64> = try setup.windowStore(
                    "a", value: .int64, retention: .seconds(1))
                let _: BufferStore<String, Int64> = try setup.bufferStore(
                    "a", value: .int64, retention: .seconds(1))
            }
            mutating func process(
                _ record: borrowing Record<String, Int64>, _ context: inout TaskContext
            ) {}
        }
        let error = #expect(throws: JobError.self) { _ = try TestJob(Twice.self) }
        #expect(error?.message.contains("'a' is declared twice") == true)
    }
}
