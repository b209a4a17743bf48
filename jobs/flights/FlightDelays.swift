// The main example: what delayed the flights from New York City, by carrier and weather, by day, and by the
// aircraft's maker.
//
//  planes ───┐                  ┌─ departures-by-carrier ──────► DelaysByCarrier ───────► delays-by-carrier
//  weather ──┼► FlightEnricher ─┼─ departures-by-day ──────────► DelaysByDay ───────────► delays-by-day
//  flights ──┘                  └─ departures-by-manufacturer ─► FlightsByManufacturer ─► flights-by-manufacturer

public import StreamJobs

public let flightDelays = Job(
    "flight-delays",
    summary: "Delays by carrier and weather, by day, and by manufacturer",
    disorder: .seconds(24 * 60 * 60),
    FlightEnricher.self, DelaysByCarrier.self, DelaysByDay.self, FlightsByManufacturer.self)
