// `state rebuild`: a job's state made again from the log.

import ArgumentParser
import StreamJobs
import StreamJobsLog

extension StateCommand {
    struct Rebuild: CheckedCommand {
        static let configuration = CommandConfiguration(
            commandName: "rebuild", abstract: "Makes the state of a job again from its inputs.",
            usage: "\(RootCommand.programName) state rebuild JOB [--data DIR]",
            discussion: """
                For a state that is missing, damaged or older than the log. The tasks take again all that \
                they have taken, up to exactly the last commits that the log knows, and send nothing. The \
                state that was there before is kept aside. Refused where records that the job has read were \
                deleted since. A run goes on from there.
                """)

        @Argument(help: ArgumentHelp("The job's name; 'jobs' lists them.", valueName: "JOB"))
        var job: String

        @OptionGroup var data: DataOption

        func check() throws {}

        func run() throws {
            let job = try RunCommand.findJob(self.job)
            let summary = try data.withOwnedLog { log in
                var progress = Progress("records taken again")
                return try JobRun.rebuild(job, on: log) { done, total in
                    progress.update(done: done, remaining: max(0, total - done))
                }
            }
            let replaced = summary.replaced.map { "; the state before is in \($0)" } ?? ""
            StandardError.write(
                line: "\(job.name): made the state of \(summary.taskCount) tasks again from "
                    + "\(summary.recordCount) records\(replaced)")
        }
    }
}
