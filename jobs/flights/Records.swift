// What the topics of the flights job hold: the fields that the job needs of the tables of nycflights13,
// and what goes from the first task to the others.

/// A scheduled departure; key `ORIGIN|TIME_HOUR`.
struct Flight: Codable, Sendable {
    let carrier: String
    let origin: String
    let tailnum: String?
    /// Minutes; nil if the flight did not leave.
    let depDelay: Int?
    /// The scheduled hour, as `2013-01-01T10:00:00Z`; also the record's timestamp.
    let timeHour: String

    enum CodingKeys: String, CodingKey {
        case carrier, origin, tailnum
        case depDelay = "dep_delay"
        case timeHour = "time_hour"
    }
}

/// The weather at an airport in an hour; key `ORIGIN|TIME_HOUR`.
struct Weather: Codable {
    /// Inches.
    let precip: Double?
    /// Miles.
    let visib: Double?

    var condition: Condition {
        (precip ?? 0) > 0 || (visib ?? .infinity) < 3 ? .poor : .clear
    }
}

enum Condition: String, Codable {
    case clear, poor
    /// Nobody has observed the weather of that hour.
    case unknown
}

/// An aircraft of the registry; key its tail number.
struct Plane: Codable {
    let manufacturer: String?
}

/// A flight with all that the aggregates need.
struct Departure: Codable {
    let carrier: String
    let origin: String
    /// UTC, as `2013-01-01`.
    let day: String
    let condition: Condition
    let manufacturer: String
    let delay: Int?
}
