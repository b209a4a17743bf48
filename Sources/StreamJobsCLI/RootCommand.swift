// The root of the command line: hands over to the commands and turns every error into one sentence.

import ArgumentParser
import Glibc
import LocalState
import StreamJobs
import StreamJobsLog

struct RootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: programName,
        abstract: "Runs stream jobs, with a commit log of its own.",
        discussion: """
            Topics, records and state live in one data directory (--data, ./data unless given).

              \(programName) topics create flights --partitions 4
              \(programName) produce flights --csv flights.csv.gz --key-columns origin,time_hour
              \(programName) run flight-delays --until-end
              \(programName) consume delays-by-day --from-beginning --until-end --json
            """,
        version: "0.1.0",
        subcommands: [
            RunCommand.self, JobsCommand.self, TopicsCommand.self, ProduceCommand.self,
            ConsumeCommand.self,
        ])

    // Set once by `JobRunner.main`, before any other thread is started.
    nonisolated(unsafe) static var jobs: [Job] = []

    /// The name that the program was started by.
    static let programName: String = {
        let path = CommandLine.arguments.first ?? "jobrunner"
        return path.split(separator: "/").last.map(String.init) ?? "jobrunner"
    }()

    static func runAndExit() -> Never {
        ProcessSetup.prepare()
        do {
            var command = try parseAsRoot()
            try command.run()
            try Standard.output.flush()
            Glibc.exit(0)
        } catch let error as ExitCode {
            Glibc.exit(error.rawValue)
        } catch {
            report(error)
        }
    }

    /// Help and version go to standard output; every error is one sentence on standard error.
    private static func report(_ error: any Error) -> Never {
        let fullMessage = fullMessage(for: error)
        if exitCode(for: error) == .success {
            do {
                try Standard.output.write(fullMessage + "\n")
                try Standard.output.flush()
            } catch { fail("\(error)", ExitCodes.code(of: error)) }
            Glibc.exit(0)
        }
        let isUsage = !isOurs(error)
        var message = isUsage ? Self.message(for: error) : "\(error)"
        if isUsage { message += usageHint(fullMessage) }
        fail(message, isUsage ? ExitCodes.usage : ExitCodes.code(of: error))
    }

    private static func fail(_ message: String, _ exitCode: Int32) -> Never {
        Standard.note("error: \(message)\n")
        Glibc.exit(exitCode)
    }

    private static func isOurs(_ error: any Error) -> Bool {
        error is CommandError || error is LogError || error is StateError || error is JobError
    }

    /// The last line of the parser's own message names the command to ask for help.
    private static func usageHint(_ fullMessage: String) -> String {
        let hint = fullMessage.split(separator: "\n").last { $0.contains("--help") }
        return hint.map { "; " + $0.trimmed().lowercasedFirst() } ?? ""
    }
}

extension Substring {
    fileprivate func trimmed() -> String { String(drop { $0 == " " }) }
}

extension String {
    fileprivate func lowercasedFirst() -> String { prefix(1).lowercased() + dropFirst() }
}
