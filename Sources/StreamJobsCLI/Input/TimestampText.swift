// Timestamps as text: RFC 3339 and its looser relatives, or milliseconds since 1970.

import StreamJobsLog

enum TimestampText {
    /// `2013-01-01T10:00:00Z`, with an offset (`+02:00`) or none (UTC), with a fraction, with a space for
    /// the T, a date alone, or an integer of milliseconds. Nil for anything else.
    static func parse(_ text: some Collection<UInt8>) -> Timestamp? {
        let bytes = Array(text)
        if let number = Int64(String(decoding: bytes, as: UTF8.self)) {
            return Timestamp(milliseconds: number)
        }
        var scanner = Scanner(bytes: bytes[...])
        guard let year = scanner.digits(4), scanner.take("-"), let month = scanner.digits(2),
            scanner.take("-"), let day = scanner.digits(2), (1...12).contains(month),
            (1...daysIn(month, of: year)).contains(day)
        else { return nil }
        var milliseconds = daysSinceEpoch(year, month, day) * 86_400_000
        if !scanner.isAtEnd {
            guard scanner.take("T") || scanner.take("t") || scanner.take(" "),
                let time = scanner.timeOfDay(), let offset = scanner.offset()
            else { return nil }
            milliseconds += time - offset
        }
        guard scanner.isAtEnd else { return nil }
        return Timestamp(milliseconds: milliseconds)
    }

    /// Days from 1970-01-01 in the proleptic Gregorian calendar.
    private static func daysSinceEpoch(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        // Years that begin in March put the leap day at their end.
        let shifted = month <= 2 ? year - 1 : year
        let monthFromMarch = (month + 9) % 12
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        // Rounded down, also for the months of the year 0 that count as year -1.
        let leapDays =
            (shifted >> 2) - (shifted < 0 ? -1 : shifted / 100)
            + (shifted < 0 ? -1 : shifted / 400)
        return shifted * 365 + leapDays + dayOfYear - 719_468
    }

    private static func daysIn(_ month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private struct Scanner {
        var bytes: ArraySlice<UInt8>

        var isAtEnd: Bool { bytes.isEmpty }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard bytes.first == UInt8(ascii: character) else { return false }
            bytes.removeFirst()
            return true
        }

        mutating func digits(_ count: Int) -> Int64? {
            guard bytes.count >= count else { return nil }
            var number: Int64 = 0
            for byte in bytes.prefix(count) {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                number = number * 10 + Int64(byte - UInt8(ascii: "0"))
            }
            bytes = bytes.dropFirst(count)
            return number
        }

        /// Milliseconds: hours and minutes, seconds and a fraction if there are any.
        mutating func timeOfDay() -> Int64? {
            guard let hour = digits(2), hour < 24, take(":"), let minute = digits(2), minute < 60
            else { return nil }
            var milliseconds = (hour * 60 + minute) * 60_000
            guard take(":") else { return milliseconds }
            guard let second = digits(2), second < 60 else { return nil }
            milliseconds += second * 1000
            guard take(".") else { return milliseconds }
            var unit: Int64 = 100
            var count = 0
            while let digit = digits(1) {
                milliseconds += digit * unit
                unit /= 10
                count += 1
            }
            return count > 0 ? milliseconds : nil
        }

        /// Milliseconds east of UTC.
        mutating func offset() -> Int64? {
            if isAtEnd || take("Z") || take("z") { return 0 }
            let sign: Int64 = bytes.first == UInt8(ascii: "-") ? -1 : 1
            guard take("+") || take("-"), let hours = digits(2), hours < 24 else { return nil }
            _ = take(":")
            guard let minutes = isAtEnd ? 0 : digits(2), minutes < 60 else { return nil }
            return sign * (hours * 60 + minutes) * 60_000
        }
    }
}
