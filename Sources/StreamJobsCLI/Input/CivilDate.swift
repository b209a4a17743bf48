// Dates of the proleptic Gregorian calendar as days: the arithmetic, without a time zone.

package enum CivilDate {
    /// Days from 1970-01-01 to a date that exists; negative before it.
    package static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int {
        precondition((1...12).contains(month) && (1...31).contains(day))
        // In years that begin in March the leap day is the last one, and the lengths of the months
        // before a month are (153 * months + 2) / 5, whatever the year.
        let year = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        let leapDays = floor(year, by: 4) - floor(year, by: 100) + floor(year, by: 400)
        // 719,468 days from 0000-03-01 to 1970-01-01.
        return year * 365 + leapDays + dayOfYear - 719_468
    }

    package static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func isLeap(_ year: Int) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    /// Rounded down, where `/` rounds towards zero.
    private static func floor(_ number: Int, by divisor: Int) -> Int {
        number >= 0 ? number / divisor : -((divisor - 1 - number) / divisor)
    }
}
