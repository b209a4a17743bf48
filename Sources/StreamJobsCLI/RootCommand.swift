// The root of the command line: hands over to the commands and turns every end into an exit code, and every
// error into one sentence on standard error.

import ArgumentParser
import Glibc
import StreamJobs
import Synchronization

/// A command whose options are looked at together once the parser has taken all of them, so that an option
/// that there is not is told before what it leaves missing.
protocol CheckedCommand: ParsableCommand {
    /// Throws `ValidationError`.
    func check() throws
}

struct RootCommand: ParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: programName,
        abstract: "Runs stream jobs, with a commit log of its own.",
        usage: "\(programName) COMMAND [OPTIONS]",
        discussion: """
            Topics, records and state are in one data directory (--data DIR, ./data unless given).

              \(programName) topics create flights --partitions 4
              \(programName) produce flights --csv flights.csv.gz --key-columns origin,time_hour
              \(programName) run flight-delays --until-end
              \(programName) consume delays-by-day --from-beginning --until-end
            """,
        version: "\(programName) (StreamJobs \(version))",
        subcommands: [
            RunCommand.self, JobsCommand.self, TopicsCommand.self, ProduceCommand.self,
            ConsumeCommand.self, GroupsCommand.self, TransactionsCommand.self, StateCommand.self,
            CheckpointsCommand.self, LogCommand.self,
        ])

    /// The jobs of the program. Commands are made by the parser, which passes nothing on to them.
    static var jobs: [Job] { declaredJobs.withLock { $0 } }
    private static let declaredJobs = Mutex<[Job]>([])

    /// The name that the program was started by.
    static let programName =
        CommandLine.arguments.first?.split(separator: "/").last.map(String.init) ?? "jobrunner"

    static func runAndExit(jobs: [Job]) -> Never {
        StandardDescriptors.makeSafe()
        declaredJobs.withLock { $0 = jobs }
        var command = parseOrExit()
        do {
            try requireDistinctNames(jobs)
            try command.run()
            exit(withCode: 0)
        } catch  where exitCode(for: error) == .success {
            // Help is a command to the parser, and its text an error.
            exit(printing: fullMessage(for: error))
        } catch {
            exit(with: error)
        }
    }

    private static func parseOrExit() -> any ParsableCommand {
        let unknown = UsageError.unknownCommand(
            in: CommandLine.arguments.dropFirst(), program: programName, commands: commandNames)
        if let unknown { exit(with: CommandError.usage(unknown)) }
        do {
            let command = try parseAsRoot()
            check(command)
            return command
        } catch {
            let text = fullMessage(for: error)
            // Version and completion scripts are no errors.
            if exitCode(for: error) == .success { exit(printing: text) }
            let message = message(for: error)
            exit(with: CommandError.usage(UsageError.sentence(message: message, fullMessage: text)))
        }
    }

    private static func check(_ command: any ParsableCommand) {
        do {
            try (command as? any CheckedCommand)?.check()
        } catch {
            let help = "\(programName) \(path(of: type(of: command))) --help"
            exit(
                with: CommandError.usage(
                    UsageError.sentence(message: message(for: error), help: help)))
        }
    }

    /// What is typed for a command, such as "topics create".
    private static func path(of command: any ParsableCommand.Type) -> String {
        for parent in configuration.subcommands {
            let name = parent.configuration.commandName ?? ""
            if parent == command { return name }
            for child in parent.configuration.subcommands where child == command {
                return "\(name) \(child.configuration.commandName ?? "")"
            }
        }
        preconditionFailure("\(command) is no command")
    }

    /// The names of the commands, each with those of its own commands.
    private static var commandNames: [String: [String]] {
        var names: [String: [String]] = [:]
        for command in configuration.subcommands {
            let configuration = command.configuration
            names[configuration.commandName ?? ""] = configuration.subcommands.compactMap {
                $0.configuration.commandName
            }
        }
        return names
    }

    private static func requireDistinctNames(_ jobs: [Job]) throws {
        var names: Set<String> = []
        for job in jobs where !names.insert(job.name).inserted {
            throw CommandError(
                exitCode: ExitCodes.userCodeFailed,
                "this program has two jobs called '\(job.name)'; give one another name")
        }
    }

    private static func exit(printing text: String) -> Never {
        do {
            let output = OutputStream()
            output.write(text + "\n")
            try output.flush()
            exit(withCode: 0)
        } catch {
            exit(with: error)
        }
    }

    private static func exit(with error: any Error) -> Never {
        switch error {
        case let stopped as Stopped: exit(withCode: stopped.exitCode)
        case is ReaderGone: exit(withCode: 0)
        default:
            StandardError.write(line: "error: \(error)")
            exit(withCode: ExitCodes.code(of: error))
        }
    }

    private static func exit(withCode code: Int32) -> Never {
        StandardError.erase()
        Glibc.exit(code)
    }
}
