// Random operations on one store of each kind against plain dictionaries, with event time going on, commits,
// rollbacks and reopenings. The model knows no bytes and removes nothing: it asks each entry whether it is
// there at this time.

import LocalState
import TestSupport
import Testing

struct StoreKindsModelTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test(arguments: seeds(6))
    func `random operations leave stores of all kinds as dictionaries have it`(
        seed: UInt64
    ) throws {
        var model = try KindsModel(seed: seed, in: directory)
        for _ in 0..<600 { try model.step() }
        try model.compareAll()
        model.subject.environment.close()
    }
}

/// A clock that a test sets.
final class TestClock {
    var watermark: Int64 = .min
    var timestamp: Int64 = .min

    /// For the stores of a test. It reads this clock as long as it is there itself.
    lazy var forStores = StoreClock(
        watermark: { [unowned self] in watermark }, timestamp: { [unowned self] in timestamp })

    var now: Int64 { max(watermark, timestamp) }
}

/// An environment with one store of each kind.
final class KindsSubject {
    let environment: StateEnvironment
    let expiring: ExpiringStore<String, Int64?>
    let windows: WindowStore<String, Int64>
    let sessions: SessionStore<String, Int64>
    let buffer: BufferStore<String, Int64>

    static let retention: Int64 = 40

    init(_ data: StateData, _ clock: StoreClock) throws {
        let retention = Duration.milliseconds(Self.retention)
        expiring = ExpiringStore(
            name: "expiring", value: .optional(.int64), timeToLive: .milliseconds(30), clock: clock)
        windows = WindowStore(name: "windows", value: .int64, retention: retention, clock: clock)
        sessions = SessionStore(name: "sessions", value: .int64, retention: retention, clock: clock)
        buffer = BufferStore(name: "buffer", value: .int64, retention: retention, clock: clock)
        environment = try data.open(
            expiring.entries, windows.entries, sessions.entries, buffer.entries)
    }
}

/// Stores of all kinds, and what they must hold.
struct KindsModel {
    struct Content {
        var expiring: [String: (value: Int64?, expiry: Int64)] = [:]
        var windows: [KeyPair<String, Int64>: Int64] = [:]
        /// By key, end, start.
        var sessions: [KeyTriple<String, Int64, Int64>: Int64] = [:]
        var buffer: [KeyPair<String, Int64>: [Int64]] = [:]
        var watermark = Int64.min
    }

    let data: StateData
    let clock = TestClock()
    var subject: KindsSubject
    var generator: SeededGenerator
    var committed = Content()
    var current = Content()
    let keys =
        ["", "a", "a\0", "a\0\0", "ab", "é", "\u{10ffff}"] + [String(repeating: "k", count: 700)]

    init(seed: UInt64, in directory: TemporaryDirectory) throws {
        data = StateData(in: directory)
        subject = try KindsSubject(data, clock.forStores)
        generator = SeededGenerator(seed: seed)
    }

