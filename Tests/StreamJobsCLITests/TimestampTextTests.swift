// Timestamps as text, against known values and Foundation's reader of ISO 8601.

import Foundation
import StreamJobsLog
import TestSupport
import Testing

@testable import StreamJobsCLI

struct TimestampTextTests {
    private func milliseconds(_ text: String) -> Int64? {
        TimestampText.parse(Array(text.utf8))?.milliseconds
    }

    // The seconds are those of `date -u -d ... +%s`.
    @Test(
        "known times",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59.999Z", -1),
            ("2013-01-01T10:00:00Z", 1_357_034_400_000),
            ("2013-01-01t10:00:00z", 1_357_034_400_000),
            ("2013-01-01 10:00:00", 1_357_034_400_000), ("2013-01-01T10:00", 1_357_034_400_000),
            ("2013-01-01", 1_356_998_400_000), ("2013-01-01T12:00:00+02:00", 1_357_034_400_000),
            ("2013-01-01T04:30:00-0530", 1_357_034_400_000),
            ("2013-01-01T12:00+02", 1_357_034_400_000),
            ("2013-01-01T10:00:00.5Z", 1_357_034_400_500),
            ("2013-01-01T10:00:00.1239Z", 1_357_034_400_123),
            ("2000-02-29T00:00:00Z", 951_782_400_000), ("2012-02-29", 1_330_473_600_000),
            ("0000-03-01", -62_162_035_200_000), ("0001-01-01", -62_135_596_800_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
            ("0", 0), ("-1", -1), ("1357034400000", 1_357_034_400_000),
        ] as [(String, Int64)])
    func known(_ text: String, _ expected: Int64) { #expect(milliseconds(text) == expected) }

    @Test(
        "no times",
        arguments: [
            "", "NA", "abc", "2013-1-1", "2013-13-01", "2013-00-01", "2013-01-00", "2013-01-32",
            "2013-04-31", "2013-02-29", "1900-02-29", "2100-02-29", "2013-01-01T", "2013-01-01T10",
            "2013-01-01T24:00:00Z", "2013-01-01T10:60:00Z", "2013-01-01T10:00:60Z",
            "2013-01-01T10:00:00.Z",
            "2013-01-01T10:00:00ZZ", "2013-01-01T10:00:00+", "2013-01-01T10:00:00+1",
            "2013-01-01T10:00:00+24:00",
            "2013-01-01T10:00:00+02:60", "2013-01-01T10:00:00 Z", " 2013-01-01", "2013-01-01 ",
            "2013/01/01",
            "01.02.2013", "1.5", "1e3", "9223372036854775808", "２０１３-01-01",
            "2013-01-01T10:00:00Z\n",
        ])
    func none(_ text: String) { #expect(milliseconds(text) == nil) }

    @Test func `any second of a thousand years is what Foundation says`() {
        var generator = SeededGenerator.seeded()
        let formatter = ISO8601DateFormatter()
        for _ in 0..<500 {
            // From 1600, in the Gregorian calendar, to 2600.
            let seconds = Int64.random(in: -11_676_096_000...19_880_899_200, using: &generator)
            let offset = Int.random(in: -14 * 60...14 * 60, using: &generator) * 60
            formatter.timeZone = TimeZone(secondsFromGMT: offset)
            let text = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
            #expect(milliseconds(text) == seconds * 1000, "\(text)")
        }
    }
}
