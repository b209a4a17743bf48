import StreamJobsCLI
import Testing

struct DurationArgumentTests {
    @Test(
        arguments: [
            ("200ms", .milliseconds(200)), ("30s", .seconds(30)), ("5m", .seconds(300)),
            ("2h", .seconds(7200)), ("7d", .seconds(604_800)), ("1500", .milliseconds(1500)),
            ("0", .zero), ("0ms", .zero), ("007s", .seconds(7)),
            ("9223372036854775807", .milliseconds(Int64.max)), ("P1D", .seconds(86_400)),
            ("PT2H", .seconds(7200)), ("PT90M", .seconds(5400)), ("P1DT2H3M4S", .seconds(93_784)),
            ("PT0S", .zero), ("PT9223372036854775S", .seconds(9_223_372_036_854_775)),
        ] as [(String, Duration)])
    func `is a duration`(text: String, expected: Duration) throws {
        #expect(try DurationArgument.parse(text).duration == expected)
    }

    @Test(arguments: [
        "", "s", "ms", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ", "1S", "1min", "1w", "1e3", "٣s",
        "9223372036854775808", "9223372036854775807d", "P", "PT", "P1", "PT1", "P1H", "P5M", "PT1D",
        "PT1M1H", "PT1H1H", "P1DT", "P-1D", "PT1.5S", "1H", "P1Y", "PT9223372036854776S",
        "PT99999999999999999999S", "P106751991167DT8H",
    ])
    func `is no duration`(text: String) {
        let message = message(exitCode: 64) { _ = try DurationArgument.parse(text) }
        let sentences = ["200ms, 30s, 5m, 2h or 7d", "P1DT2H30M", "it is too long"]
        #expect(sentences.contains { message.contains($0) }, "\(message)")
    }

    @Test(arguments: ["0ms", "1ms", "200ms", "1s", "90s", "2m", "2h", "36h", "7d"])
    func `is written as it is read`(text: String) throws {
        #expect(try DurationArgument.parse(text).description == text)
    }
}
