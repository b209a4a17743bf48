// `jobs`: what `run` knows.

import ArgumentParser
import StreamJobs

struct JobsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "Lists the jobs that this program can run.",
        usage: "\(RootCommand.programName) jobs [--json]")

    @Flag(help: "One JSON object a line: job, summary.")
    var json = false

    func run() throws {
        let jobs = RootCommand.jobs
        let output = OutputStream()
        let width = jobs.map(\.name.count).max() ?? 0
        for job in jobs {
            if json {
                output.writeObject { line in
                    JSONText.append(field: "job", string: job.name, to: &line)
                    JSONText.append(field: "summary", string: job.summary, to: &line)
                }
            } else {
                let padding = String(repeating: " ", count: width - job.name.count + 2)
                output.write(job.summary.isEmpty ? job.name : job.name + padding + job.summary)
                output.write("\n")
            }
        }
        try output.flush()
    }
}
