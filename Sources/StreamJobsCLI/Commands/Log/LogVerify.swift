// `log verify`: prints what the log's own verification finds.

import ArgumentParser
import StreamJobsLog

extension LogCommand {
    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Checks every checksum and every invariant of a data directory.",
            usage: "\(RootCommand.programName) log verify [--json] [--data DIR]",
            discussion: """
                Reads all segments, and compares everything that is kept beside them with what they give: \
                offsets, records, compression, producers, transactions, indexes, manifests, snapshots, \
                recovery points. Changes nothing; works beside a running job.

                A line a finding: 'damage', with file and position, or 'note' for what the next opening \
                clears up by itself. Ends with 0 where there is no damage, and with \(ExitCodes.io) otherwise.

                  \(RootCommand.programName) log verify --data ./data
                """)

        @Flag(
            help: """
                One JSON object a line: kind (damage or note), file, position, offset, message; and at last \
                kind (summary), partitions, segments, batches, records, bytes, damages, notes.
                """)
        var json = false

        @OptionGroup var data: DataOption

        func run() throws {
            let stop = try StopRequest.watch(endsOfItself: true)
            let output = OutputStream()
            var progress = Progress("bytes checked")
            var verifier = LogVerifier(data.directory)
            let summary = try verifier.verify { state in
                try stop.check()
                progress.update(done: state.done, remaining: max(0, state.total - state.done))
            } _: { finding in
                if json {
                    output.writeObject { append(finding, to: &$0) }
                } else {
                    output.write("\(finding.kind.rawValue): \(finding)\n")
                }
                // Whoever watches sees it while the rest is read.
                try output.flush()
            }
            if json { output.writeObject { append(summary, to: &$0) } }
            try output.flush()
            progress.finish(
                "\(counted(summary.recordCount, "record")) in "
                    + "\(counted(summary.partitionCount, "partition")), "
                    + "\(counted(summary.byteCount, "byte")) checked")
            guard summary.damageCount == 0 else {
                throw CommandError(
                    exitCode: ExitCodes.io,
                    "\(data.directory) is damaged in \(counted(summary.damageCount, "place"))")
            }
        }

        private func append(_ finding: LogFinding, to line: inout [UInt8]) {
            JSONText.append(field: "kind", string: finding.kind.rawValue, to: &line)
            JSONText.append(field: "file", string: finding.path, to: &line)
            JSONText.append(field: "position", number: finding.position, to: &line)
            JSONText.append(field: "offset", number: finding.offset?.rawValue, to: &line)
            JSONText.append(field: "message", string: finding.message, to: &line)
        }

        private func append(_ summary: VerificationSummary, to line: inout [UInt8]) {
            JSONText.append(field: "kind", string: "summary", to: &line)
            JSONText.append(field: "partitions", number: summary.partitionCount, to: &line)
            JSONText.append(field: "segments", number: summary.segmentCount, to: &line)
            JSONText.append(field: "batches", number: summary.batchCount, to: &line)
            JSONText.append(field: "records", number: summary.recordCount, to: &line)
            JSONText.append(field: "bytes", number: summary.byteCount, to: &line)
            JSONText.append(field: "damages", number: summary.damageCount, to: &line)
            JSONText.append(field: "notes", number: summary.noteCount, to: &line)
        }
    }
}
