// `log dump`: what kafka-dump-log does, line for line where Kafka has a line.

import ArgumentParser
import StreamJobsLog

extension LogCommand {
    struct Dump: CheckedCommand {
        static let configuration = CommandConfiguration(
            commandName: "dump",
            abstract: "Prints the batches of segments, and the files beside them.",
            usage: """
                \(RootCommand.programName) log dump FILE… [--records] [--json]
                \(RootCommand.programName) log dump --topic TOPIC [--partition P] [--records] [--json]
                    [--data DIR]
                """,
            discussion: """
                Files are known by their names: .log, .index, .timeindex, .txnindex, .snapshot, \
                recovery-points, and the log's files of lines. Entries of an index are compared with the \
                .log beside it. Lines are those of Kafka's dump tool. Ends with \(ExitCodes.io) where \
                something is not right.

                  \(RootCommand.programName) log dump --topic flights --partition 0 --records
                  \(RootCommand.programName) log dump data/flights-0/00000000000000000000.index
                """)

        @Argument(help: ArgumentHelp("Files of a log.", valueName: "FILE"))
        var arguments: [String] = []

        @Option(
            name: .customLong("files"),
            help: ArgumentHelp(
                "The same as FILE, as in Kafka's dump tool.", valueName: "file[,file…]"))
        var fileLists: [String] = []

        @Option(help: ArgumentHelp("Prints the segments of a topic.", valueName: "topic"))
        var topic: String?

        @Option(
            name: [.customShort("p", allowingJoined: true), .long], parsing: .unconditional,
            help: ArgumentHelp("Only those of one partition.", valueName: "p"))
        var partition: Int?

        @Flag(
            name: [.customLong("records"), .customLong("print-data-log")],
            help: "Prints the records of each batch as well.")
        var records = false

        @Flag(
            help: """
                One JSON object a line. Its field 'type' says what it is: batch, record, damage, index, \
                timeindex, txnindex, producer, recovery_point, line.
                """)
        var json = false

        @OptionGroup var data: DataOption

        private var files: [String] { arguments + fileLists.flatMap(Names.parts) }

        func check() throws {
            guard [!arguments.isEmpty, !fileLists.isEmpty, topic != nil].count(where: { $0 }) == 1
            else {
                throw ValidationError(
                    "give files, or --topic: files as arguments or with --files")
            }
            if let partition {
                guard topic != nil else { throw ValidationError("--partition goes with --topic") }
                guard (0..<Int(Int32.max)).contains(partition) else {
                    throw ValidationError("--partition is a number from 0, not \(partition)")
                }
            }
        }

        func run() throws {
            let stop = try StopRequest.watch(endsOfItself: true)
            let output = OutputStream()
            var dump = FileDump(output, isJSON: json, showsRecords: records, stop)
            // All are looked at before the first is printed.
            let chosen = try (topic.map(segments) ?? files).map { path in
                try InputFile.refuseDirectory(path)
                let file = try LogFile(path)
                guard try file.exists else {
                    throw CommandError.notFound("there is no file \(path)")
                }
                return file
            }
            try output.flushing {
                for file in chosen { try dump.print(file) }
            }
            guard dump.problemCount == 0 else {
                throw CommandError(
                    exitCode: ExitCodes.io, "\(counted(dump.problemCount, "place")) not right")
            }
        }

        /// The segments of the topic's partitions, in order.
        private func segments(of name: String) throws -> [String] {
            let log = try data.openToRead()
            let topic = try data.topic(name, in: log)
            var partitions = topic.partitions
            if let partition {
                let name = TopicPartition(topic.name, PartitionID(partition))
                partitions = [try log.partition(name).name]
            }
            return try partitions.flatMap { try log.segmentPaths(of: $0) }
        }
    }
}
