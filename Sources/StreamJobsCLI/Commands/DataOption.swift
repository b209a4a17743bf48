import ArgumentParser
import StreamJobsLog

/// Where topics, records and state are.
struct DataOption: ParsableArguments {
    @Option(name: .customLong("data"), help: "The data directory.")
    var directory = "./data"

    func validate() throws {
        if directory.isEmpty { throw ValidationError("--data names no directory") }
    }

    func openToRead() throws -> CommitLog { try CommitLog.open(directory, as: .observer) }

    /// The directory must be there: a mistyped one is not made by running a job in it.
    func openToWrite() throws -> CommitLog {
        _ = try openToRead()
        return try CommitLog.open(directory, as: .owner)
    }

    func openOrCreate() throws -> CommitLog { try CommitLog.open(directory, as: .owner) }
}
