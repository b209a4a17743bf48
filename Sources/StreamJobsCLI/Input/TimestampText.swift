// Timestamps as text: ISO 8601 as RFC 3339 narrows it, and a little looser, or milliseconds since 1970.

package import StreamJobsLog

package enum TimestampText {
    /// What `parse` takes, for error messages.
    package static let forms = "2013-01-01T10:00:00Z or milliseconds"

    /// `2013-01-01T10:00:00Z`; with an offset (`+02:00`, `+0200`, `+02`) or without (then it is UTC), with
    /// a fraction (cut to milliseconds), without seconds, with a space for the T; a date alone; a whole
    /// number of milliseconds. Nil for anything else, also for a day that the calendar does not have. A
    /// leap second counts as the first second of the next minute.
    package static func parse(_ text: some Collection<UInt8>) -> Timestamp? {
        var scanner = Scanner(rest: ArraySlice(text))
        if let milliseconds = scanner.wholeNumber() {
            return Timestamp(milliseconds: milliseconds)
        }
        guard let days = scanner.date() else { return nil }
        var milliseconds = Int64(days) * 86_400_000
        if !scanner.isAtEnd {
            guard scanner.take(anyOf: "Tt "), let time = scanner.timeOfDay(),
                let offset = scanner.offset()
            else { return nil }
            milliseconds += time - offset
        }
        return scanner.isAtEnd ? Timestamp(milliseconds: milliseconds) : nil
    }
}

/// Takes pieces off the front of a text.
private struct Scanner {
    var rest: ArraySlice<UInt8>

    var isAtEnd: Bool { rest.isEmpty }

    mutating func take(anyOf characters: StaticString) -> Bool {
        guard let first = rest.first,
            characters.withUTF8Buffer({ $0.contains(first) })
        else { return false }
        rest.removeFirst()
        return true
    }

    /// Exactly `count` digits.
    mutating func digits(_ count: Int) -> Int? {
        let digits = rest.prefix(count)
        guard digits.count == count, digits.allSatisfy(isDigit) else { return nil }
        rest.removeFirst(count)
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    /// The whole text, if it is a sign and digits; takes nothing otherwise.
    mutating func wholeNumber() -> Int64? {
        let digits = rest.first == UInt8(ascii: "-") ? rest.dropFirst() : rest
        guard !digits.isEmpty, digits.allSatisfy(isDigit) else { return nil }
        return Int64(String(decoding: rest, as: UTF8.self))
    }

    /// Days since 1970.
    mutating func date() -> Int? {
        guard let year = digits(4), take(anyOf: "-"), let month = digits(2), take(anyOf: "-"),
            let day = digits(2), (1...12).contains(month),
            (1...CivilDate.days(inMonth: month, of: year)).contains(day)
        else { return nil }
        return CivilDate.daysSinceEpoch(year: year, month: month, day: day)
    }

    /// Milliseconds since midnight: hours and minutes, seconds and a fraction if there are any.
    mutating func timeOfDay() -> Int64? {
        guard let hour = digits(2), hour < 24, take(anyOf: ":"), let minute = digits(2), minute < 60
        else { return nil }
        var milliseconds = Int64(hour * 60 + minute) * 60_000
        guard take(anyOf: ":") else { return milliseconds }
        guard let second = digits(2), second <= 60 else { return nil }
        milliseconds += Int64(second) * 1000
        guard take(anyOf: ".,") else { return milliseconds }
        guard let first = digits(1) else { return nil }
        milliseconds += Int64(first * 100)
        var unit = 10
        while let digit = digits(1) {
            milliseconds += Int64(digit * unit)
            unit /= 10
        }
        return milliseconds
    }

    /// Milliseconds east of UTC; zero if nothing is said.
    mutating func offset() -> Int64? {
        if isAtEnd || take(anyOf: "Zz") { return 0 }
        let isWest = rest.first == UInt8(ascii: "-")
        guard take(anyOf: "+-"), let hours = digits(2), hours < 24 else { return nil }
        var minutes = 0
        if take(anyOf: ":") || !isAtEnd {
            guard let given = digits(2), given < 60 else { return nil }
            minutes = given
        }
        return Int64(hours * 60 + minutes) * (isWest ? -60_000 : 60_000)
    }

    private func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
