// What stands between a log and its files in these tests: it notes every change, and lets any of them
// fail.

import Foundation
import StreamJobsLog
import Synchronization

/// A failure to come: of operation number `number`, counted from 0, among those of `kind`.
struct Fault: Sendable, CustomStringConvertible {
    enum Kind: String, CaseIterable, Sendable {
        case makeDirectory, create, write, truncate, flush, rename, remove, flushDirectory, read
    }
    let kind: Kind
    let number: Int
    let code: LogError.Code
    /// Of a write: how many of its bytes are written all the same.
    var written: Double = 0
    /// It is not the only one: all later ones of the kind fail as well, until `heal`.
    var isLasting = false

    /// A disk that stays full has no room for new files either.
    func strikes(_ kind: Kind, _ number: Int) -> Bool {
        if isLasting, code == .noSpace, kind == .create { return true }
        return self.kind == kind && (isLasting ? number >= self.number : number == self.number)
    }

    var description: String {
        "\(kind.rawValue) \(number) \(code) \(written)\(isLasting ? " lasting" : "")"
    }
}

final class DiskRecorder: FileSystemObserver {
    private struct State {
        var operations: [DiskOperation] = []
        var disk: Disk
        var counts: [Fault.Kind: Int] = [:]
        var fault: Fault?
        var hasFailed = false
    }

    private let root: String
    private let state: Mutex<State>

    init(_ root: String, _ disk: Disk = Disk(), fault: Fault? = nil) {
        self.root = root
        state = Mutex(State(disk: disk, fault: fault))
    }

    var operations: [DiskOperation] { state.withLock { $0.operations } }
    var operationCount: Int { state.withLock { $0.operations.count } }
    var counts: [Fault.Kind: Int] { state.withLock { $0.counts } }
    var disk: Disk { state.withLock { $0.disk } }
    /// The fault has struck.
    var hasFailed: Bool { state.withLock { $0.hasFailed } }

    /// Lets a call fail from here on: calls are counted anew.
    func fail(_ fault: Fault) {
        state.withLock { state in
            state.fault = fault
            state.counts = [:]
        }
    }

    /// The operations of the kind that come from now on fail.
    func fail(_ kind: Fault.Kind, _ code: LogError.Code) {
        state.withLock { state in
            let number = state.counts[kind, default: 0]
            state.fault = Fault(kind: kind, number: number, code: code, isLasting: true)
        }
    }

    func failOnce(_ kind: Fault.Kind, number: Int, _ code: LogError.Code) {
        state.withLock { $0.fault = Fault(kind: kind, number: number, code: code) }
    }

    /// No more failures.
    func heal() { state.withLock { $0.fault = nil } }

    func willPerform(_ operation: FileOperation) throws {
        try state.withLock { state in
            let (kind, noted) = self.noted(operation)
            let number = state.counts[kind, default: 0]
            state.counts[kind] = number + 1
            if let fault = state.fault, fault.strikes(kind, number),
                fault.code != .noSpace || !state.disk.hasRoom(for: noted)
            {
                state.hasFailed = true
                try fail(fault, noted, &state)
            }
            guard let noted else { return }
            state.operations.append(noted)
            state.disk.apply(noted)
        }
    }

    private func fail(_ fault: Fault, _ operation: DiskOperation?, _ state: inout State) throws {
        let error = LogError(fault.code, "injected: \(fault), \(operation.map { "\($0)" } ?? "")")
        switch operation {
        case .write(_, _, let bytes)?:
            let written = Int(Double(bytes.count) * fault.written)
            guard written > 0, let operation else { throw error }
            state.disk.applyTorn(operation, byteCount: written)
            throw ShortWrite(byteCount: written, cause: error)
        case .flush(let path)?:
            state.disk.dropUnflushed(path)
            throw error
        default: throw error
        }
    }

    private func relative(_ path: String) -> String {
        precondition(path.hasPrefix(root), "\(path) is outside of the data directory")
        return String(path.dropFirst(root.count + 1))
    }

    private func noted(_ operation: FileOperation) -> (Fault.Kind, DiskOperation?) {
        switch operation {
        case .makeDirectory(let path): (.makeDirectory, .makeDirectory(relative(path)))
        case .create(let path): (.create, .create(relative(path)))
        case .write(let path, let position, let bytes):
            (.write, .write(relative(path), at: position, Array(bytes)))
        case .truncate(let path, let byteCount):
            (.truncate, .truncate(relative(path), to: byteCount))
        case .flush(let path): (.flush, .flush(relative(path)))
        case .rename(let path, let newPath):
            (.rename, .rename(relative(path), to: relative(newPath)))
        case .remove(let path): (.remove, .remove(relative(path)))
        case .flushDirectory(let path):
            // The data directory's own name is in its parent, which is no part of the disk.
            (.flushDirectory, path.hasPrefix(root) ? .flushDirectory(relative(path)) : nil)
        case .read: (.read, nil)
        }
    }
}

/// A directory in memory where there is one: these tests open a log thousands of times, and what a flush
/// means is the model's to say.
final class MemoryDirectory: Sendable {
    let path: String

    init(_ disk: Disk = Disk()) throws {
        let shared = "/dev/shm"
        let parent =
            FileManager.default.isWritableFile(atPath: shared)
            ? shared : FileManager.default.temporaryDirectory.path
        path = parent + "/streamjobs-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
        try disk.materialize(in: path)
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch { print("left behind: \(path): \(error)") }
    }
}
