// How `produce` sends: Kafka's words for a producer's settings.

import ArgumentParser
import StreamJobsLog

struct SendOptions: ParsableArguments {
    @Option(
        name: [.customShort("p", allowingJoined: true), .long], parsing: .unconditional,
        help: ArgumentHelp(
            "The partition, whatever the keys; -1, the default, leaves it to them.", valueName: "p")
    )
    var partition: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "When records count as sent: none (0), written (1: they survive the process), flushed (all, "
                + "-1: they survive a power loss). (default: flushed)", valueName: "acks"),
        transform: AcksArgument.parse)
    var acks = AcksArgument(acks: .flushed)

    @Option(
        name: [
            .customShort("z", allowingJoined: true), .long, .customLong("compression-codec"),
        ],
        help: ArgumentHelp(
            "none, gzip, snappy, lz4 or zstd. (default: none)", valueName: "codec"),
        transform: CompressionArgument.parse)
    var compression = CompressionArgument(type: .none)

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How long a record waits at most for others to share its batch, such as 5ms. Until the batch "
                + "is full or the input pauses unless given.", valueName: "time"),
        transform: DurationArgument.parse)
    var linger: DurationArgument?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Bytes at which a batch is written. (default: \(StreamJobsLog.Limits.batchBytesTarget))",
            valueName: "n"))
    var batchSize: Int?

    @Option(
        help: ArgumentHelp(
            "Sends in transactions under this id: readers see each whole or not at all. What a stop or an "
                + "error leaves open is aborted. Goes with neither --acks 0 or 1 nor --linger.",
            valueName: "id"))
    var transactionalID: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Records of a transaction; all of the input unless given.", valueName: "n"))
    var transactionSize: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Records in a second at most, such as 1000 or 1000/s.", valueName: "n"),
        transform: RateArgument.parse)
    var rate: RateArgument?

    func validate() throws {
        if let partition, !(-1..<Int(Int32.max)).contains(partition) {
            throw ValidationError(
                "--partition is a number from 0, or -1 for the partitioner's choice, not \(partition)"
            )
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
        if transactionalID == "" { throw ValidationError("--transactional-id is empty") }
        guard acks.acks == .flushed, linger == nil else {
            throw ValidationError(
                "--transactional-id goes with neither --acks \(AcksArgument(acks: .none)) or "
                    + "\(AcksArgument(acks: .written)) nor --linger: a transaction is flushed and seen "
                    + "as a whole when it is committed")
        }
    }

    func sink(_ log: CommitLog, _ topic: Topic) throws -> RecordSink {
        let partition = try partition.flatMap {
            try $0 < 0
                ? nil : log.partition(TopicPartition(topic.name, PartitionID($0))).name.partition
        }
        if let transactionalID {
            var settings = TransactionalProducerSettings()
            settings.compression = compression.type
            if let batchSize { settings.batchBytes = batchSize }
            return try RecordSink(
                log, topic, partition: partition, transactionalID: transactionalID, settings,
                size: transactionSize ?? .max)
        }
        var settings = ProducerSettings(acks: acks.acks, linger: linger?.duration)
        settings.compression = compression.type
        if let batchSize { settings.batchBytes = batchSize }
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
        default: throw CommandError.usage("use none (0), written (1) or flushed (all, -1)")
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
