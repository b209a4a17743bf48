import ArgumentParser
import StreamJobsLog

/// Where topics, records and state are.
struct DataOption: ParsableArguments {
    @Option(name: .customLong("data"), help: "The data directory.")
    var directory = "./data"

    func openToWrite() throws -> CommitLog { try CommitLog.open(directory, as: .owner) }
    func openToRead() throws -> CommitLog { try CommitLog.open(directory, as: .observer) }
}
