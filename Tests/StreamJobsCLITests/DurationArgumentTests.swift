// Durations on the command line: a whole number and a unit.

import Testing

@testable import StreamJobsCLI

struct DurationArgumentTests {
    @Test(
        "durations",
        arguments: [
            ("200ms", .milliseconds(200)), ("30s", .seconds(30)), ("5m", .seconds(300)),
            ("2h", .seconds(7200)), ("7d", .seconds(604_800)), ("0", .zero),
            ("1500", .milliseconds(1500)),
            ("0s", .zero), ("007s", .seconds(7)),
            ("106751991167d", .milliseconds(9_223_372_036_828_800_000)),
            ("9223372036854775807", .milliseconds(Int64.max)),
        ] as [(String, Duration)])
    func parses(_ text: String, _ expected: Duration) {
        #expect(DurationArgument(argument: text)?.duration == expected)
    }

    @Test(
        "no durations",
        arguments: [
            "", "ms", "s", "-1", "-5s", "1.5s", "5 s", " 5s", "5s ", "5S", "5min", "5sec", "1h30m",
            "1e3",
            "5w", "5us", "0x5s", "５s", "9223372036854775808", "106751991168d",
            "9223372036854775807s",
        ])
    func refuses(_ text: String) { #expect(DurationArgument(argument: text) == nil) }

    @Test func `the default is shown as a duration that is read back`() throws {
        let shown = DurationArgument(.milliseconds(200)).defaultValueDescription
        #expect(shown == "200ms")
        #expect(DurationArgument(argument: shown)?.duration == .milliseconds(200))
    }
}
