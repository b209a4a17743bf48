// A whole program in one line: `@main struct MyJobs: JobRunner { static let jobs = [...] }`.

public import StreamJobs

/// A command line for some jobs: runs them, looks after their topics, and writes and reads records.
///
/// ```swift
/// @main struct MyJobs: JobRunner {
///     static let jobs = [Job("flight-enricher", FlightEnricher.self)]
/// }
/// ```
public protocol JobRunner {
    /// The jobs that `run` knows, in the order in which `jobs` lists them. No two have one name.
    static var jobs: [Job] { get }
}

extension JobRunner {
    /// Reads the arguments, does what they say and ends the process with the exit code that tells how it
    /// went (`ExitCodes.swift`). To be called from the main thread before any other is started: signals
    /// are blocked in all of them.
    public static func main() {
        RootCommand.runAndExit(jobs: jobs)
    }
}
