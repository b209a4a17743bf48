// What ends a command from outside: signals, a reader that does not read, files that may not grow.

import Foundation
import TestSupport
import Testing

struct StopTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// What is left in the background is ended.
    private func run(_ script: String) async throws -> Shell {
        let prologue = """
            trap 'jobs=$(jobs -p); [[ -z $jobs ]] || kill -KILL $jobs' EXIT
            jobrunner topics create t > created

            """
        return try await Shell.run(prologue + script, in: directory)
    }

    @Test("a consumer whose reader does not read still ends", arguments: ["INT", "TERM"])
    func blocked(signal: String) async throws {
        let shell = try await run(
            """
            yes 'a line that fills the pipe' | head -50000 | jobrunner produce t 2> progress
            mkfifo fifo
            jobrunner consume t --from-beginning > fifo & consumer=$!
            exec 4< fifo
            read -r line <&4
            kill -\(signal) $consumer
            wait $consumer; echo $?
            """)
        #expect(shell.lines == [signal == "INT" ? "130" : "0"])
        #expect(shell.errors == "")
    }

    @Test("a producer that waits for input keeps what it was given", arguments: ["INT", "TERM"])
    func producer(signal: String) async throws {
        let shell = try await run(
            #"""
            mkfifo fifo
            jobrunner produce t < fifo & producer=$!
            exec 3> fifo
            printf 'typed\nnot whole' >&3
            jobrunner consume t --from-beginning --max-messages 1
            kill -\#(signal) $producer
            wait $producer; echo $?
            jobrunner consume t --from-beginning --until-end
            jobrunner topics create u
            """#)
        #expect(
            shell.lines == [
                "typed", signal == "INT" ? "130" : "0", "typed",
                "created u with 1 partition in ./data",
            ])
        #expect(shell.errors.hasPrefix("1 record to t in "))
        #expect(shell.errors.hasSuffix(", stopped\n"))
    }

    @Test func `SIGTERM before the end of a file says that it is not done`() async throws {
        let shell = try await run(
            """
            mkfifo fifo
            jobrunner produce t fifo 2> progress & producer=$!
            exec 3> fifo
            echo one >&3
            jobrunner consume t --from-beginning --max-messages 1
            kill -TERM $producer
            wait $producer; echo $?
            """)
        #expect(shell.lines == ["one", "143"])
    }

    @Test func `SIGTERM before the last of so many records says that it is not done`() async throws
    {
        let shell = try await run(
            """
            echo one | jobrunner produce t 2> progress
            mkfifo fifo
            jobrunner consume t --from-beginning --max-messages 2 > fifo & consumer=$!
            exec 4< fifo
            read -r line <&4
            kill -TERM $consumer
            wait $consumer; echo "$line $?"
            """)
        #expect(shell.lines == ["one 143"])
    }

    @Test(
        "SIGTERM that aborts a transaction says so",
        arguments: [("", 143), ("--transaction-size 1", 0)])
    func transaction(option: String, status: Int) async throws {
        let shell = try await run(
            """
            mkfifo fifo
            jobrunner produce t --transactional-id x \(option) < fifo 2> progress & producer=$!
            exec 3> fifo
            echo one >&3
            until jobrunner transactions list 2> error | grep -q x; do :; done
            kill -TERM $producer
            wait $producer; echo $?
            """)
        #expect(shell.lines == ["\(status)"])
    }

    @Test func `SIGQUIT ends at once`() async throws {
        let shell = try await run(
            """
            mkfifo fifo
            ulimit -c 0
            echo one | jobrunner produce t 2> progress
            env --default-signal=QUIT jobrunner consume t --from-beginning > fifo & consumer=$!
            exec 4< fifo
            read -r line <&4
            kill -QUIT $consumer
            wait $consumer; echo $?
            """)
        #expect(shell.lines == ["131"])
    }

    @Test func `what is typed is there before more is typed`() async throws {
        let shell = try await run(
            """
            mkfifo fifo
            jobrunner produce t < fifo 2> progress &
            exec 3> fifo
            echo one >&3
            jobrunner consume t --from-beginning --max-messages 1
            echo two >&3
            jobrunner consume t --from-beginning --max-messages 2
            """)
        #expect(shell.lines == ["one", "one", "two"])
    }

    @Test("a live run commits and ends", arguments: [("INT", 130), ("TERM", 0)])
    func live(signal: String, status: Int) async throws {
        let shell = try await run(
            """
            for topic in flights weather planes; do jobrunner topics create $topic >> created; done
            jobrunner run flight-delays --threads 2 2> progress & run=$!
            # Its topics come with the job.
            until jobrunner topics list | grep -q delays-by-day; do :; done
            kill -\(signal) $run
            wait $run; echo $?
            jobrunner run flight-delays --until-end 2> again; echo $?
            """)
        #expect(shell.lines == ["\(status)", "0"])
        #expect(try directory.text("progress").hasPrefix("flight-delays: 0 records in "))
    }

    @Test func `a file that may not grow ends produce with what is written`() async throws {
        let shell = try await run(
            """
            (ulimit -f 1024; seq 1 200000 | env --default-signal=XFSZ jobrunner produce t); echo $?
            jobrunner consume t --from-beginning --until-end > records
            wc -l < records
            cmp records <(seq 1 200000 | head -n $(wc -l < records)) && echo whole
            """)
        let count = shell.lines.dropFirst().first ?? ""
        #expect(shell.lines == ["74", count, "whole"])
        #expect(shell.errors.contains("File too large"))
        #expect(shell.errors.contains("; only \(count) of the "), "\(shell.errors)")
    }

    @Test func `standard output that is closed is an error`() async throws {
        let shell = try await run(
            """
            echo x | jobrunner produce t 2> progress
            jobrunner consume t --from-beginning --until-end >&-; echo $?
            """)
        #expect(shell.lines == ["74"])
        #expect(shell.errors == "error: could not write to standard output: Bad file descriptor\n")
    }
}
