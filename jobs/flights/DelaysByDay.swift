import StreamJobs

/// Sums delays by origin over days of event time (UTC), and sends each day once, when it is over.
struct DelaysByDay: SingleInputTask {
    static let input = FlightEnricher.byDay.input
    static let days = Output("delays-by-day", key: .string, value: .json(Day.self))
    static var outputs: [Outlet] { days }

    struct Day: Codable, Equatable {
        let origin: String
        let day: String
        let flights: Int
        let departed: Int
        let totalDelayMinutes: Int

        enum CodingKeys: String, CodingKey {
            case origin, day, flights, departed
            case totalDelayMinutes = "total_delay_minutes"
        }
    }

    /// The days that are not over, by `ORIGIN|YYYY-MM-DD`.
    let open: KeyValueStore<String, Delays>

    init(_ setup: borrowing TaskSetup) throws {
        open = try setup.store("open-days", value: .json(Delays.self))
    }

    mutating func process(
        _ departure: borrowing Record<String, Departure>, _ context: inout TaskContext
    ) throws {
        let end = departure.timestamp.endOfDay
        guard context.watermark < end else { return context.countLate() }
        var sum = try open.get(departure.key) ?? Delays()
        sum.add(departure.value)
        try open.put(departure.key, sum)
        try context.setTimer(at: end, key: departure.key)
    }

    mutating func timerFired(_ timer: EventTimer, _ context: inout TaskContext) throws {
        guard let sum = try open.get(timer.key) else { return }
        try open.delete(timer.key)
        let parts = timer.key.split(separator: "|")
        let day = Day(
            origin: String(parts[0]), day: String(parts[1]), flights: sum.flights,
            departed: sum.departed, totalDelayMinutes: sum.totalDelayMinutes)
        try context.send(day, to: Self.days, key: timer.key)
    }
}

extension Timestamp {
    /// The first moment of the next day, UTC.
    fileprivate var endOfDay: Timestamp {
        let day: Int64 = 24 * 60 * 60 * 1000
        let intoDay = ((milliseconds % day) + day) % day
        return advanced(by: .milliseconds(day - intoDay))
    }
}
