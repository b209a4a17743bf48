import ArgumentParser
import StreamJobs

struct JobsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "Lists the jobs that this program can run.")

    @Flag(help: "One JSON object a line.")
    var json = false

    func run() throws {
        let jobs = RootCommand.jobs
        let width = jobs.map(\.name.count).max() ?? 0
        for job in jobs {
            if json {
                var line: [UInt8] = Array("{\"job\":".utf8)
                JSONText.append(string: job.name, to: &line)
                line += Array(",\"summary\":".utf8)
                JSONText.append(string: job.summary, to: &line)
                line += Array("}\n".utf8)
                try Standard.output.write(line)
            } else {
                let padding = String(repeating: " ", count: width - job.name.count + 2)
                try Standard.output.write("\(job.name)\(padding)\(job.summary)\n")
            }
        }
        try Standard.output.flush()
    }
}
