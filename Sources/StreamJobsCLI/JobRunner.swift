// A whole program in one line: `@main struct MyJobs: JobRunner { static let jobs = [...] }`.

import ArgumentParser
public import StreamJobs

/// A command line for some jobs: run them, and look after their topics.
public protocol JobRunner {
    static var jobs: [Job] { get }
}

extension JobRunner {
    /// Reads the arguments, runs the command and ends the process with its exit code (`ExitCodes.swift`).
    public static func main() {
        RootCommand.jobs = Self.jobs
        RootCommand.runAndExit()
    }
}
