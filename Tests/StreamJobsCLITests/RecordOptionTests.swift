// What `produce` and `consume` can be told: formats, offsets, partitions, headers, codecs.

import StreamJobsCLI
import StreamJobsLog
import TestSupport
import Testing

struct RecordOptionTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// A topic of two partitions, then `script`. Lines that sum up what was sent are left out.
    private func run(_ script: String) async throws -> Shell {
        let shell = try await Shell.run(
            """
            jobrunner topics create t --partitions 2 > created
            \(script)
            """, in: directory)
        let errors = shell.errors.split(separator: "\n").filter {
            !$0.contains(" records to ") && !$0.contains(" record to ")
        }
        return Shell(
            status: shell.status, output: shell.output,
            errors: errors.map { $0 + "\n" }.joined())
    }

    @Test func `headers, keys and nulls go through produce and consume as they are`() async throws {
        _ = try directory.file(
            "lines", Array("a:1,b:\tk:v\n\t:\nn:NULL\tNULL:NULL\nx:y:z\tk:v:w\n".utf8))
        let shell = try await run(
            """
            options='--headers --key-separator : --null-marker NULL'
            jobrunner produce t lines $options --partition 0
            jobrunner consume t --from-beginning --until-end $options | cmp - lines
            jobrunner consume t --from-beginning --until-end --json | cut -d, -f5-
            """)
        #expect(
            shell.lines == [
                #""key":"k","value":"v","headers":[{"key":"a","value":"1"},{"key":"b","value":""}]}"#,
                #""key":"","value":"","headers":[]}"#,
                #""key":null,"value":null,"headers":[{"key":"n","value":null}]}"#,
                #""key":"k","value":"v:w","headers":[{"key":"x","value":"y:z"}]}"#,
            ])
        #expect(shell.status == 0 && shell.errors == "")
    }

    @Test func `Kafka's properties are understood`() async throws {
        let shell = try await run(
            """
            printf 'h=1;i=2|k>v\\n|k2>\\n' | jobrunner produce t -p 1 --property parse.key=true \\
                --property 'key.separator=>' --property parse.headers=true \\
                --property 'headers.delimiter=|' --property 'headers.separator=;' \\
                --property headers.key.separator==
            jobrunner consume t --from-beginning --until-end --property print.key=true \\
                --property print.headers=true --property print.partition=true \\
                --property print.offset=true --property key.separator=/
            """)
        #expect(
            shell.lines == [
                "Partition:1/Offset:0/h:1,i:2/k/v", "Partition:1/Offset:1/NO_HEADERS/k2/",
            ])
    }

    @Test func `a format prints what it names`() async throws {
        let shell = try await run(
            """
            printf 'k:v\\n' | jobrunner produce t -K : -p 1 --header a=b
            jobrunner consume t -o beginning -e -f '%t/%p/%o %k(%K)=%s(%S) %h %%\\t\\x41\\n'
            jobrunner consume t -o beginning -e -f '%T' | grep -cE '^[0-9]{13}$'
            """)
        #expect(shell.lines == ["t/1/0 k(1)=v(1) a=b %\tA", "1"])
    }

    @Test(
        "reading begins where it is told to",
        arguments: [
            ("--offset beginning", "0 1 2 3 4"), ("-o 3 -p 0", "3 4"), ("-o -2", "3 4"),
            ("-o -99", "0 1 2 3 4"), ("-o end", ""), ("-o s@2013-01-03", "2 3 4"),
            ("-o s@1357171200000", "2 3 4"), ("-o s@2999-01-01", ""),
            ("-o 1 -p 0 --max-messages 2", "1 2"), ("-o 1 -p 0 -c 0", ""),
            ("--from-beginning -p 0", "0 1 2 3 4"),
            ("--from-beginning -p 1", ""),
        ])
    func offsets(_ options: String, _ expected: String) async throws {
        _ = try directory.file(
            "days.csv",
            Array("day\n2013-01-01\n2013-01-02\n2013-01-03\n2013-01-04\n2013-01-05\n".utf8)
        )
        let shell = try await run(
            """
            jobrunner produce t --csv days.csv --timestamp-column day --partition 0
            jobrunner consume t \(options) --until-end --format '%o '
            """)
        #expect(shell.output.split(separator: " ").joined(separator: " ") == expected)
        #expect(shell.status == 0 && shell.errors == "")
    }

    @Test(
        "every codec and every kind of acks",
        arguments: [
            "--compression gzip", "-z snappy", "-z lz4", "-z zstd --acks all", "--acks 0",
            "--acks 1",
            "--acks written --linger 1ms", "--batch-size 200 --linger 5ms", "--rate 100000",
            "--acks -1", "--transactional-id x", "--transactional-id x -zgzip --acks all",
            "--transactional-id x --transaction-size 300 --batch-size 200 -z lz4",
        ])
    func sending(_ options: String) async throws {
        let shell = try await run(
            """
            seq 1000 | jobrunner produce t --partition 0 --json \(options) | sed 's/[0-9]*}$/}/'
            jobrunner consume t --from-beginning --until-end | cmp - <(seq 1000)
            jobrunner log verify 2> verified
            """)
        #expect(shell.output == #"{"topic":"t","records":1000,"dropped":0,"elapsed_ms":}"# + "\n")
        #expect(shell.status == 0 && shell.errors == "")
    }

    @Test func `a codec is what lies in the log`() async throws {
        let shell = try await run(
            """
            seq 1000 | jobrunner produce t --partition 0 --compression zstd
            seq 1000 | jobrunner produce t --partition 0 --compression gzip --transactional-id x
            jobrunner log dump --topic t --partition 0 | grep -o 'compresscodec: [a-z]*'
            """)
        #expect(
            shell.lines == ["compresscodec: zstd", "compresscodec: gzip", "compresscodec: none"])
    }

    @Test(
        "numbers below zero are values as kcat and Kafka have them",
        arguments: [
            ("consume t -o -2 -e", "4 5"), ("consume t --offset -2 -e -p 1", "4 5"),
            ("consume t -o-1 -e -p1", "5"), ("consume t -o beginning -e -p -1 -c2", "1 2"),
            ("consume t -o beginning -e --partition -1 -c 2", "1 2"),
            ("produce t lines -p -1 --acks -1 --key -k --json | cut -d, -f2", "\"records\":5"),
            ("topics delete-records t -p 1 --before -1", "t-1 begins at offset 5"),
            ("consume t -o beginning -e -c1 -K-", "null-1"),
        ])
    func negatives(_ arguments: String, _ expected: String) async throws {
        _ = try directory.file("lines", Array("1\n2\n3\n4\n5\n".utf8))
        let shell = try await run(
            """
            jobrunner produce t lines -p1
            jobrunner \(arguments)
            """)
        #expect(shell.lines.joined(separator: " ") == expected, "\(shell.errors)")
    }

    @Test(
        "what cannot be is told in a sentence",
        arguments: [
            ("consume t --offset 5 -e", 65, "error: offset 5 of t-0 is out of range"),
            ("consume t --offset noon", 64, "error: the value 'noon' is invalid"),
            ("consume t --partition 2 -e", 66, "error: the topic 't' has no partition 2"),
            ("consume t --from-beginning -o end", 64, "error: --from-beginning and --offset"),
            ("consume t --format %q", 64, "error: '%q' is no format"),
            ("consume t --format '\\q'", 64, "error: '\\q' has an escape other than"),
            ("consume t --json --format %s", 64, "error: --json, --format, --property,"),
            ("consume t --property print.all=true", 64, "error: 'print.all=true' is no property"),
            ("consume t --isolation none", 64, "error: the value 'none' is invalid"),
            ("produce t --acks 2", 64, "error: the value '2' is invalid for '--acks <acks>'"),
            ("produce t --compression brotli", 64, "error: the value 'brotli' is invalid"),
            ("produce t --batch-size 1", 64, "error: batch.size is 1"),
            ("produce t --rate 0", 64, "error: the value '0' is invalid"),
            ("produce t --partition 2", 66, "error: the topic 't' has no partition 2"),
            ("produce t --key k --key-separator :", 64, "error: --key is for lines without keys"),
            ("produce t --transaction-size 3", 64, "error: --transaction-size goes with"),
            ("produce t --transactional-id x --acks 0", 64, "error: --transactional-id goes with"),
            (
                "produce t --transactional-id x --linger 1s", 64,
                "error: --transactional-id goes with"
            ),
            ("produce t --transactional-id ''", 64, "error: --transactional-id is empty"),
            ("produce t --transactional-id x -p 2", 66, "error: the topic 't' has no partition 2;"),
            ("produce t --transactional-id x --batch-size 1", 64, "error: batch.size is 1"),
            ("produce t --partition -2", 64, "error: --partition is a number from 0, or -1"),
            ("consume t --partition -2", 64, "error: --partition is a number from 0, or -1"),
            ("consume t --max-messages -1", 64, "error: --max-messages is a number from 0"),
            ("run flight-delays --threads -1", 64, "error: --threads is at least 1, not -1"),
            ("run flight-delays --disorder -1h", 64, "error: the value '-1h' is invalid"),
            ("produce t --batch-size --json", 64, "error: the value '--json' is invalid"),
            ("topics alter t --partitions -1", 64, "error: a topic has 1 to"),
            ("transactions abort --producer-id -1", 64, "error: --producer-id is a number from 0"),
            ("topics delete-records t -p 0 --before -2", 64, "error: --before is an offset"),
            ("produce t --property parse=1", 64, "error: 'parse=1' is no property"),
        ])
    func refusals(_ arguments: String, _ status: Int32, _ sentence: String) async throws {
        try await run("jobrunner \(arguments)").expectRefusal(status, sentence)
    }

    @Test(
        "a record that the topic does not take is told by its line, and nothing is doubled",
        arguments: [
            ("c lines", "lines line 1: the record has no key, but", "", ""),
            ("c lines --acks 0", "lines line 1: the record has no key, but", "", ""),
            (
                "c lines -K: --null-marker n", "lines line 3: the record has no key, but",
                "; the 2 records before it are written", "1 2"
            ),
            (
                "c lines -K: --null-marker n --transactional-id x",
                "lines line 3: the record has no key, but",
                "; none of the 2 records before it is written", ""
            ),
            (
                "c --csv rows.csv --key-columns k", "rows.csv line 3: the record has no key, but",
                "", ""
            ),
            (
                "s lines -K:", "lines line 4: a record of ",
                "; the 3 records before it are written", "1 2 3"
            ),
            (
                "s lines -K: --transactional-id x --transaction-size 2",
                "lines line 4: a record of ",
                "; only 2 of the 3 records before it are written", "1 2"
            ),
            (
                "s lines -K, --transactional-id x", "lines line 1: there is no key separator ','",
                "", ""
            ),
        ])
    func refused(_ arguments: String, _ start: String, _ end: String, _ values: String) async throws
    {
        let long = String(repeating: "x", count: 300)
        _ = try directory.file("lines", Array("a:1\nb:2\nn:3\nc:\(long)\n".utf8))
        _ = try directory.file("rows.csv", Array("k,v\na,1\nNA,2\n".utf8))
        let shell = try await run(
            """
            jobrunner topics create c --config cleanup.policy=compact >> created
            jobrunner topics create s --config max.message.bytes=200 >> created
            jobrunner produce \(arguments); echo $?
            jobrunner consume \(arguments.prefix(1)) --from-beginning --until-end
            """)
        #expect(shell.lines.first == "65")
        #expect(shell.lines.dropFirst().joined(separator: " ") == values)
        #expect(shell.errors.hasPrefix("error: \(start)"), "\(shell.errors)")
        #expect(shell.errors.hasSuffix(end + "\n"), "\(shell.errors)")
        #expect(shell.errors.split(separator: "\n").count == 1)
    }

    @Test(
        "a line without what it must have is told by its number",
        arguments: [
            ("--headers", "there is no headers delimiter '\t'"),
            (
                "--property parse.headers=true --property headers.delimiter=a",
                "separator in a header"
            ),
        ])
    func lines(_ options: String, _ sentence: String) async throws {
        let shell = try await run("printf 'xay\\n' | jobrunner produce t \(options)")
        #expect(shell.status == 65)
        #expect(shell.errors.hasPrefix("error: standard input line 1: there is no "))
        #expect(shell.errors.contains(sentence), "\(shell.errors)")
    }

    @Test func `durations of ISO 8601 are whole days, hours, minutes and seconds`() throws {
        let texts = ["P1D", "PT2H", "P1DT2H30M5S", "PT90M"]
        let seconds = try texts.map { try DurationArgument.parse($0).duration.components.seconds }
        #expect(seconds == [86_400, 7200, 95_405, 5400])
        for wrong in ["P", "PT", "P1", "P1H", "PT1D", "P1M", "PT1H1H", "PTH", "P-1D", "P1.5D"] {
            #expect(throws: CommandError.self, "\(wrong)") { _ = try DurationArgument.parse(wrong) }
        }
    }
}
