// What a user sees of the built program when something is wrong: one sentence and an exit code, and
// nothing on standard output.

import TestSupport
import Testing

struct ErrorSentenceTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test(
        "one sentence and an exit code",
        arguments: [
            (
                "run nosuch", 66, "error: there is no job 'nosuch'; there are: flight-delays"
            ),
            (
                "consume nosuch", 66,
                "error: there is no topic 'nosuch' in ./data; there are: t; "
                    + "make it with 'topics create nosuch --partitions N'"
            ),
            (
                "produce nosuch", 66,
                "error: there is no topic 'nosuch' in ./data; there are: t; "
                    + "make it with 'topics create nosuch --partitions N'"
            ),
            (
                "run flight-delays", 66,
                "error: the job 'flight-delays' reads the topic 'planes', which is not there; make it with "
                    + "'topics create planes --partitions N'"
            ),
            (
                "topics list --data none", 66,
                "error: none is no data directory; "
                    + "give one with --data, or make it with 'topics create'"
            ),
            ("produce t --csv none.csv", 66, "error: there is no file none.csv"),
            ("produce t --csv .", 66, "error: . is a directory, not a file"),
            ("topics create t", 64, "error: the topic 't' exists already, with 2 partitions"),
            (
                "topics create 'a b'", 64,
                "error: 'a b' is no topic name: use 1 to 249 of the characters a-z A-Z 0-9 . _ -"
            ),
            (
                "topics create " + String(repeating: "x", count: 250), 64,
                "error: a topic's name has 1 to 249 characters, not 250"
            ),
            (
                "topics delete nosuch", 66,
                "error: there is no topic 'nosuch' in ./data; there are: t"
            ),
            (
                "topics describe __x", 66,
                "error: there is no topic '__x' in ./data; the log or a job makes it when it first needs it"
            ),
            (
                "consume ''", 64,
                "error: '' is no topic name: use 1 to 249 of the characters a-z A-Z 0-9 . _ -"
            ),
            (
                "consume -t nosuch", 66,
                "error: there is no topic 'nosuch' in ./data; there are: t; make it with 'topics create nosuch --partitions N'"
            ),
            ("consume t -p 2", 66, "error: the topic 't' has no partition 2; it has 0 to 1"),
            (
                "groups reset-offsets '' --to-latest --topic t", 64,
                "error: the name of a group has 1 to 249 bytes, not 0"
            ),
            (
                "groups describe g", 66,
                "error: there is no consumer group 'g' in ./data; 'groups list' names those that there are"
            ),
            (
                "transactions describe x", 66,
                "error: there is no transactional id 'x' in ./data; 'transactions list' names those that there are"
            ),
            (
                "transactions abort --producer-id 7", 66,
                "error: producer 7 has no transaction open; 'transactions list --open' shows those that there are"
            ),
            ("log dump data/t-0", 66, "error: data/t-0 is a directory, not a file"),
            (
                "log dump --data two.csv --topic t", 66,
                "error: two.csv is no data directory; give one with --data, or make it with 'topics create'"
            ),
            ("topics create u --data two.csv", 66, "error: two.csv is a file, not a directory"),
            (
                "topics create u --partitions 0", 64,
                "error: a topic has 1 to 10000 partitions, not 0"
            ),
            (
                "produce t --csv two.csv --key-columns a,c", 65,
                "error: two.csv has no column 'c'; it has a, b"
            ),
            (
                "produce t --csv short.csv", 65,
                "error: short.csv line 3: 1 field where the first line has 2 columns"
            ),
            (
                "produce t --csv two.csv --timestamp-column b", 65,
                "error: two.csv line 2: 'x' in the column 'b' is no timestamp (use 2013-01-01T10:00:00Z or "
                    + "milliseconds)"
            ),
        ])
    func sentence(_ arguments: String, _ status: Int32, _ sentence: String) async throws {
        _ = try directory.file("two.csv", Array("a,b\n1,x\n".utf8))
        _ = try directory.file("short.csv", Array("a,b\n1,2\n3\n".utf8))
        let made = try await Shell.run("jobrunner topics create t --partitions 2", in: directory)
        #expect(made.output == "created t with 2 partitions in ./data\n")
        let shell = try await Shell.run("jobrunner \(arguments)", in: directory)
        #expect(shell.status == status)
        #expect(shell.errors == sentence + "\n")
        #expect(shell.output == "")
        // Nothing was written, and nothing is in the way of what comes next.
        let after = try await Shell.run(
            "jobrunner consume t --from-beginning --until-end; echo x | jobrunner produce t",
            in: directory)
        #expect(after.status == 0 && after.output == "")
    }

    @Test(
        "wrong usage names the help of the command",
        arguments: [
            ("bogus", "jobrunner --help"), ("run", "jobrunner run --help"),
            ("run flight-delays --threads 0", "jobrunner run --help"),
            ("run flight-delays --commit-interval 5parsecs", "jobrunner run --help"),
            ("consume t --from-begining", "jobrunner consume --help"),
            ("consume t --max-messages=-1", "jobrunner consume --help"),
            ("produce t --key-columns a", "jobrunner produce --help"),
            ("produce", "jobrunner produce --help"), ("produce t ''", "jobrunner produce --help"),
            ("produce t u -t t", "jobrunner produce --help"),
            ("consume t -t t", "jobrunner consume --help"),
            ("produce t --csv f --key-separator :", "jobrunner produce --help"),
            ("produce t --csv f --sort", "jobrunner produce --help"),
            ("produce t --key-separator ''", "jobrunner produce --help"),
            ("topics create t --partitions many", "jobrunner topics create --help"),
        ])
    func usage(_ arguments: String, _ help: String) async throws {
        let shell = try await Shell.run("jobrunner \(arguments)", in: directory)
        shell.expectRefusal(64, "error: ")
        #expect(shell.errors.hasSuffix("; see '\(help)'\n"), "\(shell.errors)")
    }

    @Test func `a mistyped data directory is not made`() async throws {
        let shell = try await Shell.run(
            """
            for command in 'run flight-delays' 'produce t' 'consume t' 'topics list'; do
                jobrunner $command --data mistyped 2>> errors; echo $?
            done
            test -e mistyped || echo none
            """, in: directory)
        #expect(shell.lines == ["66", "66", "66", "66", "none"])
    }

    @Test func `help and version go to standard output`() async throws {
        let shell = try await Shell.run(
            """
            for command in '' run consume produce jobs topics log groups transactions \
                topics\\ {create,list,describe,alter,delete,delete-records} log\\ {dump,verify} \
                groups\\ {list,describe,reset-offsets,delete-offsets,delete} \
                transactions\\ {list,describe,abort}; do
                jobrunner $command --help || echo failed: $command
            done
            jobrunner --version
            """, in: directory)
        #expect(shell.status == 0 && shell.errors == "")
        #expect(shell.lines.count { $0.hasPrefix("USAGE: jobrunner") } == 25)
        #expect(!shell.output.contains("failed"))
        // The synopsis is wrapped by the parser, at a width of its own.
        let isSynopsis = { (line: String) in
            line.hasPrefix("USAGE:") || line.hasPrefix("           [")
        }
        let tooLong = shell.lines.filter { $0.count > 80 && !isSynopsis($0) }
        #expect(tooLong == [])
    }

    @Test func `a directory in use is told with its owner's pid, and reading goes on`() async throws
    {
        let shell = try await Shell.run(
            """
            jobrunner topics create t > created
            mkfifo input
            jobrunner produce t < input 2> owner-errors & owner=$!
            exec 3> input
            echo one >&3
            # Waits until the owner has written.
            jobrunner consume t --from-beginning --max-messages 1
            for command in 'produce t' 'topics create u' 'run flight-delays'; do
                jobrunner $command 2>> errors; echo $?
            done
            exec 3>&-
            wait $owner; echo $?
            sort -u errors
            echo "error: the data directory ./data is in use by process $owner; stop it first"
            echo two | jobrunner produce t; echo $?
            """, in: directory)
        #expect(shell.lines.count == 8)
        #expect(shell.lines.prefix(5) == ["one", "75", "75", "75", "0"])
        #expect(shell.lines.dropFirst(5).first == shell.lines.dropFirst(6).first)
        #expect(shell.lines.last == "0")
    }

    @Test func `no permission is told, and nothing is changed`() async throws {
        // Root may do everything, so another user tries, with the program where that user finds it.
        let shell = try await Shell.run(
            """
            jobrunner topics create t > created
            cp "$(type -P jobrunner)" .
            other=''
            if ((EUID == 0)); then
                other='setpriv --reuid=65534 --regid=65534 --clear-groups'
                chmod 755 .
            else
                chmod -w data data/.lock
            fi
            for command in 'produce t' 'topics create u' 'run flight-delays'; do
                $other ./jobrunner $command; echo $?
            done
            $other ./jobrunner consume t --from-beginning --until-end; echo $?
            chmod u+w data data/.lock
            jobrunner topics list
            """, in: directory)
        #expect(shell.lines == ["77", "77", "77", "0", "t  1 partition"])
        #expect(shell.errors.split(separator: "\n").count == 3)
        #expect(
            shell.errors.split(separator: "\n").allSatisfy {
                $0.hasPrefix("error: no permission to ")
                    && $0.hasSuffix(
                        "; this command writes to ./data and needs permission for it, those that only "
                            + "read do not")
            })
    }

    @Test func `a damaged gzip file is told`() async throws {
        let shell = try await Shell.run(
            """
            jobrunner topics create t > created
            seq 1000 | gzip | head -c -5 > f.csv.gz
            jobrunner produce t --csv f.csv.gz
            """, in: directory)
        #expect(shell.status == 65)
        #expect(shell.errors.hasPrefix("error: f.csv.gz is damaged: "))
    }
}
