// A number of bytes as an option takes it: 512MiB, 2GiB, 1000000.

package struct ByteCountArgument: CustomStringConvertible, Sendable {
    package let byteCount: Int

    package init(_ byteCount: Int) { self.byteCount = byteCount }

    /// Throws a `CommandError` that says which forms there are; the parser puts it behind the name of the
    /// option.
    package static func parse(_ text: String) throws -> ByteCountArgument {
        let digits = text.prefix { ("0"..."9").contains($0) }
        let suffix = text.dropFirst(digits.count)
        guard let number = Int(digits), let unit = units.first(where: { $0.suffix == suffix })
        else {
            throw CommandError.usage(
                "use a whole number with a unit, such as 512MiB or 2GiB (a bare number is bytes)")
        }
        let (bytes, isTooLarge) = number.multipliedReportingOverflow(by: unit.bytes)
        guard !isTooLarge else { throw CommandError.usage("it is too large") }
        return ByteCountArgument(bytes)
    }

    package var description: String {
        let unit = Self.units.last { byteCount % $0.bytes == 0 && byteCount >= $0.bytes }
        return unit.map { "\(byteCount / $0.bytes)\($0.suffix)" } ?? "\(byteCount)"
    }

    private static let units: [(suffix: String, bytes: Int)] = [
        ("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
    ]
}
