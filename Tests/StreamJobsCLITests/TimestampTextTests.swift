// Timestamps as text and the calendar behind them, against Foundation.

import Foundation
import StreamJobsCLI
import StreamJobsLog
import TestSupport
import Testing

struct TimestampTextTests {
    private func milliseconds(_ text: String) -> Int64? {
        TimestampText.parse(text.utf8)?.milliseconds
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2013-01-01T10:00:00Z", 1_357_034_400_000),
            ("2013-01-01t10:00:00z", 1_357_034_400_000), ("2013-01-01 10:00:00", 1_357_034_400_000),
            ("2013-01-01T10:00", 1_357_034_400_000), ("2013-01-01", 1_356_998_400_000),
            ("2013-01-01T12:00:00+02:00", 1_357_034_400_000),
            ("2013-01-01T12:00:00+0200", 1_357_034_400_000),
            ("2013-01-01T12:00:00+02", 1_357_034_400_000),
            ("2013-01-01T04:30:00-05:30", 1_357_034_400_000),
            ("2013-01-01T10:00:00.5Z", 1_357_034_400_500),
            ("2013-01-01T10:00:00.123999Z", 1_357_034_400_123),
            ("2013-01-01T10:00:00,025Z", 1_357_034_400_025),
            ("2013-01-01 10:00:00.001", 1_357_034_400_001), ("1969-12-31T23:59:59.999Z", -1),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000), ("2000-02-29", 951_782_400_000),
            ("0000-01-01", -62_167_219_200_000), ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
            ("0", 0), ("1357034400000", 1_357_034_400_000), ("-1", -1), ("20130101", 20_130_101),
            ("9223372036854775807", .max), ("-9223372036854775808", .min),
        ] as [(String, Int64)])
    func `is a timestamp`(text: String, expected: Int64) {
        #expect(milliseconds(text) == expected)
    }

    @Test(arguments: [
        "", " ", "soon", "NA", "2013-1-1", "2013-13-01", "2013-00-01", "2013-01-00", "2013-01-32",
        "2013-02-29", "1900-02-29", "2013-04-31", "2013-01-01T", "2013-01-01T10",
        "2013-01-01T24:00:00Z",
        "2013-01-01T10:60:00Z", "2013-01-01T10:00:61Z", "2013-01-01T10:00:00.Z",
        "2013-01-01T10:00:00ZZ",
        "2013-01-01T10:00:00Z ", " 2013-01-01", "2013-01-01T10:00:00+2", "2013-01-01T10:00:00+02:",
        "2013-01-01T10:00:00+24:00", "2013-01-01T10:00:00+02:60", "2013-01-01T10:00:00 +02:00",
        "2013-01-01Z", "+5", "1.5", "1e3", "--1", "9223372036854775808", "٣", "01/02/2013",
        "2013-01-01T1٣:00:00Z",
    ])
    func `is no timestamp`(text: String) { #expect(milliseconds(text) == nil) }

    @Test func `reads what Foundation writes`() throws {
        var generator = SeededGenerator.seeded()
        for _ in 0..<2000 {
            let zone = try #require(
                TimeZone(secondsFromGMT: 60 * .random(in: -840...840, using: &generator)))
            // Before 1583 Foundation's calendar is the Julian one.
            let expected = Int64.random(
                in: -12_212_553_600_000...253_402_214_400_000, using: &generator)
            let date = Date(timeIntervalSince1970: Double(expected) / 1000)
            let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true, timeZone: zone)
            let text = date.formatted(style)
            let found = try #require(milliseconds(text), "\(text)")
            // Foundation keeps seconds as a double, and cuts: it may be a millisecond less.
            #expect(abs(found - expected) <= 1, "\(text)")
        }
    }

    @Test func `every day of six centuries is one behind the day before`() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(secondsFromGMT: 0))
        var expected = -719_528  // 0000-01-01
        for year in -400...2400 {
            for month in 1...12 {
                for day in 1...CivilDate.days(inMonth: month, of: year) {
                    let found = CivilDate.daysSinceEpoch(year: year, month: month, day: day)
                    if year >= 0 {
                        guard found == expected else {
                            Issue.record("\(year)-\(month)-\(day) is \(found), not \(expected)")
                            return
                        }
                        expected += 1
                    }
                }
            }
        }
        for year in stride(from: 1600, through: 9900, by: 37) {
            let date = try #require(
                calendar.date(from: DateComponents(year: year, month: 3, day: 1)))
            #expect(
                CivilDate.daysSinceEpoch(year: year, month: 3, day: 1)
                    == Int(date.timeIntervalSince1970) / 86_400)
            #expect(
                CivilDate.days(inMonth: 2, of: year)
                    == calendar.range(of: .day, in: .month, for: date - 86_400)?.count)
        }
    }
}
