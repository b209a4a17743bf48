// `run`: a job, until its end or a stop.

import ArgumentParser
import StreamJobs
import StreamJobsLog

struct RunCommand: CheckedCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs a job.",
        usage: """
            \(RootCommand.programName) run JOB [--threads N] [--until-end]
                [--commit-interval TIME] [--commit-spacing TIME] [--memory SIZE]
                [--disorder TIME] [--durability DURABILITY] [--guarantee GUARANTEE]
                [--data DIR]
            """,
        discussion: """
            After a stop of any kind (Ctrl-C, kill -9, a crash of the machine) the same command goes on \
            where the last commit left off: no input is lost, none counts twice.
            """)

    @Argument(help: ArgumentHelp("The job's name; 'jobs' lists them.", valueName: "JOB"))
    var job: String

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Threads that the tasks are spread over. One a core unless given; the number changes "
                + "nothing in the output.", valueName: "n"))
    var threads: Int?

    @Flag(help: "Ends when all that is in the input topics now has been worked through.")
    var untilEnd = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Time between two commits while there is work, such as 200ms or 5s. (default: "
                + "\(DurationArgument(RunSettings.defaultCommitInterval)))", valueName: "time"),
        transform: DurationArgument.parse)
    var commitInterval = DurationArgument(RunSettings.defaultCommitInterval)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Time between two commits at least where there is nothing more to read, such as 10ms. (default: "
                + "\(DurationArgument(RunSettings.defaultCommitSpacing)))", valueName: "time"),
        transform: DurationArgument.parse)
    var commitSpacing = DurationArgument(RunSettings.defaultCommitSpacing)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Memory for what the tasks have not committed yet, such as 64MiB or 2GiB; a task whose share "
                + "is full commits early. (default: \(ByteCountArgument(RunSettings.defaultMemory)))",
            valueName: "size"),
        transform: ByteCountArgument.parse)
    var memory = ByteCountArgument(RunSettings.defaultMemory)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How late a record may be in event time, such as 24h. The job's own unless given.",
            valueName: "time"),
        transform: DurationArgument.parse)
    var disorder: DurationArgument?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "What a commit survives: power-loss, or process-crash, which waits for no disk but leaves "
                + "a state that has to be rebuilt when the machine goes down.",
            valueName: "durability"),
        transform: choice)
    var durability = Durability.powerLoss

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How often the effect of a record is seen in the outputs when the job has crashed in the "
                + "midst of a commit: exactly-once, at-least-once or at-most-once. The job's own unless "
                + "given; the state is exact with each.", valueName: "guarantee"),
        transform: choice)
    var guarantee: Guarantee?

    @OptionGroup var data: DataOption

    func check() throws {
        if let threads, threads < 1 {
            throw ValidationError("--threads is at least 1, not \(threads)")
        }
    }

    func run() throws {
        var job = try Self.findJob(job)
        if let disorder { job.disorder = disorder.duration }
        // By agreement with service managers SIGTERM is an ordinary end, also of a bounded run.
        let stop = try StopRequest.watch(endsOfItself: false)
        let summary = try data.withOwnedLog { log in
            var settings = RunSettings(
                threads: threads, untilEnd: untilEnd,
                commitInterval: commitInterval.duration,
                commitSpacing: commitSpacing.duration, memory: memory.byteCount,
                durability: durability, guarantee: guarantee)
            settings.notify = { StandardError.write(line: $0) }
            let run = try JobRun(job, on: log, settings: settings)
            let stopper = run.stopper
            stop.whenStopping { stopper.stop() }
            var progress = Progress("records processed")
            return try run.run { state in
                progress.update(done: state.recordsProcessed, remaining: state.recordsRemaining)
            }
        }
        let isCutShort = untilEnd && (stop.isStopping || summary.wasStoppedByTask)
        let note = isCutShort ? "; stopped before the end, the same command goes on" : ""
        StandardError.write(line: "\(job.name): \(summary)\(note)")
        try stop.check()
    }

    /// Throws `notFound`, naming those that there are.
    static func findJob(_ name: String) throws -> Job {
        let jobs = RootCommand.jobs
        if let job = jobs.first(where: { $0.name == name }) { return job }
        let others = Suggestions.sentence(
            for: name, among: jobs.map(\.name), listedBy: "jobs")
        throw CommandError.notFound(
            "there is no job '\(name)'; \(others ?? "this program has no jobs")")
    }
}

/// One of a few words. Throws a `CommandError` that names them; the parser puts it behind the name of the
/// option.
private func choice<Choice: RawRepresentable & CaseIterable>(_ text: String) throws -> Choice
where Choice.RawValue == String {
    if let choice = Choice(rawValue: text) { return choice }
    let choices = Choice.allCases.map(\.rawValue).joined(separator: " or ")
    throw CommandError.usage("use \(choices)")
}
