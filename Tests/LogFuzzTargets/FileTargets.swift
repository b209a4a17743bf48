// The files beside the segments. What follows from the segments may be anything: then it is made anew.

import StreamJobsChecksum
import StreamJobsLog

enum FileTargets {
    /// Opens, reads and opens again. What an owner has opened it opens again, with the same records.
    /// - Returns: What the owner has read; nil where it refuses.
    @discardableResult
    private static func open(_ files: [String: [UInt8]]) throws -> [ReadRecords]? {
        let scratch = try ScratchLog(files)
        _ = try orRefused {
            let observer = try scratch.observer()
            for topic in observer.topics where topic.name == "t" {
                _ = try observer.readAll(.readCommitted)
            }
        }
        _ = try orRefused { try scratch.damages() }
        func recover() throws -> [ReadRecords]? {
            try orRefused {
                let owner = try scratch.owner()
                guard owner.topics.contains(where: { $0.name == "t" }) else { return [] }
                return try [owner.readAll(.readCommitted), owner.readAll(.readUncommitted)]
            }
        }
        guard let first = try recover() else { return nil }
        let second = try recover()
        try require(first == second, "opened twice: \(first), then \(second ?? [])")
        return first
    }

    private static let whole: [ReadRecords] = {
        do {
            return try open(ScratchLog.closed) ?? []
        } catch { preconditionFailure("the prepared log cannot be read: \(error)") }
    }()

    // MARK: Index files

    /// - Parameter mode: Its lowest two bits choose the kind, the next two the segment; 16: the manifest
    ///   believes it.
    static func index(_ mode: UInt8, _ bytes: [UInt8]) throws {
        var files = ScratchLog.closed
        let kinds = [(".index", 8), (".timeindex", 12), (".txnindex", 34)]
        let kind = Int(mode & 3) % kinds.count
        let (suffix, entryBytes) = kinds[kind]
        let logs = files.keys.filter { $0.hasSuffix(".log") }.sorted()
        let segment = Int(mode >> 2 & 3) % logs.count
        files[logs[segment].dropLast(4) + suffix] = bytes
        let isBelieved = mode & 16 != 0
        if isBelieved {
            let count = bytes.count / entryBytes
            let checksum = bytes[..<(count * entryBytes)].withUnsafeBytes { CRC32C.checksum($0) }
            let manifest = String(decoding: files["t-0/segments"] ?? [], as: UTF8.self)
            var lines = manifest.split(separator: "\n").dropLast().map(String.init)
            var words = lines[1 + segment].split(separator: " ").map(String.init)
            words[7 + kind] = "\(count):\(String(checksum, radix: 16))"
            lines[1 + segment] = words.joined(separator: " ")
            files["t-0/segments"] = checksummed(Array(lines.map { $0 + "\n" }.joined().utf8))
        }
        let records = try open(files)
        // One that is not believed is made anew; one whose checksum is right is what was written.
        guard !isBelieved else { return }
        try require(records == whole, "read with a strange index: \(records ?? [])")
    }

    // MARK: Producers

    /// - Parameter mode: 1: checksum and version are mended; 2: as a file.
    static func snapshot(_ mode: UInt8, _ bytes: [UInt8]) throws {
        var bytes = bytes
        if mode & 1 != 0, bytes.count >= 10 {
            store(Int16(1), in: &bytes, at: 0)
            if (bytes.count - 10) % 46 == 0 {
                store(Int32((bytes.count - 10) / 46), in: &bytes, at: 6)
            }
            let checksum = bytes[6...].withUnsafeBytes { CRC32C.checksum($0) }
            store(checksum, in: &bytes, at: 2)
        }
        if mode & 2 != 0 {
            var files = ScratchLog.closed
            for name in files.keys where name.hasSuffix(".snapshot") { files[name] = bytes }
            try open(files)
            return
        }
        let states = try orRefused {
            try bytes.withUnsafeBytes { try ProducerStates(snapshot: $0) }
        }
        guard let encoded = states?.snapshot() else { return }
        let again = try encoded.withUnsafeBytes { try ProducerStates(snapshot: $0) }
        try require(again.snapshot() == encoded, "states that are written are others")
    }

    // MARK: Files of the data directory

    /// - Parameter mode: 1: the bytes are slots, of 60 bytes each, which get their checksums; 2: they are of
    ///   the partition that is there; 4: the stop was not clean.
    static func recoveryPoints(_ mode: UInt8, _ bytes: [UInt8]) throws {
        var files = ScratchLog.closed
        var file = bytes
        if mode & 1 != 0, let good = files["recovery-points"] {
            file = good
            for (index, start) in stride(from: 0, through: bytes.count - 60, by: 60).enumerated() {
                var slot = Array(bytes[start..<start + 60])
                if mode & 2 != 0 {
                    slot.replaceSubrange(..<20, with: good[slotStart(0, 1)...].prefix(20))
                }
                let checksum = slot.withUnsafeBytes { CRC32C.checksum($0) }
                slot += [0, 0, 0, 0]
                store(checksum, in: &slot, at: 60)
                let position = slotStart(index / 2 % 64, index % 2)
                file.replaceSubrange(position..<position + 64, with: slot)
            }
        }
        files["recovery-points"] = file
        if mode & 4 != 0 { files["clean-shutdown"] = nil }
        try open(files)
    }

    private static func slotStart(_ index: Int, _ copy: Int) -> Int {
        4096 * (1 + copy) + 64 * index
    }

    /// - Parameter mode: 1: the first line and the checksum are put to it; 2: the stop was not clean; 4: it
    ///   stands behind the lines that there are.
    static func manifest(_ mode: UInt8, _ bytes: [UInt8]) throws {
        try openWithLines(in: "t-0/segments", mode, bytes)
    }

    /// - Parameter mode: As that of `manifest`.
    static func catalog(_ mode: UInt8, _ bytes: [UInt8]) throws {
        try openWithLines(in: "topics", mode, bytes)
    }

    /// A file of lines with a checksum at its end.
    private static func openWithLines(in name: String, _ mode: UInt8, _ bytes: [UInt8]) throws {
        var files = ScratchLog.closed
        let lines = String(decoding: files[name] ?? [], as: UTF8.self)
            .split(separator: "\n").dropLast().map { $0 + "\n" }
        let start = mode & 4 != 0 ? lines.joined() : String(lines.first ?? "")
        files[name] = mode & 1 != 0 ? checksummed(Array(start.utf8) + bytes) : bytes
        if mode & 2 != 0 { files["clean-shutdown"] = nil }
        try open(files)
    }

    /// - Parameter mode: Which file; 8: the stop was not clean; 16: `recovery-points` is lost.
    static func checkpoint(_ mode: UInt8, _ bytes: [UInt8]) throws {
        var files = ScratchLog.closed
        let names = [
            "t-0/leader-epoch-checkpoint", "log-start-offset-checkpoint",
            "cleaner-offset-checkpoint", "clean-shutdown",
        ]
        if mode & 8 != 0 { files["clean-shutdown"] = nil }
        if mode & 16 != 0 { files["recovery-points"] = nil }
        files[names[Int(mode & 3)]] = bytes
        try open(files)
    }
}
