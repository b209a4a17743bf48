// Sentences that are put together: progress, suggestions, wrong usage.

import StreamJobsCLI
import Testing

struct SentenceTests {
    @Test(
        arguments: [
            (0, nil, 0, "0 records, 0/s"), (1500, nil, 299.6, "1500 records, 300/s"),
            (0, 100, 0, "0 records, 0/s, 0 %"), (50, 150, 10, "50 records, 10/s, 25 %, 15 s left"),
            (999, 1, 100, "999 records, 100/s, 99 %, 1 s left"),
            (100, 0, 100, "100 records, 100/s, 100 %"), (0, 0, 0, "0 records, 0/s"),
        ] as [(Int, Int?, Double, String)])
    func `progress tells rate, part and time left`(
        done: Int, remaining: Int?, rate: Double, expected: String
    ) {
        let line = ProgressLine(what: "records", done: done, remaining: remaining, rate: rate)
        #expect(line.text == expected)
    }

    @Test(arguments: [
        (0.2, "1 s"), (59, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min"),
        (90_000, "1 d 1 h"), (1e12, "years"), (.infinity, "years"),
    ])
    func `time left has two units`(seconds: Double, expected: String) {
        #expect(ProgressLine.time(seconds: seconds) == expected)
    }

    @Test func `the rate is that of the last seconds`() {
        var window = RateWindow()
        #expect(window.add(0, at: .zero) == 0)
        #expect(window.add(100, at: .seconds(1)) == 100)
        #expect(window.add(200, at: .seconds(2)) == 100)
        var rate = 0.0
        for second in 3...20 { rate = window.add(200 + second, at: .seconds(second)) }
        #expect(rate == 1)
    }

    @Test func `a summary has a rate`() {
        #expect(
            ProgressLine.summary("records sent", done: 27_004, elapsed: .milliseconds(400))
                == "27004 records sent in 0.4 s (67510/s)")
        #expect(ProgressLine.summary("x", done: 0, elapsed: .zero) == "0 x in 0.0 s (0/s)")
    }

    @Test func `a wrong name is answered with those that there are`() {
        func sentence(_ name: String, _ names: [String]) -> String? {
            Suggestions.sentence(for: name, among: names, listedBy: "topics list")
        }
        #expect(sentence("x", []) == nil)
        #expect(sentence("fligt-delays", ["flight-delays"]) == "there are: flight-delays")
        let many = (10...40).map { "topic-\($0)" }
        #expect(
            sentence("topic-4x0", many) == "did you mean 'topic-40' or 'topic-10' or 'topic-20'")
        #expect(sentence("flights", many) == "'topics list' names the 31 that there are")
        #expect(sentence("", many) == "'topics list' names the 31 that there are")
    }

    @Test(arguments: [
        ("", "", 0), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("kitten", "sitting", 3),
        ("flights", "fligths", 2), ("a", "b", 1),
    ])
    func `the distance of names`(left: String, right: String, expected: Int) {
        #expect(Suggestions.distance(left, right) == expected)
    }

    @Test func `the parser's message becomes one sentence`() {
        #expect(
            UsageError.sentence(
                message: "Unknown option '--bat'. Did you mean '--bar'?",
                fullMessage: "Error: ...\nUsage: my-jobs run\n  See 'my-jobs run --help' for more.")
                == "unknown option '--bat' (did you mean '--bar'?); see 'my-jobs run --help'")
        #expect(
            UsageError.sentence(message: "One.\n   or: two.", fullMessage: "") == "one. or: two")
    }

    @Test(
        arguments: [
            (
                ["foo", "--data", "d"],
                "there is no command 'p foo'; there are: run, topics; see 'p --help'"
            ),
            (
                ["topics", "foo"],
                "there is no command 'p topics foo'; there are: create; see 'p topics --help'"
            ),
            (
                ["help", "topics", "foo"],
                "there is no command 'p topics foo'; there are: create; see 'p topics --help'"
            ),
            ([], nil), (["--help"], nil), (["help"], nil), (["help", "topics", "create"], nil),
            (["run", "foo"], nil),
            (["topics"], nil), (["topics", "--help"], nil), (["topics", "create", "x"], nil),
        ] as [([String], String?)])
    func `a wrong command is named with those that there are`(
        arguments: [String], expected: String?
    ) {
        let found = UsageError.unknownCommand(
            in: arguments[...], program: "p", commands: ["run": [], "topics": ["create"]])
        #expect(found == expected)
    }
}
