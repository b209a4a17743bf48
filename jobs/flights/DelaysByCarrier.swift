import StreamJobs

/// Sums delays by carrier and weather, and sends every new sum: the last record of a key is the result.
struct DelaysByCarrier: SingleInputTask {
    static let input = FlightEnricher.byCarrier.input
    static let totals = Output("delays-by-carrier", key: .string, value: .json(Total.self))
    static var outputs: [Outlet] { totals }

    struct Total: Codable, Equatable {
        let carrier: String
        let condition: Condition
        let flights: Int
        let departed: Int
        let totalDelayMinutes: Int

        enum CodingKeys: String, CodingKey {
            case carrier, condition, flights, departed
            case totalDelayMinutes = "total_delay_minutes"
        }
    }

    /// By `CARRIER|CONDITION`.
    let delays: KeyValueStore<String, Delays>

    init(_ setup: borrowing TaskSetup) throws {
        delays = try setup.store("delays", value: .json(Delays.self))
    }

    mutating func process(
        _ departure: borrowing Record<String, Departure>, _ context: inout TaskContext
    ) throws {
        var sum = try delays.get(departure.key) ?? Delays()
        sum.add(departure.value)
        try delays.put(departure.key, sum)
        let total = Total(
            carrier: departure.value.carrier, condition: departure.value.condition,
            flights: sum.flights, departed: sum.departed, totalDelayMinutes: sum.totalDelayMinutes)
        try context.send(total, to: Self.totals, key: departure.key)
    }
}
