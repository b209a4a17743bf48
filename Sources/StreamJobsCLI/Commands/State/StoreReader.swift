// One store of one task, with its keys and values as JSON.

import LocalState
import StreamJobs

/// A store of a task as of one commit.
struct StoreReader {
    let task: InspectedTask
    let store: InspectedStore
    private let keys: JSONForm
    private let values: JSONForm
    private let stop: StopRequest
    private let ageMax: Duration
    private let start = ContinuousClock.now

    init(task: InspectedTask, store: InspectedStore, stop: StopRequest, ageMax: Duration) {
        self.task = task
        self.store = store
        self.stop = stop
        self.ageMax = ageMax
        keys = .keys(named: store.description.keyCodec)
        values = .values(named: store.description.valueSerde)
    }

    /// The bytes of a key that was typed: JSON, or text without quotes. Throws `usage`.
    func key(_ text: String) throws -> [UInt8] {
        if let bytes = try? keys.bytes(json: text) { return bytes }
        do {
            return try keys.bytes(json: Self.quoted(text)) ?? []
        } catch {
            throw CommandError.usage(
                "'\(text)' is no key of store '\(store.description.name)', whose keys are "
                    + "\(store.description.keyCodec); give it as JSON")
        }
    }

    /// What keys with the beginning that was typed begin with. Throws `usage`.
    func prefix(_ text: String) throws -> [UInt8] {
        let codec = store.description.keyCodec
        if let bytes = try? JSONForm.keyPrefix(named: codec, json: text) { return bytes }
        do {
            return try JSONForm.keyPrefix(named: codec, json: Self.quoted(text))
        } catch {
            throw CommandError.usage(
                "'\(text)' is no beginning of keys of store '\(store.description.name)', which are \(codec)"
            )
        }
    }

    private static func quoted(_ text: String) -> String {
        var json: [UInt8] = []
        JSONText.append(string: text.utf8, to: &json)
        return String(decoding: json, as: UTF8.self)
    }

    func get(_ key: [UInt8]) throws -> InspectedEntry? { try task.snapshot.get(store, key: key) }

    /// The keys before and behind one that is not there.
    func neighbours(of key: [UInt8]) throws -> [String] {
        var names: [String] = []
        try task.snapshot.scan(store, to: key, order: .descending) {
            names.append(keyJSON($0))
            return false
        }
        try task.snapshot.scan(store, from: key) {
            names.append(keyJSON($0))
            return false
        }
        return names
    }

    /// Hands entries to `body` until it returns false. Throws `Stopped` after a stop that was asked for, and
    /// `io` where the commit is older than it may be.
    func scan(
        from: [UInt8]?, to: [UInt8]?, isReverse: Bool, _ body: (InspectedEntry) throws -> Bool
    ) throws {
        var count = 0
        try task.snapshot.scan(
            store, from: from, to: to, order: isReverse ? .descending : .ascending
        ) {
            count += 1
            if count % Limits.pollRecordsMax == 0 {
                try stop.check()
                try requireYoung()
            }
            return try body($0)
        }
    }

    private func requireYoung() throws {
        guard ContinuousClock.now - start > ageMax, try task.snapshot.isOverwritten else { return }
        throw CommandError(
            exitCode: ExitCodes.io,
            "commit \(task.commit) of the task \(task.name) has been read for more than "
                + "\(DurationArgument(ageMax)) while the job goes on; read less, read a backup ('state backup'), "
                + "or let it be older with --max-age")
    }

    /// As JSON; bytes that are none of their format as bytes.
    func keyJSON(_ entry: InspectedEntry) -> String { Self.json(entry.key, keys) }

    func valueJSON(_ entry: InspectedEntry) -> String {
        entry.payload.map { Self.json($0, values) } ?? "null"
    }

    private static func json(_ bytes: [UInt8], _ form: JSONForm) -> String {
        if let text = try? form.json(of: bytes.span.bytes) { return text }
        var json: [UInt8] = Array("{".utf8)
        bytes.withUnsafeBytes { JSONText.append(field: "unreadable", bytes: $0, to: &json) }
        json.append(UInt8(ascii: "}"))
        return String(decoding: json, as: UTF8.self)
    }

    /// Appends the fields task, commit, store, key, value.
    func append(_ entry: InspectedEntry, to line: inout [UInt8]) {
        JSONText.append(field: "task", string: task.name, to: &line)
        JSONText.append(field: "commit", number: task.commit, to: &line)
        JSONText.append(field: "store", string: store.description.name, to: &line)
        JSONText.append(name: "key", to: &line)
        line.append(contentsOf: keyJSON(entry).utf8)
        JSONText.append(name: "value", to: &line)
        line.append(contentsOf: valueJSON(entry).utf8)
    }

    /// Says on standard error what is shown.
    func tellCommit() {
        StandardError.write(line: "\(task.name): as of commit \(task.commit)")
    }
}
