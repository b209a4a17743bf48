// `checkpoints show`.

import ArgumentParser
import StreamJobs
import StreamJobsLog

extension CheckpointsCommand {
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract:
                "Shows the commit, the watermark and the positions of each task; also while the job runs.",
            usage: """
                \(RootCommand.programName) checkpoints show JOB [--task K] [--directory DIR] [--json] [--data DIR]
                """,
            discussion: """
                Of each input: the offset that is read next, the leader epoch of the record before it, the end of \
                the partition, and the lag, that is how many offsets are still to be read. Pending markers are \
                those of decided transactions that are not known to be flushed: the job writes them when it \
                starts, if they are missing.
                """)

        @Argument(help: ArgumentHelp("The job's name.", valueName: "JOB"))
        var job: String

        @Flag(
            help: """
                One JSON object a line: job, running, task, commit, watermark, pending_markers, late, finished, \
                positions (topic, partition, upstream, offset, leader_epoch, end, lag).
                """)
        var json = false

        @OptionGroup var states: StateOption

        func run() throws {
            let found = try states.states(of: job)
            let log = try states.data.openToRead()
            let isRunning = states.directory == nil && found.isRunning
            let output = OutputStream()
            if !json { output.write("\(job): \(isRunning ? "running" : "not running")\n") }
            for task in try states.tasks(of: found) {
                guard let checkpoint = try found.checkpoint(of: task, in: log) else { continue }
                if json {
                    output.writeObject { append(checkpoint, isRunning, to: &$0) }
                } else {
                    write(checkpoint, to: output)
                }
                try output.flushIfFull()
            }
            try output.flush()
        }

        private func write(_ checkpoint: TaskCheckpoint, to output: OutputStream) {
            let watermark = checkpoint.watermark.map { "watermark \($0)" } ?? "no watermark yet"
            output.write(
                "\(checkpoint.task)  commit \(checkpoint.commit), \(watermark), "
                    + "\(counted(checkpoint.pendingMarkers, "pending marker"))\n")
            var table = TextTable(["topic", "partition", "from", "offset", "epoch", "end", "lag"])
            for position in checkpoint.positions {
                table.add([
                    position.topic, "\(position.partition)", position.upstream ?? "-",
                    "\(position.offset)", "\(position.leaderEpoch)",
                    position.logEnd.map { "\($0)" } ?? "-", position.lag.map { "\($0)" } ?? "-",
                ])
            }
            output.write(table.text(indent: 2))
        }

        private func append(
            _ checkpoint: TaskCheckpoint, _ isRunning: Bool, to line: inout [UInt8]
        ) {
            JSONText.append(field: "job", string: job, to: &line)
            JSONText.append(field: "running", flag: isRunning, to: &line)
            JSONText.append(field: "task", string: checkpoint.task, to: &line)
            JSONText.append(field: "commit", number: checkpoint.commit, to: &line)
            JSONText.append(
                field: "watermark", number: checkpoint.watermark?.milliseconds, to: &line)
            JSONText.append(field: "pending_markers", number: checkpoint.pendingMarkers, to: &line)
            JSONText.append(field: "late", number: checkpoint.lateRecords, to: &line)
            JSONText.append(field: "finished", flag: checkpoint.hasFinished, to: &line)
            JSONText.append(field: "positions", objects: checkpoint.positions, to: &line) {
                position, line in
                JSONText.append(field: "topic", string: position.topic, to: &line)
                JSONText.append(
                    field: "partition", number: position.partition.rawValue, to: &line)
                JSONText.append(field: "upstream", optionalString: position.upstream, to: &line)
                JSONText.append(field: "offset", number: position.offset.rawValue, to: &line)
                JSONText.append(field: "leader_epoch", number: position.leaderEpoch, to: &line)
                JSONText.append(field: "end", number: position.logEnd?.rawValue, to: &line)
                JSONText.append(field: "lag", number: position.lag, to: &line)
            }
        }
    }
}
