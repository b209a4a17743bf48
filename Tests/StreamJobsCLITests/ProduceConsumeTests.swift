// What is produced is consumed as it was: the built program, through a shell's pipes.

import Foundation
import TestSupport
import Testing

struct ProduceConsumeTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private struct Line: Decodable, Equatable {
        var key: String?
        var keyEncoding: String?
        var value: String?
        var valueEncoding: String?

        enum CodingKeys: String, CodingKey {
            case key, value
            case keyEncoding = "key_encoding"
            case valueEncoding = "value_encoding"
        }
    }

    /// Produces `input` to a new topic of one partition; gives what `consume --json` prints of it.
    private func roundTrip(_ input: [UInt8], _ options: String = "") async throws -> [Line] {
        _ = try directory.file("input", input)
        let shell = try await Shell.run(
            """
            set -e
            jobrunner topics create t > created
            jobrunner produce t \(options) < input 2> progress
            jobrunner consume t --from-beginning --until-end --json
            """, in: directory)
        #expect(shell.status == 0 && shell.errors == "")
        return try shell.lines.map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    @Test func `lines are values, empty ones too, and the last needs no end`() async throws {
        let lines = try await roundTrip(Array("a\n\nb\r\n\" \\\u{1}é\nlast".utf8))
        #expect(lines.map(\.value) == ["a", "", "b", "\" \\\u{1}é", "last"])
        #expect(lines.allSatisfy { $0.key == nil })
        #expect(try directory.text("progress").hasPrefix("5 records to t in "))
    }

    @Test func `an empty input is no record`() async throws {
        #expect(try await roundTrip([]) == [])
    }

    @Test(
        "the first separator ends the key",
        arguments: [
            (":", "a:b:c\n:x\ny:\n:\n", ["a", "", "y", ""], ["b:c", "x", "", ""]),
            ("'\\t'", "a\tb\tc\n", ["a"], ["b\tc"]),
            ("'::'", "a:b::c::d\n", ["a:b"], ["c::d"]),
            ("→", "a→b\n", ["a"], ["b"]),
            ("' '", "a b c\n", ["a"], ["b c"]),
        ] as [(String, String, [String], [String])])
    func separators(
        _ separator: String, _ input: String, _ keys: [String], _ values: [String]
    ) async throws {
        let lines = try await roundTrip(Array(input.utf8), "--key-separator \(separator)")
        #expect(lines.map(\.key) == keys)
        #expect(lines.map(\.value) == values)
    }

    @Test func `bytes that are no UTF-8 come as marked base64 and go through unchanged`()
        async throws
    {
        let lines = try await roundTrip(
            [0xff, 0x3a, 0xc3, 0x28, 0x0a, 0x6b, 0x3a, 0x00, 0x0a], "--key-separator :")
        #expect(
            lines == [
                Line(key: "/w==", keyEncoding: "base64", value: "wyg=", valueEncoding: "base64"),
                Line(key: "k", value: "\0"),
            ])
        let raw = try await Shell.run(
            "jobrunner consume t --from-beginning --until-end | cmp - <(printf '\\xc3(\\n\\0\\n')",
            in: directory)
        #expect(raw.status == 0, "\(raw.output)\(raw.errors)")
    }

    @Test func `random bytes come back as they went in`() async throws {
        var generator = SeededGenerator.seeded()
        var input: [UInt8] = []
        for _ in 0..<400 {
            // Neither end of line: the lines of a text are what a record holds.
            let line = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                UInt8.random(in: 14...255, using: &generator)
            }
            input += line + [10]
        }
        _ = try await roundTrip(input)
        let raw = try await Shell.run(
            "jobrunner consume t --from-beginning --until-end | cmp - input", in: directory)
        #expect(raw.status == 0, "\(raw.output)\(raw.errors)")
    }

    @Test func `a line without a separator is told, and the ones before it are kept`() async throws
    {
        let shell = try await Shell.run(
            """
            jobrunner topics create t > created
            printf 'a:1\\nb:2\\nnone\\nc:3\\n' | jobrunner produce t --key-separator :; echo $?
            jobrunner consume t --from-beginning --until-end
            """, in: directory)
        #expect(shell.lines == ["65", "1", "2"])
        #expect(
            shell.errors
                == "error: standard input line 3: there is no key separator ':'; the 2 records before it "
                + "are written\n")
    }

    @Test func `a record that is too large is told, and the ones before it are kept`() async throws
    {
        let shell = try await Shell.run(
            """
            jobrunner topics create t > created
            { echo small; head -c 1100000 /dev/zero | tr '\\0' x; echo; echo behind; } |
                jobrunner produce t; echo $?
            jobrunner consume t --from-beginning --until-end
            """, in: directory)
        #expect(shell.lines == ["65", "small"])
        #expect(shell.errors.hasPrefix("error: standard input line 2: a record of "))
        #expect(shell.errors.hasSuffix("; the record before it is written\n"))
    }

    @Test func `consume ends when nothing has come for so long, with and without a group`()
        async throws
    {
        let shell = try await Shell.run(
            """
            jobrunner topics create t > created
            seq 3 | jobrunner produce t 2> progress
            jobrunner consume t --from-beginning --timeout-ms 0 | wc -l
            jobrunner consume t --timeout-ms 100; echo $?
            jobrunner consume t --group g --from-beginning --timeout-ms 0 | wc -l
            jobrunner consume t --group g --timeout-ms 100; echo $?
            """, in: directory)
        #expect(shell.lines == ["3", "0", "3", "0"])
        #expect(shell.errors == "")
    }

    @Test func `a CSV with a broken row writes nothing`() async throws {
        _ = try directory.file("f.csv", Array("a,b\n1,2\n3,4\n5\n".utf8))
        let shell = try await Shell.run(
            """
            jobrunner topics create t > created
            jobrunner produce t --csv f.csv 2> errors; echo $?
            jobrunner consume t --from-beginning --until-end
            """, in: directory)
        #expect(shell.lines == ["65"])
    }

    @Test func `a CSV's rows are sent as JSON, sorted if asked for`() async throws {
        _ = try directory.file(
            "f.csv",
            Array("t,k,v\n2013-01-02,b,9E\n2013-01-01,\"x\"\"y\",01\n2013-01-02,NA,1.5\n".utf8))
        let shell = try await Shell.run(
            """
            set -e
            jobrunner topics create t > created
            jobrunner produce --sort --key-columns k,v t --csv f.csv --timestamp-column t 2> progress
            jobrunner consume --json t --until-end --from-beginning
            """, in: directory)
        let head = #"{"topic":"t","partition":0,"#
        #expect(
            shell.lines == [
                head + #""offset":0,"timestamp":1356998400000,"key":"x\"y|01","#
                    + #""value":"{\"t\":\"2013-01-01\",\"k\":\"x\\\"y\",\"v\":\"01\"}","headers":[]}"#,
                head + #""offset":1,"timestamp":1357084800000,"key":"b|9E","#
                    + #""value":"{\"t\":\"2013-01-02\",\"k\":\"b\",\"v\":\"9E\"}","headers":[]}"#,
                head + #""offset":2,"timestamp":1357084800000,"key":"|1.5","#
                    + #""value":"{\"t\":\"2013-01-02\",\"k\":null,\"v\":1.5}","headers":[]}"#,
            ])
    }

    @Test func `a reader that stops after a line ends consume silently`() async throws {
        let shell = try await Shell.run(
            """
            jobrunner topics create t > created
            seq 100000 | jobrunner produce t 2> progress
            jobrunner consume t --from-beginning --until-end | head -1
            echo "${PIPESTATUS[@]}"
            jobrunner consume t --from-beginning --json | head -1 > one
            echo "${PIPESTATUS[@]}"
            """, in: directory)
        #expect(shell.lines == ["1", "0 0", "0 0"])
        #expect(shell.errors == "")
    }

    @Test func `max-messages is a limit, and none is none`() async throws {
        let shell = try await Shell.run(
            """
            jobrunner topics create t > created
            seq 10 | jobrunner produce t 2> progress
            jobrunner consume t --from-beginning --max-messages 2
            jobrunner consume t --from-beginning --max-messages 0
            jobrunner consume t --from-beginning --max-messages 99 --until-end | wc -l
            jobrunner consume t --until-end
            """, in: directory)
        #expect(shell.lines == ["1", "2", "10"])
    }

    @Test(
        "a signal ends consume, and what came before is printed",
        arguments: [
            ("INT", 130), ("TERM", 0),
        ])
    func signals(_ name: String, _ status: Int) async throws {
        let shell = try await Shell.run(
            """
            jobrunner topics create t > created
            echo one | jobrunner produce t 2> progress
            mkfifo lines
            jobrunner consume t --from-beginning > lines & consumer=$!
            exec 3< lines
            read -r line <&3; echo "$line"
            kill -\(name) $consumer
            wait $consumer; echo $?
            """, in: directory)
        #expect(shell.lines == ["one", "\(status)"])
        #expect(shell.errors == "")
    }

    @Test func `closed standard descriptors do not send messages into the log`() async throws {
        let shell = try await Shell.run(
            """
            jobrunner topics create a > created
            echo kept | jobrunner produce a 2> progress
            jobrunner topics create b <&- >&- 2>&-
            jobrunner consume a --from-beginning --until-end
            """, in: directory)
        #expect(shell.lines == ["kept"])
    }

    @Test(arguments: [
        "consume t --from-beginning --until-end", "topics list", "jobs", "--help", "--version",
    ])
    func `output that cannot be written is an error`(_ arguments: String) async throws {
        let shell = try await Shell.run(
            """
            jobrunner topics create t > created
            echo x | jobrunner produce t 2> progress
            jobrunner \(arguments) > /dev/full
            """, in: directory)
        #expect(shell.status == 74)
        #expect(
            shell.errors == "error: the disk is full: could not write to standard output\n")
    }

    @Test func `a topic of a job takes no records of others`() async throws {
        let shell = try await Shell.run(
            """
            for topic in planes weather flights; do jobrunner topics create $topic > created; done
            jobrunner run flight-delays --until-end 2> progress
            echo x | jobrunner produce flight-delays-departures-by-day-repartition; echo $?
            echo x | jobrunner produce __commits-flight-delays; echo $?
            jobrunner topics create __mine; echo $?
            """, in: directory)
        #expect(shell.lines == ["64", "64", "64"])
        #expect(shell.errors.contains("belongs to the log or to a job"))
    }

    @Test func `consume ends when its reader has gone, also where nothing comes any more`()
        async throws
    {
        let shell = try await Shell.run(
            """
            jobrunner topics create t > created
            seq 2 | jobrunner produce t 2> progress
            jobrunner consume t --from-beginning | head -1
            """, in: directory)
        #expect(shell.lines == ["1"])
        #expect(shell.errors == "")
    }
}
