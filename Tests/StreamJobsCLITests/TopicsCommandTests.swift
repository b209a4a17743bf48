// `topics` as a user sees it: the built program on a directory of its own.

import TestSupport
import Testing

struct TopicsCommandTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func run(_ script: String) async throws -> Shell {
        try await Shell.run(script, in: directory)
    }

    @Test func `a topic is made with settings, described, changed and deleted`() async throws {
        let shell = try await run(
            """
            set -e
            jobrunner topics create t --partitions 2 --config retention.ms=5000 \\
                --config cleanup.policy=compact,delete
            printf 'a:1\\nb:2\\nc:3\\n' | jobrunner produce t --key-separator : 2> progress
            jobrunner topics describe t | sed 's/  id .*//; s/ *[0-9]* *1$//'
            jobrunner topics alter t --partitions 3 --delete-config retention.ms \\
                --config segment.bytes=1048576
            jobrunner topics delete t
            jobrunner topics list
            """)
        #expect(
            shell.lines == [
                "created t with 2 partitions in ./data",
                "t  2 partitions",
                "  cleanup.policy=compact,delete",
                "  retention.ms=5000",
                "  partition  start  last stable  flushed  end  bytes  segments",
                "          0      0            3        3    3",
                "          1      0            0        0    0",
                "t  3 partitions",
                "  cleanup.policy=compact,delete",
                "  segment.bytes=1048576",
                "deleted t",
            ])
        #expect(shell.status == 0 && shell.errors == "", "\(shell.errors)")
    }

    @Test func `topics are named as in Kafka's tools`() async throws {
        let shell = try await run(
            """
            set -e
            jobrunner topics create --topic t
            jobrunner topics create -t u > created
            jobrunner topics alter --topic t --add-config cleanup.policy=[compact,delete],retention.ms=9
            jobrunner topics alter --topic t --delete-config cleanup.policy,retention.ms
            echo x | jobrunner produce t 2> progress
            jobrunner topics delete-records --topic t --partition 0 --before 1
            jobrunner topics describe --topic t,u --json | cut -d, -f1
            jobrunner topics delete --topic t --topic u
            """)
        #expect(
            shell.lines == [
                "created t with 1 partition in ./data",
                "t  1 partition", "  cleanup.policy=compact,delete", "  retention.ms=9",
                "t  1 partition", "t-0 begins at offset 1", #"{"topic":"t""#, #"{"topic":"u""#,
                "deleted t", "deleted u",
            ])
        #expect(shell.status == 0 && shell.errors == "", "\(shell.errors)")
    }

    @Test func `every command of topics prints JSON, one object a line`() async throws {
        let shell = try await run(
            """
            set -e
            jobrunner topics create t --json | sed 's/"id":"[^"]*"/ID/'
            echo x | jobrunner produce t 2> progress
            jobrunner topics create t --if-not-exists --json | sed 's/"id":"[^"]*"/ID/'
            jobrunner topics alter t --config retention.ms=-1 --config segment.bytes=1048576 --json
            jobrunner topics describe --json | sed 's/"id":"[^"]*"/ID/; s/"bytes":[0-9]*/BYTES/'
            jobrunner topics delete-records t --partition 0 --before end --json
            jobrunner topics list --json | sed 's/"id":"[^"]*"/ID/'
            jobrunner topics delete t t u --if-exists --json
            """)
        #expect(
            shell.lines == [
                #"{"topic":"t","partitions":1,ID,"created":true}"#,
                #"{"topic":"t","partitions":1,ID,"created":false}"#,
                #"{"topic":"t","partitions":1,"settings":{"segment.bytes":"1048576"}}"#,
                #"{"topic":"t",ID,"internal":false,"settings":{"segment.bytes":"1048576"},"#
                    + #""partitions":[{"partition":0,"start":0,"last_stable":1,"flushed":1,"end":1,"#
                    + #"BYTES,"segments":1,"leader_epoch":0,"open_transactions":0}]}"#,
                #"{"topic":"t","partition":0,"start":1}"#,
                #"{"topic":"t","partitions":1,"internal":false,ID}"#,
                #"{"topic":"t","deleted":true}"#, #"{"topic":"t","deleted":true}"#,
                #"{"topic":"u","deleted":false}"#,
            ])
        #expect(shell.status == 0 && shell.errors == "")
    }

    @Test func `deleted records are gone, and the others keep their offsets`() async throws {
        _ = try directory.file(
            "offsets.json",
            Array(#"{"partitions":[{"topic":"t","partition":0,"offset":3}],"version":1}"#.utf8))
        let shell = try await run(
            """
            jobrunner topics create t > created
            seq 5 | jobrunner produce t 2> progress
            jobrunner topics delete-records t --partition 0 --before 2
            jobrunner consume t --from-beginning --until-end | head -1
            jobrunner topics delete-records --offset-json-file offsets.json
            jobrunner consume t --from-beginning --until-end --json | cut -d, -f3
            """)
        #expect(
            shell.lines == [
                "t-0 begins at offset 2", "3", "t-0 begins at offset 3", #""offset":3"#,
                #""offset":4"#,
            ])
    }

    @Test func `what was deleted before an error is told as well`() async throws {
        let cuts = [3, 9].map { #"{"topic":"t","partition":0,"offset":\#($0)}"# }
        _ = try directory.file(
            "offsets.json", Array(#"{"partitions":[\#(cuts.joined(separator: ","))]}"#.utf8))
        let shell = try await run(
            """
            jobrunner topics create t > created
            seq 5 | jobrunner produce t 2> progress
            jobrunner topics delete-records --offset-json-file offsets.json
            """)
        shell.expectRefusal(
            65, "error: offset 9 of t-0 is beyond its last stable offset 5",
            output: ["t-0 begins at offset 3"])
    }

    @Test(
        "what cannot be is told in a sentence, and nothing is changed",
        arguments: [
            (
                "create u --config retention.hours=1", 64,
                "error: there is no setting 'retention.hours'; there are: "
            ),
            (
                "create u --config segment.bytes=1", 64,
                "error: '1' is no value for segment.bytes, which takes a number from 1048576 to "
            ),
            ("create u --config retention.ms", 64, "error: the value 'retention.ms' is invalid"),
            ("describe u", 66, "error: there is no topic 'u' in ./data; there are: t\n"),
            ("alter t", 64, "error: there is nothing to change: "),
            ("alter --topic t --nonsense 1", 64, "error: unknown option '--nonsense'"),
            ("create u --topic u", 64, "error: name the topic once: as the first argument or with"),
            ("create", 64, "error: name the topic once: "),
            ("delete", 64, "error: name the topics once: as arguments or with --topic"),
            ("describe t --topic t", 64, "error: name the topics once: "),
            ("delete --topic t,", 64, "error: '' is no topic name"),
            ("delete-records t --topic t --partition 0 --before 0", 64, "error: name the topic"),
            (
                "alter t --add-config cleanup.policy=compact,delete", 64,
                "error: the value 'cleanup.policy=compact,delete' is invalid"
            ),
            ("alter t --add-config cleanup.policy=[compact", 64, "error: the value"),
            (
                "alter t --partitions 1", 64,
                "error: the topic 't' has 2 partitions; it can be given more, not 1"
            ),
            ("alter t --partitions 3 --config a=b", 64, "error: there is no setting 'a'"),
            ("alter t --config a=b --delete-config a", 64, "error: --config and --delete-config"),
            ("alter __own --config a=b", 66, "error: there is no topic '__own'"),
            ("delete t u", 66, "error: there is no topic 'u' in ./data"),
            (
                "delete-records t --partition 2 --before 0", 66,
                "error: the topic 't' has no partition 2; it has 0 to 1"
            ),
            (
                "delete-records t --partition 0 --before 7", 65,
                "error: offset 7 of t-0 is beyond its last stable offset 0"
            ),
            ("delete-records t --partition 0", 64, "error: give a topic with --partition and"),
            (
                "delete-records t --partition 0 --before x", 64,
                "error: --before is an offset, 'end'"
            ),
            ("delete-records --offset-json-file none", 66, "error: there is no file none"),
            (
                "delete-records --offset-json-file bad.json", 65,
                "error: bad.json does not name offsets as "
            ),
        ])
    func refusals(_ arguments: String, _ status: Int32, _ sentence: String) async throws {
        _ = try directory.file("bad.json", Array("{}".utf8))
        let shell = try await run(
            """
            jobrunner topics create t --partitions 2 > created
            jobrunner topics describe t --all > before
            jobrunner topics \(arguments); status=$?
            jobrunner topics describe t --all | diff before -
            jobrunner topics list
            exit $status
            """)
        shell.expectRefusal(status, sentence, output: ["t  2 partitions"])
    }

    @Test func `a topic of a job is not changed by hand`() async throws {
        let shell = try await run(
            """
            for topic in planes weather flights; do jobrunner topics create $topic > created; done
            jobrunner run flight-delays --until-end 2> progress
            topic=$(jobrunner topics list | grep internal | head -1 | cut -d' ' -f1)
            jobrunner topics alter $topic --partitions 9; echo $?
            jobrunner topics delete $topic; echo $?
            jobrunner topics list --exclude-internal | grep -c internal
            """)
        #expect(shell.lines == ["64", "64", "0"])
        #expect(
            shell.errors.contains("belongs to the log or to a job; it cannot be changed by hand"))
        #expect(
            shell.errors.contains("belongs to the log or to a job; it cannot be deleted by hand"))
    }
}
