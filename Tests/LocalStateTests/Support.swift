// What the tests share: a directory of their own, a random generator with a seed, small builders.

import FoundationEssentials
import LocalState
import TestSupport
import Testing

/// The data of an environment, which can be opened again and again.
final class StateData {
    let directory: TemporaryDirectory
    let settings: StateSettings

    init(
        in directory: TemporaryDirectory, settings: StateSettings = StateSettings(durability: .none)
    ) {
        self.directory = directory
        self.settings = settings
    }

    var stateDirectory: String { directory.file("state/job/0") }

    /// A closed environment over the data.
    func environment() -> StateEnvironment {
        StateEnvironment(directory: stateDirectory, settings: settings)
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
