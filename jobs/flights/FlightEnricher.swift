import StreamJobs

/// Joins each flight with the weather of its origin in its hour and with its aircraft's maker, and sends
/// it on under the keys of the three aggregates.
struct FlightEnricher: StreamTask {
    static let planes = Input(
        "planes", key: .string, value: .json(Plane.self), [.bootstrap, .everyPartition])
    static let weather = Input("weather", key: .string, value: .json(Weather.self))
    static let flights = Input("flights", key: .string, value: .json(Flight.self))

    static let byCarrier = Repartition(
        "departures-by-carrier", key: .string, value: .json(Departure.self))
    static let byDay = Repartition(
        "departures-by-day", key: .string, value: .json(Departure.self))
    static let byManufacturer = Repartition(
        "departures-by-manufacturer", key: .string, value: .json(Departure.self))

    static var inputs: some Route<Self> {
        On(planes) { task, plane, _ in
            try task.manufacturers.put(plane.key, plane.value.manufacturer)
        }
        On(weather) { try $0.observed($1, &$2) }
        On(flights) { try $0.scheduled($1, &$2) }
    }
    static var outputs: [Outlet] {
        byCarrier
        byDay
        byManufacturer
    }

    /// By tail number.
    let manufacturers: KeyValueStore<String, String?>
    /// By `ORIGIN|TIME_HOUR`, like the flights that wait for it.
    let conditions: KeyValueStore<String, Condition>
    let waiting: KeyValueStore<String, [Flight]>

    init(_ setup: borrowing TaskSetup) throws {
        manufacturers = try setup.store("manufacturers", value: .optional(.string))
        conditions = try setup.store("conditions", value: .json(Condition.self))
        waiting = try setup.store("waiting", value: .json([Flight].self))
    }

    mutating func observed(
        _ weather: borrowing Record<String, Weather>, _ context: inout TaskContext
    ) throws {
        guard !context.isLate else { return context.countLate() }
        let condition = weather.value.condition
        try conditions.put(weather.key, condition)
        try release(weather.key, condition, at: weather.timestamp, &context)
        try forgetHour(weather.key, weather.timestamp, &context)
    }

    mutating func scheduled(
        _ flight: borrowing Record<String, Flight>, _ context: inout TaskContext
    ) throws {
        guard !context.isLate else { return context.countLate() }
        if let condition = try conditions.get(flight.key) {
            try send(flight.value, condition, at: flight.timestamp, &context)
        } else {
            try waiting.put(flight.key, (waiting.get(flight.key) ?? []) + [flight.value])
            try forgetHour(flight.key, flight.timestamp, &context)
        }
    }

    /// The hour is over: its weather can no longer come.
    mutating func timerFired(_ timer: EventTimer, _ context: inout TaskContext) throws {
        let hour = timer.time.advanced(by: .milliseconds(-1))
        try release(timer.key, .unknown, at: hour, &context)
        try conditions.delete(timer.key)
    }

    private func forgetHour(_ key: String, _ hour: Timestamp, _ context: inout TaskContext) throws {
        try context.setTimer(at: hour.advanced(by: .milliseconds(1)), key: key)
    }

    private func release(
        _ key: String, _ condition: Condition, at hour: Timestamp, _ context: inout TaskContext
    ) throws {
        guard let flights = try waiting.get(key) else { return }
        for flight in flights { try send(flight, condition, at: hour, &context) }
        try waiting.delete(key)
    }

    private func send(
        _ flight: Flight, _ condition: Condition, at hour: Timestamp, _ context: inout TaskContext
    ) throws {
        let manufacturer = try flight.tailnum.flatMap { try manufacturers.get($0) ?? nil }
        let departure = Departure(
            carrier: flight.carrier, origin: flight.origin, day: String(flight.timeHour.prefix(10)),
            condition: condition, manufacturer: manufacturer ?? "unknown", delay: flight.depDelay)
        try context.send(
            departure, to: Self.byCarrier, key: "\(flight.carrier)|\(condition.rawValue)",
            timestamp: hour)
        try context.send(
            departure, to: Self.byDay, key: "\(departure.origin)|\(departure.day)", timestamp: hour)
        try context.send(
            departure, to: Self.byManufacturer, key: departure.manufacturer, timestamp: hour)
    }
}
