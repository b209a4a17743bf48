/// What is summed over flights, under whatever key.
struct Delays: Codable, Equatable {
    var flights = 0
    /// Flights that left.
    var departed = 0
    /// Over the flights that left; early ones count negative.
    var totalDelayMinutes = 0

    mutating func add(_ departure: Departure) {
        flights += 1
        guard let delay = departure.delay else { return }
        departed += 1
        totalDelayMinutes += delay
    }

    enum CodingKeys: String, CodingKey {
        case flights, departed
        case totalDelayMinutes = "total_delay_minutes"
    }
}
