// What the tests share: a directory of their own, a random generator with a seed, small builders.

import FoundationEssentials
import LocalState
import Testing

/// A directory that is gone when the test is: a suite holds it, since a local constant may be
/// released after its last use.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory
            .appending(path: "local-state-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            print("left behind: \(path): \(error)")
        }
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }
}

/// SplitMix64: the same numbers for the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}

/// The seed of a random test: from STREAMJOBS_SEED, or a new one. It is printed either way.
func testSeed(_ name: String) -> UInt64 {
    let given = ProcessInfo.processInfo.environment["STREAMJOBS_SEED"].flatMap { UInt64($0) }
    let seed = given ?? UInt64.random(in: 0...UInt64.max)
    print("\(name): STREAMJOBS_SEED=\(seed)")
    return seed
}

/// Where an environment keeps its data.
enum Place: CaseIterable, Sendable {
    case disk
    case memory
}

/// The data of an environment, which can be opened again and again.
final class StateData {
    let directory: TemporaryDirectory
    let memory = MemoryState()
    let place: Place

    init(_ place: Place, in directory: TemporaryDirectory) {
        self.place = place
        self.directory = directory
    }

    var stateDirectory: String { directory.file("state/job/0") }

    /// A closed environment over the data.
    func environment() -> StateEnvironment {
        switch place {
        case .disk: StateEnvironment(directory: stateDirectory)
        case .memory: StateEnvironment(inMemory: memory)
        }
    }

    /// An open environment with the stores given.
    func open(_ stores: any EnvironmentStore...) throws -> StateEnvironment {
        let environment = environment()
        for store in stores { environment.register(store) }
        try environment.open()
        return environment
    }
}

extension KeyValueStore {
    /// All entries, in the order of a scan.
    func all() throws -> [(key: Key, value: Value)] {
        var entries: [(key: Key, value: Value)] = []
        try forEach { entries.append(($0, $1)) }
        return entries
    }

    func keys() throws -> [Key] { try all().map(\.key) }
}

/// The code of the error that `body` throws; nil if it throws none.
func errorCode(_ body: () throws -> Void) throws -> StateError.Code? {
    do {
        try body()
        return nil
    } catch let error as StateError {
        return error.code
    }
}
