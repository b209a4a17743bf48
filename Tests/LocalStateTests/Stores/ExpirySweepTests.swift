// Commits remove what has expired: some entries each, so that it takes no more room than what is alive.

import LocalState
import TestSupport
import Testing

struct ExpirySweepTests {
    private let directory: TemporaryDirectory
    private let clock = TestClock()

    init() throws {
        directory = try TemporaryDirectory()
        clock.watermark = 0
    }

    @Test func `a round of commits removes all that has expired, and nothing else`() throws {
        let subject = try KindsSubject(StateData(in: directory), clock.forStores)
        defer { subject.environment.close() }
        let count = Int64(5 * Limits.sweepEntriesMin)
        for number in 0..<count {
            let key = String(number)
            // Every third is there still when time has gone on by 50.
            let time: Int64 = number.isMultiple(of: 3) ? 100 : 1
            try subject.expiring.put(key, number, timeToLive: .milliseconds(time))
            _ = try subject.windows.put(key, number, start: time)
            _ = try subject.sessions.put(key, number, 0...time)
            _ = try subject.buffer.add(key, number, at: time)
        }
        try subject.environment.commit([])
        clock.watermark = 50
        try subject.environment.commit([])
        let first = try subject.expiring.entries.keys().count
        #expect(first < Int(count), "a commit removes some")
        #expect(first > Int(count) - Limits.sweepEntriesMin - 1, "and no more than it may look at")
        for _ in 0..<6 { try subject.environment.commit([]) }
        let alive = (0..<count).filter { $0.isMultiple(of: 3) }.map { String($0) }.sorted()
        #expect(try subject.expiring.entries.keys() == alive)
        #expect(try subject.windows.entries.keys().map(\.first) == alive)
        #expect(try subject.sessions.entries.keys().map(\.first) == alive)
        #expect(try subject.buffer.entries.keys().map(\.first) == alive)
    }

    @Test func `what has expired takes about as much room as what is alive, at most`() throws {
        let subject = try KindsSubject(StateData(in: directory), clock.forStores)
        defer { subject.environment.close() }
        let written: Int64 = 400
        let lifetime: Int64 = 10
        var largest = 0
        for interval in 0..<Int64(60) {
            clock.watermark = interval
            clock.timestamp = interval
            for number in 0..<written {
                try subject.expiring.put(
                    "\(number) of \(interval)", 1, timeToLive: .milliseconds(lifetime))
            }
            try subject.environment.commit([])
            largest = max(largest, try subject.expiring.entries.keys().count)
        }
        let alive = Int(written * lifetime)
        #expect(largest < alive * 2 + alive / 2)
    }

    @Test func `nothing expires as long as there is no event time`() throws {
        clock.watermark = .min
        let subject = try KindsSubject(StateData(in: directory), clock.forStores)
        defer { subject.environment.close() }
        _ = try subject.windows.put("a", 1, start: .min)
        try subject.environment.commit([])
        #expect(try subject.windows.get("a", start: .min) == 1)
        clock.timestamp = 1_000
        try subject.expiring.put("a", 1)
        try subject.environment.commit([])
        #expect(try subject.expiring.expiryMilliseconds(of: "a") == 1_030)
    }

    @Test func `a late record's entry lives from event time on`() throws {
        let subject = try KindsSubject(StateData(in: directory), clock.forStores)
        defer { subject.environment.close() }
        clock.watermark = 100
        clock.timestamp = 10
        try subject.expiring.put("a", 1)
        #expect(try subject.expiring.expiryMilliseconds(of: "a") == 130)
        clock.timestamp = 130
        #expect(try subject.expiring.get("a") == nil)
        // Not late by event time: a record from before sees it, whatever came in between.
        try subject.environment.commit([])
        clock.timestamp = 129
        #expect(try subject.expiring.get("a") == 1)
    }
}
