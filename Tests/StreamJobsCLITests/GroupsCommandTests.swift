// `groups`, `consume --group` and `transactions` as a user sees them.

import TestSupport
import Testing

struct GroupsCommandTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// A topic of one partition with the values 1 to 10, then `script`.
    private func run(_ script: String) async throws -> Shell {
        try await Shell.run(
            """
            jobrunner topics create t > created
            seq 10 | jobrunner produce t 2> progress
            \(script)
            """, in: directory)
    }

    @Test func `a group goes on where it has committed`() async throws {
        let shell = try await run(
            """
            jobrunner consume t --group g --from-beginning --max-messages 3
            jobrunner groups describe g --json | grep -o '"offset":[0-9]*'
            jobrunner consume t --group g --until-end | tr '\\n' ' '
            jobrunner consume t --group g --until-end --from-beginning | wc -l
            jobrunner consume t --group new --until-end | wc -l
            jobrunner groups list --json
            """)
        #expect(
            shell.lines == [
                "1", "2", "3", #""offset":3"#, "4 5 6 7 8 9 10 0", "0",
                #"{"group":"g","state":"Empty","members":0,"protocol_type":"consumer"}"#,
                #"{"group":"new","state":"Empty","members":0,"protocol_type":"consumer"}"#,
            ])
        #expect(shell.errors == "")
    }

    @Test func `a group that begins at the end reads what comes between two runs`() async throws {
        let shell = try await run(
            """
            jobrunner consume t --group g --until-end
            seq 11 12 | jobrunner produce t 2>> progress
            jobrunner consume t --group g --until-end
            """)
        #expect(shell.lines == ["11", "12"])
        #expect(shell.errors == "")
    }

    @Test func `what the reader did not take is not committed`() async throws {
        let shell = try await run(
            """
            jobrunner consume t --group g --from-beginning --until-end > /dev/full 2> error; echo $?
            jobrunner consume t --group g --from-beginning --until-end | head -1
            """)
        #expect(shell.lines == ["74", "1"])
    }

    @Test(
        "offsets are moved where they are asked to be",
        arguments: [
            ("--to-earliest", 0), ("--to-latest", 10), ("--to-offset 4", 4),
            ("--to-offset 99", 10), ("--to-current", 8), ("--shift-by -2", 6), ("--shift-by 1", 9),
            ("--to-datetime 2013-01-01T00:00:00Z", 0), ("--by-duration 1h", 0),
            ("--by-duration P1DT2H", 0), ("--topic t:0 --to-offset 5", 5),
            ("--all-topics --to-offset 5", 5),
        ])
    func reset(_ target: String, _ offset: Int) async throws {
        let shell = try await run(
            """
            jobrunner consume t --group g --from-beginning --max-messages 8 > consumed
            jobrunner groups reset-offsets g \(target)
            jobrunner groups describe g --json | grep -o '"offset":[0-9]*'
            jobrunner groups reset-offsets g \(target) --execute --json
            jobrunner groups describe g --json | grep -o '"offset":[0-9]*'
            """)
        #expect(
            shell.lines == [
                "topic  partition  from  to",
                "t              0     8  " + (offset > 9 ? "" : " ") + "\(offset)",
                #""offset":8"#,
                #"{"topic":"t","partition":0,"from":8,"to":\#(offset),"executed":true}"#,
                #""offset":\#(offset)"#,
            ])
        #expect(shell.errors == "nothing was moved; --execute moves these offsets\n")
    }

    @Test func `groups are named as in Kafka's tools`() async throws {
        let shell = try await run(
            """
            jobrunner consume t --group g --from-beginning --max-messages 3 > consumed
            jobrunner groups describe --group g --json | grep -o '"offset":[0-9]*'
            jobrunner groups describe --all-groups --json | grep -o '"offset":[0-9]*'
            jobrunner groups reset-offsets --group g --topic t --to-offset 5 --execute --json
            jobrunner groups reset-offsets --group new --topic t --to-current --execute --json
            jobrunner groups delete-offsets --group g --topic t
            jobrunner groups delete --group g --group new
            """)
        #expect(
            shell.lines == [
                #""offset":3"#, #""offset":3"#,
                #"{"topic":"t","partition":0,"from":3,"to":5,"executed":true}"#,
                #"{"topic":"t","partition":0,"from":null,"to":10,"executed":true}"#,
                "forgot the offset of t-0", "deleted g", "deleted new",
            ])
        #expect(shell.errors == "")
    }

    @Test func `groups and their offsets are deleted`() async throws {
        let shell = try await run(
            """
            jobrunner consume t --group g --from-beginning --until-end > consumed
            jobrunner groups delete-offsets g --topic t
            jobrunner groups describe g
            jobrunner consume t --group g --from-beginning --until-end | wc -l
            jobrunner groups delete g g --json
            jobrunner groups list
            """)
        #expect(
            shell.lines == [
                "forgot the offset of t-0", "g  Empty, 0 members",
                "  topic  partition  offset  end  lag  member", "10",
                #"{"group":"g","deleted":true}"#, #"{"group":"g","deleted":true}"#,
            ])
        #expect(shell.status == 0 && shell.errors == "")
    }

    @Test(
        "what cannot be is told in a sentence",
        arguments: [
            ("groups delete", 64, "error: name the groups once: as arguments or with --group"),
            ("groups delete g --group g", 64, "error: name the groups once: "),
            ("groups describe g --all-groups", 64, "error: --all-groups is all of them"),
            ("groups reset-offsets --to-latest", 64, "error: name the group once: as the first"),
            ("groups delete-offsets g --group g --topic t", 64, "error: name the group once: "),
            ("groups delete g none", 66, "error: there is no consumer group 'none'"),
            (
                "groups reset-offsets none --to-earliest", 66,
                "error: there is no consumer group 'none' in ./data; name the topics"
            ),
            ("groups reset-offsets g --to-offset -1", 64, "error: --to-offset is not negative"),
            ("groups reset-offsets g", 64, "error: give one of --to-earliest, --to-latest,"),
            ("groups reset-offsets g --to-latest --shift-by 1", 64, "error: give one of"),
            ("groups reset-offsets g --to-datetime noon", 64, "error: --to-datetime is a time"),
            ("groups reset-offsets g --to-earliest --topic u", 66, "error: there is no topic 'u'"),
            ("groups reset-offsets g --to-earliest --topic t:7", 66, "error: the topic 't' has no"),
            ("groups reset-offsets g --to-earliest --topic t:x", 64, "error: the value 't:x' is"),
            ("groups reset-offsets g --by-duration P5M", 64, "error: the value 'P5M' is invalid"),
            ("consume t --group g --offset 5", 64, "error: --group chooses offsets and partitions"),
            ("transactions abort x", 66, "error: "),
            ("transactions abort", 64, "error: give a transactional id or --producer-id"),
        ])
    func refusals(_ arguments: String, _ status: Int32, _ sentence: String) async throws {
        let shell = try await run(
            """
            jobrunner consume t --group g --from-beginning --until-end > consumed
            jobrunner \(arguments); status=$?
            jobrunner groups describe g --json | grep -c '"offset":10,'
            exit $status
            """)
        shell.expectRefusal(status, sentence, output: ["1"])
    }

    @Test func `groups are looked at while another process owns the directory`() async throws {
        let shell = try await run(
            """
            jobrunner consume t --group g --from-beginning --max-messages 8 > consumed
            mkfifo input
            jobrunner produce t < input 2>> progress & owner=$!
            exec 3> input
            echo 11 >&3
            jobrunner consume t --offset 10 --max-messages 1
            jobrunner groups list
            jobrunner groups describe g
            jobrunner groups reset-offsets g --shift-by -1 --json
            jobrunner consume t --group g; echo $?
            jobrunner groups reset-offsets g --to-earliest --execute; echo $?
            echo "owner $owner" >&2
            exec 3>&-
            wait $owner
            """)
        #expect(
            shell.lines == [
                "11", "group  state  members", "g      Empty        0", "g  Empty, 0 members",
                "  topic  partition  offset  end  lag  member",
                "  t              0       8   11    3       -",
                #"{"topic":"t","partition":0,"from":8,"to":7,"executed":false}"#, "75", "75",
            ])
        let errors = shell.errors.split(separator: "\n")
        let owner = try #require(errors.last?.dropFirst("owner ".count))
        #expect(
            errors.dropLast() == [
                "nothing was moved; --execute moves these offsets",
                "error: the data directory ./data is in use by process \(owner); stop it first, since "
                    + "--group commits offsets, or leave out --group to read beside it",
                "error: the data directory ./data is in use by process \(owner); stop it first",
            ])
    }

    @Test func `a transaction that is aborted by its id names its producer`() async throws {
        let shell = try await run(
            """
            mkfifo input
            jobrunner produce t --transactional-id x < input & owner=$!
            exec 3> input
            # More than a transaction gathers in memory: the first part is written.
            seq 1000000 >&3
            until jobrunner transactions list --open | grep -q x; do :; done
            kill -KILL $owner
            wait $owner
            jobrunner transactions list --open --json | grep -o '"producer_id":[0-9]*'
            jobrunner transactions abort x --json
            """)
        let producer = try #require(shell.lines.first)
        #expect(producer.hasPrefix(#""producer_id":"#))
        #expect(shell.lines.last == #"{"transactional_id":"x",\#(producer),"aborted":true}"#)
    }

    @Test func `transactions are whole, and one that a stop has cut short is not seen`()
        async throws
    {
        let shell = try await run(
            """
            seq 11 20 | jobrunner produce t --transactional-id x --transaction-size 4 2>> progress
            jobrunner consume t --offset 10 --until-end | tr '\\n' ' '; echo
            mkfifo input
            jobrunner produce t --transactional-id x --json < input > report & owner=$!
            exec 3> input
            # More than a transaction gathers in memory: the first part is written.
            seq 1000000 >&3
            until jobrunner consume t --isolation read_uncommitted --offset -1 -e | grep -q .; do :; done
            kill -INT $owner
            wait $owner; echo $?
            exec 3>&-
            jobrunner consume t --offset 10 --until-end | wc -l
            jobrunner transactions list | sed 's/  */ /g'
            jobrunner transactions list --open --json | wc -l
            jobrunner transactions describe x --json | grep -o '"state":"[A-Za-z]*"'
            """)
        #expect(
            shell.lines.prefix(3) == ["11 12 13 14 15 16 17 18 19 20 ", "130", "10"],
            "\(shell.output)")
        #expect(shell.lines.contains("transactional id producer epoch state age partitions"))
        #expect(shell.lines.suffix(2).first == "0")
        #expect(shell.lines.last?.hasPrefix(#""state":"Complete"#) == true)
    }
}
