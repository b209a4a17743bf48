// Durations on the command line.

/// `200ms`, `30s`, `5m`, `2h`, `7d`; a bare number is milliseconds. Whole numbers that are not negative.
package struct DurationArgument: CustomStringConvertible, Sendable {
    package let duration: Duration

    package init(_ duration: Duration) { self.duration = duration }

    /// Throws a `CommandError` that says which forms there are; the parser puts it behind the name of the
    /// option.
    package static func parse(_ text: String) throws -> DurationArgument {
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