    mutating func step() throws {
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<12: advanceTime()
        case 12..<28: try changeExpiring()
        case 28..<44: try changeWindows()
        case 44..<60: try changeSessions()
        case 60..<74: try changeBuffer()
        case 74..<84: try compareAll()
        case 84..<94:
            try subject.environment.commit([])
            current.watermark = clock.watermark
            committed = current
        case 94..<97:
            subject.environment.rollback()
            goBack()
        default:
            if generator.chance(50) { subject.environment.close() }
            // The one before is gone before the next is opened.
            subject = try reopened()
            goBack()
        }
    }

    private mutating func reopened() throws -> KindsSubject {
        subject.environment.close()
        return try KindsSubject(data, clock.forStores)
    }

    private mutating func goBack() {
        current = committed
        clock.watermark = committed.watermark
        clock.timestamp = committed.watermark
    }

    private mutating func advanceTime() {
        if clock.watermark == .min { clock.watermark = 0 }
        clock.watermark += Int64.random(in: 0...12, using: &generator)
        clock.timestamp = clock.watermark + Int64.random(in: -10...10, using: &generator)
    }

    private mutating func key() -> String { keys.randomElement(using: &generator) ?? "" }

    private mutating func time() -> Int64 {
        let extremes: [Int64] = [.min, .min + 1, -1, .max - 1, .max]
        guard generator.chance(95) else { return extremes.randomElement(using: &generator) ?? 0 }
        let now = max(clock.watermark, 0)
        return now + Int64.random(in: -60...30, using: &generator)
    }

    private mutating func range() -> ClosedRange<Int64> {
        let times = [time(), time()].sorted()
        return times[0]...times[1]
    }

    private func isGone(_ time: Int64) -> Bool {
        let (end, isOver) = time.addingReportingOverflow(KindsSubject.retention)
        return !isOver && end <= clock.watermark
    }

    // MARK: Changes

    private mutating func changeExpiring() throws {
        let key = key()
        guard generator.chance(80) else {
            current.expiring[key] = nil
            return try subject.expiring.delete(key)
        }
        let value: Int64? = generator.chance(20) ? nil : Int64.random(in: 0...99, using: &generator)
        let lifetime: Int64? =
            generator.chance(50) ? nil : [0, 5, 60, .max].randomElement(using: &generator)
        try subject.expiring.put(key, value, timeToLive: lifetime.map { .milliseconds($0) })
        let (expiry, isOver) = clock.now.addingReportingOverflow(lifetime ?? 30)
        current.expiring[key] = (value, isOver ? .max : expiry)
    }

    private mutating func changeWindows() throws {
        let key = key()
        let start = time()
        guard generator.chance(80) else {
            current.windows[KeyPair(key, start)] = nil
            return try subject.windows.delete(key, start: start)
        }
        let value = Int64.random(in: 0...99, using: &generator)
        #expect(try subject.windows.put(key, value, start: start) == !isGone(start))
        if !isGone(start) { current.windows[KeyPair(key, start)] = value }
    }

    private mutating func changeSessions() throws {
        let key = key()
        let value = Int64.random(in: 0...99, using: &generator)
        if generator.chance(30) {
            let times = range()
            let stored = KeyTriple(key, times.upperBound, times.lowerBound)
            guard generator.chance(60) else {
                current.sessions[stored] = nil
                return try subject.sessions.remove(key, times)
            }
            #expect(try subject.sessions.put(key, value, times) == !isGone(times.upperBound))
            if !isGone(times.upperBound) { current.sessions[stored] = value }
            return
        }
        let time = time()
        let gap = Int64.random(in: 0...10, using: &generator)
        let near = time.addingHeld(-gap)...time.addingHeld(gap)
        let joined = visibleSessions(key, near)
        let start = min(time, joined.map(\.times.lowerBound).min() ?? time)
        let end = max(time, joined.map(\.times.upperBound).max() ?? time)
        let sum = joined.reduce(value) { $0 &+ $1.value }
        let merged = try subject.sessions.merge(key, at: time, gap: gap, value) { $0 &+ $1 }
        guard !isGone(end) else {
            #expect(merged == nil)
            return
        }
        for session in joined {
            current.sessions[
                KeyTriple(key, session.times.upperBound, session.times.lowerBound)] = nil
        }
        current.sessions[KeyTriple(key, end, start)] = sum
        #expect(merged?.times == start...end)
        #expect(merged?.value == sum)
        #expect(merged?.replaced == joined.map(\.times).filter { $0 != start...end })
    }

    private mutating func changeBuffer() throws {
        let key = key()
        guard generator.chance(85) else {
            let times = range()
            current.buffer = current.buffer.filter {
                $0.key.first != key || !times.contains($0.key.second)
            }
            return try subject.buffer.remove(key, times)
        }
        let time = time()
        for _ in 0..<(generator.chance(10) ? 9 : 1) {
            let value = Int64.random(in: 0...99, using: &generator)
            #expect(try subject.buffer.add(key, value, at: time) == !isGone(time))
            if !isGone(time) { current.buffer[KeyPair(key, time), default: []].append(value) }
        }
    }

    // MARK: What must be read

    private func visibleSessions(
        _ key: String, _ times: ClosedRange<Int64>
    ) -> [(times: ClosedRange<Int64>, value: Int64)] {
        current.sessions.filter {
            $0.key.first == key && !isGone($0.key.second) && $0.key.second >= times.lowerBound
                && $0.key.third <= times.upperBound
        }.sorted { ($0.key.second, $0.key.third) < ($1.key.second, $1.key.third) }
            .map { (times: $0.key.third...$0.key.second, value: $0.value) }
    }

    mutating func compareAll() throws {
        try compareExpiring()
        let order = generator.chance(50) ? ScanOrder.ascending : .descending
        let times = generator.chance(20) ? Int64.min...Int64.max : range()
        for key in [key(), key()] {
            try compareWindows(key, times, order)
            try compareSessions(key, times, order)
            try compareBuffer(key, times, order)
        }
        try compareOverAllKeys(times, order)
    }

    private func ordered<Element>(_ elements: [Element], _ order: ScanOrder) -> [Element] {
        order == .ascending ? elements : elements.reversed()
    }

    private mutating func compareExpiring() throws {
        let visible = current.expiring.filter { $0.value.expiry > clock.now }
        for key in keys {
            let found = try subject.expiring.get(key)
            #expect((found == nil) == (visible[key] == nil))
            #expect(found ?? nil == visible[key]?.value)
            #expect(try subject.expiring.expiryMilliseconds(of: key) == visible[key]?.expiry)
        }
        var found: [String] = []
        try subject.expiring.forEach { key, value in
            #expect(value == visible[key]?.value)
            found.append(key)
        }
        #expect(found == visible.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
    }

    private func compareWindows(
        _ key: String, _ starts: ClosedRange<Int64>, _ order: ScanOrder
    ) throws {
        let expected = current.windows.filter {
            $0.key.first == key && starts.contains($0.key.second) && !isGone($0.key.second)
        }.sorted { $0.key.second < $1.key.second }
        var found: [Int64] = []
        try subject.windows.fetch(key, starts, order: order) { start, value in
            #expect(value == current.windows[KeyPair(key, start)])
            found.append(start)
            return true
        }
        #expect(found == ordered(expected.map(\.key.second), order))
        for start in [starts.lowerBound, starts.upperBound] {
            let value = isGone(start) ? nil : current.windows[KeyPair(key, start)]
            #expect(try subject.windows.get(key, start: start) == value)
        }
    }

    private func compareSessions(
        _ key: String, _ times: ClosedRange<Int64>, _ order: ScanOrder
    ) throws {
        let expected = visibleSessions(key, times)
        var found: [ClosedRange<Int64>] = []
        try subject.sessions.find(key, overlapping: times, order: order) { times, value in
            #expect(
                value
                    == current.sessions[KeyTriple(key, times.upperBound, times.lowerBound)])
            found.append(times)
            return true
        }
        #expect(found == ordered(expected.map(\.times), order))
        for session in expected {
            #expect(try subject.sessions.get(key, session.times) == session.value)
        }
    }

    private func compareBuffer(
        _ key: String, _ times: ClosedRange<Int64>, _ order: ScanOrder
    ) throws {
        let expected = current.buffer.filter {
            $0.key.first == key && times.contains($0.key.second) && !isGone($0.key.second)
        }.sorted { $0.key.second < $1.key.second }.flatMap { entry in
            entry.value.map { [entry.key.second, $0] }
        }
        var found: [[Int64]] = []
        try subject.buffer.fetch(key, times, order: order) { time, value in
            found.append([time, value])
            return true
        }
        #expect(found == ordered(expected, order))
    }

    private func compareOverAllKeys(_ times: ClosedRange<Int64>, _ order: ScanOrder) throws {
        func isLess<Second: Comparable>(
            _ one: KeyPair<String, Second>, _ other: KeyPair<String, Second>
        ) -> Bool {
            one.first == other.first
                ? one.second < other.second
                : one.first.utf8.lexicographicallyPrecedes(other.first.utf8)
        }
        let windows = current.windows.keys.filter {
            times.contains($0.second) && !isGone($0.second)
        }
        var found: [KeyPair<String, Int64>] = []
        try subject.windows.fetchAll(times, order: order) { key, start, _ in
            found.append(KeyPair(key, start))
            return true
        }
        #expect(found == ordered(windows.sorted(by: isLess), order))

        let buffered = current.buffer.filter {
            times.contains($0.key.second) && !isGone($0.key.second)
        }.sorted { isLess($0.key, $1.key) }
        var values: [Int64] = []
        try subject.buffer.fetchAll(times, order: order) { _, _, value in
            values.append(value)
            return true
        }
        #expect(values == ordered(buffered.flatMap(\.value), order))

        let sessions = Set(current.sessions.keys.map(\.first)).flatMap { key in
            visibleSessions(key, times).map { KeyPair(key, $0.times.upperBound) }
        }
        found = []
        try subject.sessions.findAll(overlapping: times, order: order) { key, times, _ in
            found.append(KeyPair(key, times.upperBound))
            return true
        }
        #expect(found == ordered(sessions.sorted(by: isLess), order))
    }
}
