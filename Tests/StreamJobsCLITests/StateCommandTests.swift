// `state` and `checkpoints` through the built program, beside a running job and without one.

import Foundation
import TestSupport
import Testing

struct StateCommandTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Three planes in the state of a job that has run.
    private static let prepare = """
        for topic in flights weather planes; do jobrunner topics create $topic >> log; done
        planes() {
            for plane in $*; do printf '%s:{"manufacturer":"of %s"}\\n' $plane $plane; done |
                jobrunner produce planes --property parse.key=true --property key.separator=: 2>> log
        }
        planes N1 N2 N30
        jobrunner run flight-delays --until-end 2>> log

        """

    private func run(_ script: String) async throws -> Shell {
        let prologue = "trap 'jobs=$(jobs -p); [[ -z $jobs ]] || kill -KILL $jobs' EXIT\n"
        return try await Shell.run(prologue + Self.prepare + script, in: directory)
    }

    @Test func `keys are shown as JSON, in order, from bounds and with prefixes`() async throws {
        let shell = try await run(
            """
            jobrunner state get flight-delays manufacturers N2
            jobrunner state scan flight-delays manufacturers --from N2
            jobrunner state scan flight-delays manufacturers --prefix N3 --reverse
            jobrunner state scan flight-delays manufacturers --limit 1 --json
            jobrunner state count flight-delays manufacturers
            """)
        #expect(
            shell.lines.prefix(4) == [
                "\"of N2\"", "\"N2\"\t\"of N2\"", "\"N30\"\t\"of N30\"",
                "\"N30\"\t\"of N30\"",
            ])
        #expect(
            shell.lines.dropFirst(4).first?.hasSuffix("\"key\":\"N1\",\"value\":\"of N1\"}") == true
        )
        #expect(shell.lines.last == "3")
    }

    @Test func `what is not there is told with what is near`() async throws {
        let shell = try await run(
            """
            jobrunner state get flight-delay manufacturers N1; echo $?
            jobrunner state get flight-delays manufacturer N1; echo $?
            jobrunner state get flight-delays manufacturers N25; echo $?
            """)
        #expect(shell.lines == ["66", "66", "66"])
        #expect(shell.errors.contains("there are: flight-delays"))
        #expect(shell.errors.contains("conditions, delays, manufacturers"))
        #expect(shell.errors.contains("the nearest are \"N2\" and \"N30\""))
    }

    @Test func `a backup of a running job is whole and can be put back`() async throws {
        let shell = try await run(
            """
            jobrunner run flight-delays 2>> log & job=$!
            until jobrunner checkpoints show flight-delays | grep -q 'flight-delays: running'; do :; done
            jobrunner state backup flight-delays --to backup >> log; echo $?
            jobrunner state restore flight-delays --from backup; echo $?
            kill -TERM $job; wait $job
            jobrunner state verify --directory backup; echo $?
            rm -r data/state/flight-delays/*
            jobrunner state restore flight-delays --from backup >> log; echo $?
            jobrunner state count flight-delays manufacturers
            planes N4
            jobrunner run flight-delays --until-end 2>> log; echo $?
            jobrunner state restore flight-delays --from backup; echo $?
            jobrunner state count flight-delays manufacturers
            """)
        #expect(shell.lines == ["0", "75", "0", "0", "3", "0", "65", "4"], "\(shell.errors)")
        #expect(shell.errors.contains("is older than the log"))
    }

    @Test func `a position that is moved back is read again`() async throws {
        let shell = try await run(
            """
            jobrunner checkpoints set flight-delays --topic planes --partition 0 --shift-by -2 --dry-run >> log
            jobrunner checkpoints show flight-delays | grep planes | tr -s ' '
            jobrunner checkpoints set flight-delays --topic planes --partition 0 --shift-by -2 >> log; echo $?
            jobrunner checkpoints show flight-delays | grep planes | tr -s ' '
            jobrunner run flight-delays --until-end; echo $?
            jobrunner checkpoints set flight-delays --topic plane --partition 0 --to-latest; echo $?
            """)
        #expect(shell.lines == [" planes 0 - 3 0 3 0", "0", " planes 0 - 1 0 3 2", "0", "66"])
        #expect(shell.errors.contains("flight-delays: 2 records"))
        #expect(shell.errors.contains("2 offsets will be read again"))
    }

    @Test func `a backup that was damaged, and a directory that is taken, are refused`()
        async throws
    {
        let shell = try await run(
            """
            jobrunner state backup flight-delays --to backup >> log; echo $?
            jobrunner state backup flight-delays --to backup; echo $?
            printf x | dd of=backup/FlightEnricher-0/data.mdb bs=1 seek=9000 conv=notrunc 2>> log
            jobrunner state restore flight-delays --from backup; echo $?
            jobrunner state count flight-delays manufacturers
            """)
        #expect(shell.lines == ["0", "65", "65", "3"])
        #expect(shell.errors.contains("its checksum does not match"))
    }
}
