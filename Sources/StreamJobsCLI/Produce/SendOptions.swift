// How `produce` sends: Kafka's words for a producer's settings.

import ArgumentParser
import StreamJobsLog

struct SendOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The partition, whatever the keys.", valueName: "p"))
    var partition: Int?

    @Option(
        help: ArgumentHelp(
            "When records count as sent: none (0), written (1: they survive the process), flushed (all: "
                + "they survive a power loss).", valueName: "acks"),
        transform: AcksArgument.parse)
    var acks = AcksArgument(acks: .flushed)

    @Option(
        name: [.customShort("z"), .long, .customLong("compression-codec")],
        help: ArgumentHelp(
            "none, gzip, snappy, lz4 or zstd.", valueName: "codec"),
        transform: CompressionArgument.parse)
    var compression = CompressionArgument(type: .none)

    @Option(
        help: ArgumentHelp(
            "How long a record waits at most for others to share its batch, such as 5ms. Until the batch "
                + "is full or the input pauses unless given.", valueName: "time"),
        transform: DurationArgument.parse)
    var linger: DurationArgument?

    @Option(
        help: ArgumentHelp(
            "Bytes at which a batch is written. (default: \(StreamJobsLog.Limits.batchBytesTarget))",
            valueName: "n"))
    var batchSize: Int?

    @Option(
        help: ArgumentHelp(
            "Sends in transactions under this id: readers see each whole or not at all. What a stop or an "
                + "error leaves open is aborted.", valueName: "id"))
    var transactionalID: String?

    @Option(
        help: ArgumentHelp(
            "Records of a transaction; all of the input unless given.", valueName: "n"))
    var transactionSize: Int?

    @Option(
        help: ArgumentHelp(
            "Records in a second at most, such as 1000 or 1000/s.", valueName: "n"),
        transform: RateArgument.parse)
    var rate: RateArgument?

    func validate() throws {
        if let partition, !(0..<Int(Int32.max)).contains(partition) {
            throw ValidationError("--partition is a number from 0, not \(partition)")
        }
        if let transactionSize, transactionSize < 1 {
            throw ValidationError("--transaction-size is at least 1, not \(transactionSize)")
        }
        guard transactionalID != nil else {
            if transactionSize != nil {
                throw ValidationError("--transaction-size goes with --transactional-id")
            }
            return
        }
        let isPlain =
            partition == nil && linger == nil && batchSize == nil && compression.type == .none
        guard isPlain, acks.acks == .flushed else {
            throw ValidationError(
                "--transactional-id goes with none of --partition, --acks, --compression, --linger and "
                    + "--batch-size: a transaction is flushed as a whole")
        }
    }

    func sink(_ log: CommitLog, _ topic: Topic) throws -> RecordSink {
        if let transactionalID {
            return try RecordSink(
                log, topic, transactionalID: transactionalID, size: transactionSize ?? .max)
        }
        var settings = ProducerSettings(acks: acks.acks, linger: linger?.duration)
        settings.compression = compression.type
        if let batchSize { settings.batchBytes = batchSize }
        let partition = try partition.map {
            try log.partition(TopicPartition(topic.name, PartitionID($0))).name.partition
        }
        return try RecordSink(log, topic, partition: partition, settings)
    }
}

/// `--acks`, by our words and by Kafka's numbers.
struct AcksArgument: CustomStringConvertible {
    let acks: Acks

    static func parse(_ text: String) throws -> AcksArgument {
        switch text {
        case "none", "0": AcksArgument(acks: .none)
        case "written", "1": AcksArgument(acks: .written)
        case "flushed", "all", "-1": AcksArgument(acks: .flushed)
        default: throw CommandError.usage("use none (0), written (1) or flushed (all)")
        }
    }

    var description: String {
        switch acks {
        case .none: "none"
        case .written: "written"
        case .flushed: "flushed"
        }
    }
}

/// `--compression`.
struct CompressionArgument: CustomStringConvertible {
    let type: CompressionType

    static func parse(_ text: String) throws -> CompressionArgument {
        guard let type = CompressionType(rawValue: text) else {
            let names = CompressionType.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandError.usage("use one of \(names)")
        }
        return CompressionArgument(type: type)
    }

    var description: String { type.rawValue }
}

/// `--rate`: in a second.
struct RateArgument {
    let perSecond: Double

    static func parse(_ text: String) throws -> RateArgument {
        let number = text.hasSuffix("/s") ? text.dropLast(2) : text[...]
        guard let perSecond = Double(number), perSecond.isFinite, perSecond >= 0.001 else {
            throw CommandError.usage("use a number of records in a second, such as 1000 or 0.5/s")
        }
        return RateArgument(perSecond: perSecond)
    }
}
