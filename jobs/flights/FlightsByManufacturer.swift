import StreamJobs

/// Sums delays by the aircraft's maker, and sends every new sum: the last record of a key is the result.
struct FlightsByManufacturer: SingleInputTask {
    static let input = FlightEnricher.byManufacturer.input
    static let totals = Output(
        "flights-by-manufacturer", key: .string, value: .json(Total.self))
    static var outputs: [Outlet] { totals }

    struct Total: Codable, Equatable {
        let manufacturer: String
        let flights: Int
        let departed: Int
        let totalDelayMinutes: Int

        enum CodingKeys: String, CodingKey {
            case manufacturer, flights, departed
            case totalDelayMinutes = "total_delay_minutes"
        }
    }

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
            manufacturer: departure.key, flights: sum.flights, departed: sum.departed,
            totalDelayMinutes: sum.totalDelayMinutes)
        try context.send(total, to: Self.totals, key: departure.key)
    }
}
