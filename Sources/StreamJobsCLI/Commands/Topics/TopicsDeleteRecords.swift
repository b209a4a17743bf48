// `topics delete-records`: what kafka-delete-records does, with its file of offsets as well.

import ArgumentParser
import FoundationEssentials
import StreamJobsLog

extension TopicsCommand {
    struct DeleteRecords: CheckedCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete-records",
            abstract: "Deletes the records of partitions below an offset, for good.",
            usage: """
                \(RootCommand.programName) topics delete-records TOPIC --partition P --before OFFSET
                    [--json] [--data DIR]
                \(RootCommand.programName) topics delete-records --offset-json-file FILE [--json]
                    [--data DIR]
                """,
            discussion: """
                The file is Kafka's: {"partitions":[{"topic":"flights","partition":0,"offset":5000}]}, \
                where -1 is the end, as 'end' is for --before.

                  \(RootCommand.programName) topics delete-records flights --partition 0 --before 5000
                """)

        @Argument(help: ArgumentHelp("The topic.", valueName: "TOPIC"))
        var first: String?

        @OptionGroup var topicOption: TopicOption

        @Option(
            name: [.customShort("p", allowingJoined: true), .long], parsing: .unconditional,
            help: ArgumentHelp("The partition.", valueName: "p"))
        var partition: Int?

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp(
                "The first offset that stays; 'end', or -1, deletes all that is decided.",
                valueName: "offset"))
        var before: String?

        @Option(help: ArgumentHelp("A file that names partitions and offsets.", valueName: "file"))
        var offsetJsonFile: String?

        @Flag(help: "One JSON object a line: topic, partition, start (the first offset there is).")
        var json = false

        @OptionGroup var data: DataOption

        /// Where a partition is to begin; -1 is its end.
        private struct Cut: Decodable {
            let topic: String
            let partition: Int
            let offset: Int64
        }

        private struct CutFile: Decodable {
            let partitions: [Cut]
        }

        private var topic: String? { topicOption.topic ?? first }

        func check() throws {
            if first != nil, topicOption.topic != nil { throw TopicOption.notOnce }
            let isWhole = topic != nil && partition != nil && before != nil
            let isNone = topic == nil && partition == nil && before == nil
            guard offsetJsonFile == nil ? isWhole : isNone else {
                throw ValidationError(
                    "give a topic with --partition and --before, or --offset-json-file alone")
            }
            if let partition, !(0..<Int(Int32.max)).contains(partition) {
                throw ValidationError("--partition is a number from 0, not \(partition)")
            }
            if let before, before != "end", Int64(before).map({ $0 < -1 }) ?? true {
                throw ValidationError("--before is an offset, 'end' or -1, not '\(before)'")
            }
        }

        func run() throws {
            let cuts = try cuts()
            try data.withOwnedLog { log in
                for cut in cuts {
                    _ = try data.publicTopic(cut.topic, in: log, toBe: "cut")
                    _ = try log.partition(name(of: cut))
                }
                let output = OutputStream()
                try output.flushing {
                    for cut in cuts {
                        let partition = try log.partition(name(of: cut))
                        let offset =
                            cut.offset < 0 ? partition.lastStableOffset : Offset(cut.offset)
                        try log.deleteRecords(of: partition.name, before: offset)
                        write(partition, to: output)
                    }
                }
            }
        }

        private func name(of cut: Cut) -> TopicPartition {
            TopicPartition(cut.topic, PartitionID(cut.partition))
        }

        private func write(_ partition: Partition, to output: OutputStream) {
            let (name, start) = (partition.name, partition.startOffset)
            if json {
                output.writeObject { line in
                    JSONText.append(field: "topic", string: name.topic, to: &line)
                    JSONText.append(
                        field: "partition", number: name.partition.rawValue, to: &line)
                    JSONText.append(field: "start", number: start.rawValue, to: &line)
                }
            } else {
                output.write("\(name) begins at offset \(start)\n")
            }
        }

        private func cuts() throws -> [Cut] {
            guard let path = offsetJsonFile else {
                guard let topic, let partition, let before else {
                    preconditionFailure("check() has seen to it")
                }
                return [Cut(topic: topic, partition: partition, offset: Int64(before) ?? -1)]
            }
            let file = try InputFile(path: path, stop: try StopRequest.watch(endsOfItself: true))
            var bytes: [UInt8] = []
            while try file.read(into: &bytes) {
                guard bytes.count <= Limits.rowBytesMax else {
                    throw CommandError.badInput(
                        "\(path) is over \(Limits.rowBytesMax) bytes; it names partitions and offsets "
                            + "in JSON")
                }
            }
            let cuts: [Cut]
            do {
                cuts = try JSONDecoder().decode(CutFile.self, from: Data(bytes)).partitions
            } catch {
                throw CommandError.badInput(
                    "\(path) does not name offsets as "
                        + "{\"partitions\":[{\"topic\":\"flights\",\"partition\":0,\"offset\":5000}]}"
                )
            }
            for cut in cuts
            where !(0..<Int(Int32.max)).contains(cut.partition) || cut.offset < -1 {
                throw CommandError.badInput(
                    "\(path) names partition \(cut.partition) and offset \(cut.offset) of "
                        + "'\(cut.topic)', which cannot be")
            }
            return cuts
        }
    }
}
