// Durations on the command line.

/// `200ms`, `30s`, `5m`, `2h`, `7d`; a bare number is milliseconds; or `P1DT2H`. Whole numbers that are not negative.
package struct DurationArgument: CustomStringConvertible, Sendable {
    package let duration: Duration

    package init(_ duration: Duration) { self.duration = duration }

    /// Throws a `CommandError` that says which forms there are; the parser puts it behind the name of the
    /// option.
    package static func parse(_ text: String) throws -> DurationArgument {
        if text.hasPrefix("P") { return try parseISO(text) }
        let digits = text.prefix { ("0"..."9").contains($0) }
        let suffix = text.dropFirst(digits.count)
        guard let number = Int64(digits),
            let unit = units.first(where: { $0.suffix == suffix })
        else {
            throw CommandError.usage(
                "use a whole number with a unit, such as 200ms, 30s, 5m, 2h or 7d (a bare number is "
                    + "milliseconds)")
        }
        let (milliseconds, isTooLong) = number.multipliedReportingOverflow(by: unit.milliseconds)
        guard !isTooLong else { throw CommandError.usage("it is too long") }
        return DurationArgument(.milliseconds(milliseconds))
    }

    /// `P1DT2H30M` as Kafka's tools take it (ISO 8601): days, hours, minutes and seconds, all whole.
    private static func parseISO(_ text: String) throws -> DurationArgument {
        var milliseconds: Int64 = 0
        var digits = ""
        var units = isoUnits[...]
        for character in text.dropFirst() {
            if ("0"..."9").contains(character) {
                digits.append(character)
                continue
            }
            // Each unit once, the larger ones first.
            guard let index = units.firstIndex(where: { $0.letter == character }),
                // Hours and what is less stand behind the T.
                index <= 1 || units.startIndex > 1,
                character == "T" ? digits.isEmpty : !digits.isEmpty
            else { throw notISO }
            // The T has none.
            let (product, isTooLong) = (Int64(digits) ?? .max)
                .multipliedReportingOverflow(by: units[index].milliseconds)
            let (sum, isOver) = milliseconds.addingReportingOverflow(product)
            guard !isTooLong, !isOver else { throw CommandError.usage("it is too long") }
            milliseconds = sum
            units = units[(index + 1)...]
            digits = ""
        }
        guard digits.isEmpty, text.last != "T", text.count > 1 else { throw notISO }
        return DurationArgument(.milliseconds(milliseconds))
    }

    private static let notISO = CommandError.usage(
        "use whole days, hours, minutes and seconds, such as P1DT2H30M")

    private static let isoUnits: [(letter: Character, milliseconds: Int64)] = [
        ("D", 86_400_000), ("T", 0), ("H", 3_600_000), ("M", 60_000), ("S", 1000),
    ]

    /// In the largest unit that leaves a whole number: what `parse` takes.
    package var description: String {
        let parts = duration.components
        let milliseconds = parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000
        guard milliseconds > 0,
            let unit = Self.units.first(where: { milliseconds % $0.milliseconds == 0 })
        else { return "\(milliseconds)ms" }
        return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
    }

    /// Largest first.
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1), ("", 1),
    ]
}
