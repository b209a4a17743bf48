// `transactions`: what kafka-transactions does.

import ArgumentParser
import StreamJobs
import StreamJobsLog

struct TransactionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transactions", abstract: "Shows transactions, and aborts those left open.",
        discussion: """
              \(RootCommand.programName) transactions list
              \(RootCommand.programName) transactions abort orders
            """,
        subcommands: [List.self, Describe.self, Abort.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Lists transactional ids, and the open transactions of jobs.",
            usage: "\(RootCommand.programName) transactions list [--open] [--json] [--data DIR]",
            discussion: """
                Works beside a running job. A transaction that a job decides has no transactional id.

                  \(RootCommand.programName) transactions list --open
                """)

        @Flag(help: "Only those that are open, or decided but not yet marked everywhere.")
        var open = false

        @Flag(help: .init(TransactionLine.jsonHelp))
        var json = false

        @OptionGroup var data: DataOption

        func run() throws {
            let transactions = try data.openToRead().transactions.list()
                .filter { !open || !$0.partitions.isEmpty }
            let output = OutputStream()
            var table = TextTable([
                "transactional id", "producer", "epoch", "state", "age", "partitions",
            ])
            for transaction in transactions {
                let line = TransactionLine(transaction)
                if json {
                    output.writeObject { line.appendFields(to: &$0) }
                } else {
                    table.add(line.cells)
                }
                try output.flushIfFull()
            }
            if !json, !transactions.isEmpty { output.write(table.text()) }
            try output.flush()
        }
    }

    struct Describe: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "describe", abstract: "Shows the state of a transactional id.",
            usage: "\(RootCommand.programName) transactions describe ID [--json] [--data DIR]",
            discussion: "  \(RootCommand.programName) transactions describe orders")

        @Argument(help: ArgumentHelp("The transactional id.", valueName: "ID"))
        var id: String

        @Flag(help: .init(TransactionLine.jsonHelp))
        var json = false

        @OptionGroup var data: DataOption

        func run() throws {
            let line = TransactionLine(try data.openToRead().transactions.describe(id))
            let output = OutputStream()
            if json {
                output.writeObject { line.appendFields(to: &$0) }
            } else {
                output.write(line.text)
            }
            try output.flush()
        }
    }

    struct Abort: CheckedCommand {
        static let configuration = CommandConfiguration(
            commandName: "abort", abstract: "Aborts an open transaction and fences its producer.",
            usage: """
                \(RootCommand.programName) transactions abort ID [--json] [--data DIR]
                \(RootCommand.programName) transactions abort --producer-id N [--force] [--json]
                    [--data DIR]
                """,
            discussion: """
                What a job decides is named by its producer id; it is refused where a state has decided \
                it, and needs --force where nobody knows.

                  \(RootCommand.programName) transactions abort orders
                """)

        @Argument(help: ArgumentHelp("The transactional id.", valueName: "ID"))
        var id: String?

        @Option(
            parsing: .unconditional,
            help: ArgumentHelp("The producer of a job's transaction.", valueName: "n"))
        var producerID: Int64?

        @Flag(help: "Also where no state is known that could have decided it.")
        var force = false

        @Flag(help: "One JSON object: transactional_id, producer_id, aborted.")
        var json = false

        @OptionGroup var data: DataOption

        func check() throws {
            guard (id == nil) != (producerID == nil) else {
                throw ValidationError("give a transactional id or --producer-id")
            }
            if force, producerID == nil { throw ValidationError("--force goes with --producer-id") }
            if let producerID, producerID < 0 {
                throw ValidationError("--producer-id is a number from 0, not \(producerID)")
            }
        }

        func run() throws {
            let producer = try data.withOwnedLog { log in
                if let id {
                    try log.transactions.abort(id)
                    return try log.transactions.describe(id).producer.id
                }
                let producer = producerID ?? 0
                // What a job's state has decided is not undone, by force either.
                try log.transactionCoordinator().resolver = try StateResolver(log)
                try log.transactions.abort(producerID: producer, force: force)
                return producer
            }
            let output = OutputStream()
            if json {
                output.writeObject { line in
                    JSONText.append(field: "transactional_id", optionalString: id, to: &line)
                    JSONText.append(field: "producer_id", number: producer, to: &line)
                    JSONText.append(field: "aborted", flag: true, to: &line)
                }
            } else {
                let what = id.map { "of '\($0)'" } ?? "of producer \(producer)"
                output.write("aborted the transaction \(what)\n")
            }
            try output.flush()
        }
    }
}

/// What is shown of a transaction.
private struct TransactionLine {
    static let jsonHelp: String = """
        One JSON object a line: transactional_id, producer_id, producer_epoch, state, start, age_ms, \
        timeout_ms, partitions (topic, partition).
        """
    let transaction: TransactionDescription

    init(_ transaction: TransactionDescription) { self.transaction = transaction }

    private var age: String {
        transaction.age().map { ProgressLine.time(seconds: $0 / .seconds(1)) } ?? "-"
    }
    private var partitions: String {
        let names = transaction.partitions.map(\.description).joined(separator: " ")
        return names.isEmpty ? "-" : names
    }

    var cells: [String] {
        [
            transaction.transactionalID ?? "-", "\(transaction.producer.id)",
            "\(transaction.producer.epoch)", "\(transaction.state)", age, partitions,
        ]
    }

    var text: String {
        let timeout = transaction.timeout.map { "\(DurationArgument($0))" } ?? "-"
        return """
            transactional id: \(transaction.transactionalID ?? "-")
            producer id: \(transaction.producer.id)
            producer epoch: \(transaction.producer.epoch)
            state: \(transaction.state)
            age: \(age)
            timeout: \(timeout)
            partitions: \(partitions)

            """
    }

    func appendFields(to line: inout [UInt8]) {
        JSONText.append(
            field: "transactional_id", optionalString: transaction.transactionalID, to: &line)
        JSONText.append(field: "producer_id", number: transaction.producer.id, to: &line)
        JSONText.append(field: "producer_epoch", number: transaction.producer.epoch, to: &line)
        JSONText.append(field: "state", string: "\(transaction.state)", to: &line)
        JSONText.append(field: "start", number: transaction.start?.milliseconds, to: &line)
        JSONText.append(field: "age_ms", number: transaction.age()?.wholeMilliseconds, to: &line)
        JSONText.append(
            field: "timeout_ms", number: transaction.timeout?.wholeMilliseconds, to: &line)
        JSONText.append(field: "partitions", objects: transaction.partitions, to: &line) {
            JSONText.append($0, to: &$1)
        }
    }
}

extension Duration {
    /// Rounded down.
    var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
