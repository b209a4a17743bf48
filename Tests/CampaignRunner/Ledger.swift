// The job of the crash campaign (scripts/crash, scripts/power-loss): all that a commit has to keep together. Two
// inputs, three kinds of stores, timers, a repartition topic and four outputs, of which each value follows from the
// inputs by arithmetic (scripts/lib/ledger.py), so that one record too many or too few shows in every one behind it.
//
//  deposits ────┐           ┌─ movements   sequence amount balance count, of each record
//  withdrawals ─┴─► Ledger ─┼─ closings    of each account's window, when it has ended
//                           └─ by-window ─► WindowTotals ─► totals

import Glibc
import StreamJobs

let ledger = Job(
    "ledger", summary: "Balances of accounts; what the crash campaign runs", Ledger.self,
    WindowTotals.self)

/// A record of both inputs.
struct Movement: Codable {
    let account: String
    let amount: Int64
    let sequence: Int64
}

struct Ledger: StreamTask {
    static let deposits = Input("deposits", key: .string, value: .json(Movement.self))
    static let withdrawals = Input("withdrawals", key: .string, value: .json(Movement.self))
    static let byWindow = Repartition("by-window", key: .string, value: .int64)
    static let movements = Output("movements", key: .string, value: .string)
    static let closings = Output("closings", key: .string, value: .string)

    static var inputs: some Route<Self> {
        On(deposits) { try $0.moved($1.value, $1.value.amount, &$2) }
        On(withdrawals) { try $0.moved($1.value, -$1.value.amount, &$2) }
    }
    static var outputs: [Outlet] {
        movements
        closings
        byWindow
    }

    static let windowMilliseconds: Int64 = 1000
    /// Microseconds that a record takes, so that the work is spread over many commits.
    private static let pace = Variable.number("CAMPAIGN_PACE")

    let balances: KeyValueStore<String, Int64>
    let counts: KeyValueStore<String, Int64>
    /// By `WINDOW|ACCOUNT`; gone when the window has ended.
    let windows: KeyValueStore<String, Int64>

    init(_ setup: borrowing TaskSetup) throws {
        balances = try setup.store(
            "balances", value: .int64, version: Variable.number("CAMPAIGN_STORE_VERSION") ?? 1)
        counts = try setup.store("counts", value: .int64)
        windows = try setup.store("windows", value: .int64)
    }

    mutating func moved(
        _ movement: Movement, _ amount: Int64, _ context: inout TaskContext
    ) throws {
        if let pause = Self.pace { usleep(UInt32(pause)) }
        let account = movement.account
        let key = Self.storeKey(account)
        let balance = (try balances.get(key) ?? 0) + amount
        try balances.put(key, balance)
        let count = (try counts.get(key) ?? 0) + 1
        try counts.put(key, count)
        try context.send(
            "\(movement.sequence) \(amount) \(balance) \(count)", to: Self.movements, key: account)

        let time = context.timestamp.milliseconds
        let window = time - time % Self.windowMilliseconds
        let inWindow = "\(window)|\(account)"
        try windows.put(inWindow, (windows.get(inWindow) ?? 0) + amount)
        try context.setTimer(
            at: Timestamp(milliseconds: window + Self.windowMilliseconds), key: inWindow)
        try context.send(amount, to: Self.byWindow, key: "\(window)")
    }

    mutating func timerFired(_ timer: EventTimer, _ context: inout TaskContext) throws {
        let parts = timer.key.split(separator: "|")
        let sum = try windows.get(timer.key).map(String.init) ?? "nothing"
        try context.send("\(parts[0]) \(sum)", to: Self.closings, key: String(parts[1]))
        try windows.delete(timer.key)
    }

    /// Some accounts have keys that are longer than LMDB's.
    static func storeKey(_ account: String) -> String {
        account.hasSuffix("7") ? account + String(repeating: "-", count: 700) : account
    }
}

/// Sums all accounts' movements of a window.
struct WindowTotals: SingleInputTask {
    static let input = Ledger.byWindow.input
    static let totals = Output("totals", key: .string, value: .string)
    static var outputs: [Outlet] { totals }

    let sums: KeyValueStore<String, Int64>
    let counts: KeyValueStore<String, Int64>

    init(_ setup: borrowing TaskSetup) throws {
        sums = try setup.store("sums", value: .int64)
        counts = try setup.store("counts", value: .int64)
    }

    mutating func process(
        _ movement: borrowing Record<String, Int64>, _ context: inout TaskContext
    ) throws {
        let sum = (try sums.get(movement.key) ?? 0) + movement.value
        try sums.put(movement.key, sum)
        let count = (try counts.get(movement.key) ?? 0) + 1
        try counts.put(movement.key, count)
        try context.send("\(count) \(sum)", to: Self.totals, key: movement.key)
    }
}
