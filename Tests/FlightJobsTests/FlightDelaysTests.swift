// The flights job in memory, each rule of its definition by a few records; the real data is compared with an
// independent computation by `scripts/check-flights`.

import StreamJobs
import StreamJobsTesting
import Testing

// A job's types are its own affair: a user's test reaches them as this one does.
@testable import FlightJobs

@Suite struct FlightDelaysTests {
    let job: TestJob

    init() throws { job = try TestJob(flightDelays, partitions: 3) }

    static let hour: Int64 = 3_600_000

    func flight(
        _ carrier: String = "UA", _ origin: String = "JFK", hour: Int64, delay: Int? = 0,
        tailnum: String? = nil
    ) throws {
        try job.send(
            Flight(
                carrier: carrier, origin: origin, tailnum: tailnum, depDelay: delay,
                timeHour: text(hour)),
            key: "\(origin)|\(text(hour))", to: FlightEnricher.flights, timestamp: time(hour))
    }

    func weather(_ origin: String = "JFK", hour: Int64, precip: Double? = 0, visib: Double? = 10)
        throws
    {
        try job.send(
            Weather(precip: precip, visib: visib), key: "\(origin)|\(text(hour))",
            to: FlightEnricher.weather, timestamp: time(hour))
    }

    /// Hours of the first days of 1970.
    func text(_ hour: Int64) -> String {
        let digits = { (number: Int64) in number < 10 ? "0\(number)" : "\(number)" }
        return "1970-01-\(digits(hour / 24 + 1))T\(digits(hour % 24)):00:00Z"
    }

    func time(_ hour: Int64) -> Timestamp { Timestamp(milliseconds: hour * Self.hour) }

    func carriers() throws -> [String: DelaysByCarrier.Total] {
        try job.records(in: DelaysByCarrier.totals).reduce(into: [:]) { $0[$1.key] = $1.value }
    }

    @Test(
        arguments: [
            (0.1, 10.0, "poor"), (0, 2.9, "poor"), (0, 3, "clear"), (nil, nil, "clear"),
            (nil, 1, "poor"), (0.1, nil, "poor"),
        ] as [(Double?, Double?, String)])
    func `a condition is poor with rain or short sight`(
        _ precip: Double?, _ visib: Double?, _ condition: String
    ) throws {
        try weather(hour: 5, precip: precip, visib: visib)
        try flight(hour: 5, delay: 7)
        #expect(Array(try carriers().keys) == ["UA|\(condition)"])
    }

    @Test func `a flight waits for weather that comes later`() throws {
        try flight(hour: 5, delay: 7)
        #expect(try carriers().isEmpty)
        try weather(hour: 5, precip: 1)
        #expect(try carriers()["UA|poor"]?.totalDelayMinutes == 7)
    }

    @Test func `without weather the condition is unknown, once its hour is 24 hours past`() throws {
        try flight(hour: 5)
        // Every partition must have got there: event time is that of the slowest.
        for hour in 6...29 as ClosedRange<Int64> {
            for origin in ["EWR", "JFK", "LGA", "BOS"] where origin != "JFK" || hour != 5 {
                try weather(origin, hour: hour)
                try flight("DL", origin, hour: hour)
            }
        }
        #expect(try carriers()["UA|unknown"] == nil)
        for hour in 30...60 as ClosedRange<Int64> {
            for origin in ["EWR", "JFK", "LGA", "BOS"] {
                try weather(origin, hour: hour)
                try flight("DL", origin, hour: hour)
            }
        }
        #expect(try carriers()["UA|unknown"]?.flights == 1)
    }

    @Test func `at the end every flight comes out`() throws {
        try flight(hour: 5)
        try job.finish()
        #expect(try carriers()["UA|unknown"]?.flights == 1)
    }

    @Test func `cancelled flights count, but neither as departed nor in the delay`() throws {
        try weather(hour: 5)
        try flight(hour: 5, delay: nil)
        try flight(hour: 5, delay: -3)
        let total = try #require(try carriers()["UA|clear"])
        #expect(total.flights == 2)
        #expect(total.departed == 1)
        #expect(total.totalDelayMinutes == -3)
    }

    @Test func `manufacturers come from the registry, unknown without`() throws {
        try job.send(Plane(manufacturer: "BOEING"), key: "N1", to: FlightEnricher.planes)
        try weather(hour: 5)
        try flight(hour: 5, tailnum: "N1")
        try flight(hour: 5, tailnum: "N2")
        try flight(hour: 5, tailnum: nil)
        let makers = try job.records(in: FlightsByManufacturer.totals)
            .reduce(into: [:]) { $0[$1.key] = $1.value.flights }
        #expect(makers == ["BOEING": 1, "unknown": 2])
    }

    @Test func `a day is sent once, when it is over`() throws {
        for hour in 0..<24 as Range<Int64> {
            try weather(hour: hour)
            try flight(hour: hour, delay: 1)
        }
        #expect(try job.records(in: DelaysByDay.days).isEmpty)
        try job.finish()
        let days = try job.records(in: DelaysByDay.days)
        #expect(
            days.map(\.value) == [
                .init(
                    origin: "JFK", day: "1970-01-01", flights: 24, departed: 24,
                    totalDelayMinutes: 24)
            ])
        try job.finish()
        #expect(try job.records(in: DelaysByDay.days).count == 1)
    }

    @Test func `a record for a closed day is late and counted`() throws {
        try flight(hour: 5)
        try job.finish()
        try flight(hour: 5)
        try job.finish()
        #expect(job.lateCount == 1)
        #expect(try job.records(in: DelaysByDay.days).map(\.value.flights) == [1])
        #expect(try carriers()["UA|unknown"]?.flights == 1)
    }

    @Test func `a crash repeats and loses nothing`() throws {
        try weather(hour: 5)
        for count in 1...20 {
            try flight(hour: 5, delay: 1)
            if count.isMultiple(of: 3) { try job.crash() }
            if count.isMultiple(of: 2) { #expect(try carriers()["UA|clear"]?.flights == count) }
        }
        try job.crash()
        try job.finish()
        let counts = try job.records(in: DelaysByCarrier.totals).map(\.value.flights)
        #expect(counts == Array(1...20))
        #expect(try job.records(in: DelaysByDay.days).map(\.value.flights) == [20])
    }

    @Test func `state is forgotten when its hour is over`() throws {
        try weather(hour: 5)
        try flight(hour: 5)
        try flight(hour: 6)
        try job.finish()
        let waiting = try job.entries(
            of: "waiting", in: FlightEnricher.self, key: String.self, value: [Flight].self)
        let conditions = try job.entries(
            of: "conditions", in: FlightEnricher.self, key: String.self, value: Condition.self)
        #expect(waiting.isEmpty)
        #expect(conditions.isEmpty)
    }

    @Test(arguments: [Int64.max, Int64.max - 1, Int64.min, -1, 0, 253_402_300_799_000])
    func `any timestamp is counted`(_ milliseconds: Int64) throws {
        try job.send(
            Flight(
                carrier: "UA", origin: "JFK", tailnum: nil, depDelay: 1,
                timeHour: "1970-01-01T00:00:00Z"),
            key: "JFK|1970-01-01T00:00:00Z", to: FlightEnricher.flights,
            timestamp: Timestamp(milliseconds: milliseconds))
        try job.finish()
        #expect(try carriers()["UA|unknown"]?.flights == 1)
        #expect(try job.records(in: DelaysByDay.days).map(\.value.flights) == [1])
    }
}
