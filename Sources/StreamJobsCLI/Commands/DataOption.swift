// `--data`: where topics, records and state are, and how each command opens them.

import ArgumentParser
import Glibc
import StreamJobsLog

struct DataOption: ParsableArguments {
    @Option(
        name: .customLong("data"),
        help: ArgumentHelp("The directory of topics, records and state.", valueName: "dir"))
    var directory = "./data"

    func validate() throws {
        if directory.isEmpty { throw ValidationError("--data names no directory") }
    }

    /// Reads beside a running owner.
    func openToRead() throws -> CommitLog { try open(as: .observer) }

    /// Runs `body` on the log as its owner, and closes it. The directory must be there unless it may be
    /// made: a mistyped one is not made by running a job in it.
    func withOwnedLog<R>(mayCreate: Bool = false, _ body: (CommitLog) throws -> R) throws -> R {
        if mayCreate { try refuseFile() } else { _ = try openToRead() }
        let log = try openToWrite()
        let result = Result { try body(log) }
        let closing = Result { try log.close() }
        let value = try result.get()
        // Where both have failed the first failure tells why; the next open recovers from either.
        try closing.get()
        return value
    }

    private func openToWrite() throws -> CommitLog {
        do {
            return try open(as: .owner)
        } catch let error as LogError where error.code == .permissionDenied {
            // Only where that is so: a directory that cannot be made cannot be read either.
            guard let _ = try? openToRead() else { throw error }
            throw LogError(
                error.code,
                "\(error.message); this command writes to \(directory) and needs permission for it, "
                    + "those that only read do not")
        }
    }

    /// Throws `notFound` where something else has the name of the directory.
    private func refuseFile() throws {
        var status = stat()
        guard stat(directory, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else { return }
        throw CommandError.notFound("\(directory) is a file, not a directory")
    }

    /// What the log tells goes to standard error.
    private func open(as access: CommitLog.Access) throws -> CommitLog {
        try CommitLog.open(directory, as: access) { StandardError.write(line: $0) }
    }

    /// The topic. Throws `notFound` naming those that there are; for a name that none can have, what is
    /// wrong with it.
    /// - Parameter mayBeMade: A topic that is not there may be what is missing: the sentence says how to
    ///   make it.
    func topic(_ name: String, in log: CommitLog, mayBeMade: Bool = false) throws -> Topic {
        do {
            return try log.topic(name)
        } catch let error as LogError where error.code == .noSuchTopic {
            try Topic.validate(name)
            var sentence = "there is no topic '\(name)' in \(directory)"
            guard !Topic.isReserved(name) else {
                throw CommandError.notFound(
                    sentence + "; the log or a job makes it when it first needs it")
            }
            let names = log.topics.filter { !$0.isInternal }.map(\.name)
            if let others = Suggestions.sentence(for: name, among: names, listedBy: "topics list") {
                sentence += "; \(others)"
            }
            if mayBeMade {
                sentence += "; make it with 'topics create \(name) --partitions N'"
            }
            throw CommandError.notFound(sentence)
        }
    }
}
