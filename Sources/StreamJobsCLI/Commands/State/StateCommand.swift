// `state`: what the stores of jobs hold. One file per command beside this one.

import ArgumentParser
import LocalState
import StreamJobs

struct StateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "state", abstract: "Shows, checks and copies the state of jobs.",
        discussion: """
            All of it works beside the running job, without its code: a task's state is read as its last \
            commit has left it. Keys and values are shown as JSON.

              \(RootCommand.programName) state list
              \(RootCommand.programName) state get flight-delays totals JFK
            """,
        subcommands: [
            List.self, Get.self, Scan.self, Count.self, Export.self, Verify.self, Backup.self,
            Restore.self, Rebuild.self,
        ])
}

/// Which states a command looks at.
struct StateOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "One task, by its number or its name. All tasks unless given.", valueName: "k"))
    var task: String?

    @Option(
        help: ArgumentHelp(
            "Reads the backup in that directory rather than the job's state.", valueName: "dir"))
    var directory: String?

    @OptionGroup var data: DataOption

    /// The states of a job. Throws `notFound` naming the jobs or tasks that there are.
    func states(of job: String) throws -> JobStates {
        if let directory {
            let states = try JobStates(job: job, directory: directory)
            guard !states.tasks.isEmpty else {
                throw CommandError.notFound("there is no state in \(directory)")
            }
            return states
        }
        return try Self.states(of: job, in: data)
    }

    /// The states of a job in a data directory. Throws `notFound` naming the jobs that there are.
    static func states(of job: String, in data: DataOption) throws -> JobStates {
        _ = try data.openToRead()
        let states = try JobStates(job: job, data: data.directory)
        guard states.tasks.isEmpty else { return states }
        let jobs = try JobStates.jobs(data: data.directory)
        let others = Suggestions.sentence(for: job, among: jobs, listedBy: "state list")
        throw CommandError.notFound(
            "there is no state of a job '\(job)' in \(data.directory); "
                + (others ?? "no job has any: a job makes it when it first runs"))
    }

    /// The tasks that are chosen. Throws `notFound` naming those there are.
    func tasks(of states: JobStates) throws -> [String] { try Self.tasks(task, of: states) }

    static func tasks(_ task: String?, of states: JobStates) throws -> [String] {
        guard let task else { return states.tasks }
        let chosen = states.tasks.filter { name in
            name == task || Int(task).map { $0 == JobStates.number(of: name) } ?? false
        }
        guard chosen.isEmpty else { return chosen }
        let others = Suggestions.sentence(for: task, among: states.tasks, listedBy: "state list")
        throw CommandError.notFound(
            "the job '\(states.job)' has no task '\(task)'; \(others ?? "there are none")")
    }
}

/// A store of a job, as commands are given it.
struct StoreArguments: ParsableArguments {
    @Argument(help: ArgumentHelp("The job's name.", valueName: "JOB"))
    var job: String

    @Argument(help: ArgumentHelp("The store's name; 'state list' names them.", valueName: "STORE"))
    var store: String

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How long a commit may be read while the job goes on: it cannot reuse what it frees meanwhile. "
                + "(default: \(DurationArgument(Limits.snapshotAgeMax)))", valueName: "time"),
        transform: DurationArgument.parse)
    var maxAge = DurationArgument(Limits.snapshotAgeMax)

    @OptionGroup var states: StateOption

    /// Hands each chosen task that has the store to `body`, until that returns false, one after the other, each
    /// as of its last commit. Throws `notFound` where none has it.
    func forEachTask(_ body: (StoreReader) throws -> Bool) throws {
        let stop = try StopRequest.watch(endsOfItself: true)
        let found = try states.states(of: job)
        var others: Set<String> = []
        var isThere = false
        for name in try states.tasks(of: found) {
            guard let task = try found.open(name) else { continue }
            defer { task.snapshot.close() }
            others.formUnion(task.snapshot.stores.map(\.description.name))
            let store = task.snapshot.stores.first { $0.description.name == self.store }
            guard let store else { continue }
            isThere = true
            let reader = StoreReader(task: task, store: store, stop: stop, ageMax: maxAge.duration)
            guard try body(reader) else { return }
        }
        guard !isThere else { return }
        let names = Suggestions.sentence(
            for: store, among: others.sorted(), listedBy: "state list \(job)")
        throw CommandError.notFound(
            "the job '\(job)' has no store '\(store)'; \(names ?? "it has no stores")")
    }
}
