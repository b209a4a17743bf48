import ArgumentParser
import StreamJobs
import StreamJobsLog

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs a job.",
        discussion: """
            After a stop of any kind (Ctrl-C, kill -9, a crash of the machine) the same command goes on \
            where the last commit left off: no input is lost, none counts twice.
            """)

    @Argument(help: "The job's name; 'jobs' lists them.")
    var job: String

    @Option(help: "Threads that the tasks are spread over; one a core unless given.")
    var threads: Int?

    @Flag(help: "End when all that is in the input topics now has been worked through.")
    var untilEnd = false

    @Option(
        help: ArgumentHelp(
            "Time between two commits while there is work, such as 200ms or 5s.", valueName: "time")
    )
    var commitInterval = DurationArgument(RunSettings.defaultCommitInterval)

    @Option(
        help: ArgumentHelp(
            "How late a record may be in event time, such as 24h; the job's own unless given.",
            valueName: "time"))
    var disorder: DurationArgument?

    @OptionGroup var data: DataOption

    func validate() throws {
        if let threads, threads < 1 {
            throw ValidationError("--threads is at least 1, not \(threads)")
        }
    }

    func run() throws {
        var job = try self.findJob()
        if let disorder { job.disorder = disorder.duration }
        let stop = StopRequest.watch()
        let log = try data.openToWrite()
        let run = try JobRun(
            job, on: log,
            settings: RunSettings(
                threads: threads, untilEnd: untilEnd, commitInterval: commitInterval.duration))
        let stopper = run.stopper
        stop.whenStopping { stopper.stop() }

        var progress = ProgressReport("records")
        let summary = try run.run { state in
            progress.update(done: state.recordsProcessed, remaining: state.recordsRemaining)
        }
        try log.close()
        let isWhole = untilEnd && !stop.isStopping
        progress.finish("\(job.name): \(summary)\(isWhole || !untilEnd ? "" : ", stopped")")
        if stop.exitCode != 0 { throw ExitCode(stop.exitCode) }
    }

    private func findJob() throws -> Job {
        let jobs = RootCommand.jobs
        guard let job = jobs.first(where: { $0.name == self.job }) else {
            let names = jobs.map(\.name).joined(separator: ", ")
            throw CommandError.notFound("there is no job '\(self.job)'; there are: \(names)")
        }
        return job
    }
}
